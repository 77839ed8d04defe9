"""Errors that a client can get, one class each; the last one is for the operator.

The class docstring is the default message and ``status`` the HTTP status; what the API answers
is exactly ``{"statusCode", "message", "error"}`` (and ``details`` for a failed validation).
``code`` is the stable name for programs, sent in the header ``X-Error-Code``.
This module knows nothing of the rest of the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson

CODE_HEADER = "X-Error-Code"

#: A failed validation names this many problems at most.
MAX_DETAILS = 50
#: Size of all details as JSON.
MAX_DETAILS_BYTES = 12 * 1024
#: Characters of a field's name. Clients may send names of any length.
MAX_FIELD = 120


class ApiError(Exception):
    """Internal server error"""

    #: By default the name of the class in snake_case. A class that is renamed keeps its code.
    code: ClassVar[str] = "internal_error"
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message()
        self.details = details
        if headers is not None:
            self.headers = headers
        super().__init__(self.message)

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def default_message(cls) -> str:
        return (cls.__doc__ or "").strip()

    def body(self) -> dict[str, Any]:
        """Return the JSON object that a client receives."""
        return error_body(self.status, self.message, self.details)


def error_body(
    status: int, message: str, details: Sequence[Mapping[str, str]] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "statusCode": int(status),
        "message": message,
        "error": HTTPStatus(status).phrase,
    }
    if details is not None:
        body["details"] = list(details)
    return body


class UserMissing(Exception):
    """The caller's row in ``users`` is missing although it was stored before.

    No client gets it: the base handler stores the user again and repeats the operation.
    """


def codes() -> list[str]:
    """Return the codes of all errors, sorted."""

    def of(kind: type[ApiError]) -> set[str]:
        return {kind.code}.union(*map(of, kind.__subclasses__()))

    return sorted(of(ApiError))


# 400: the input -------------------------------------------------------------------------------


class BadRequest(ApiError):
    """Bad request"""

    status = HTTPStatus.BAD_REQUEST


class ValidationFailed(BadRequest):
    """Validation failed"""

    def __init__(self, details: Sequence[Mapping[str, str]]) -> None:
        super().__init__(details=_shortened(details))

    @classmethod
    def of(cls, field: str, message: str, code: str = "invalid") -> ValidationFailed:
        return cls([{"field": field, "code": code, "message": message}])


def _shortened(details: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Keep the first details, so that the answer stays small whatever a client sends."""
    shortened: list[dict[str, str]] = []
    room = MAX_DETAILS_BYTES
    for detail in details[:MAX_DETAILS]:
        field = detail["field"]
        entry = {
            "field": field if len(field) <= MAX_FIELD else field[:MAX_FIELD] + "…",
            "code": detail.get("code", "invalid"),
            "message": detail["message"],
        }
        room -= len(orjson.dumps(entry)) + 1
        if room < 0:
            break
        shortened.append(entry)
    return shortened


class MalformedJson(BadRequest):
    """Body is not valid JSON"""


class MalformedForm(BadRequest):
    """Body is not valid multipart/form-data"""


class InvalidImage(BadRequest):
    """File is not a valid image"""


class RequestToSelf(BadRequest):
    """You cannot request a session with yourself"""


class RequestInPast(BadRequest):
    """Cannot request a session in the past"""


# 400: the state, where the guide says so ------------------------------------------------------


class NotCompletable(BadRequest):
    """Only confirmed, rescheduled, or in-progress bookings can be completed"""


class NotEnded(BadRequest):
    """Cannot complete a session before it ends"""


class CompletionNotConfirmable(BadRequest):
    """Only sessions pending completion can be confirmed"""


class NotDisputable(BadRequest):
    """Only sessions pending completion can be disputed"""


class NotReviewable(BadRequest):
    """Can only review completed sessions"""


# 401 ------------------------------------------------------------------------------------------


class Unauthorized(ApiError):
    """Missing or invalid token"""

    status = HTTPStatus.UNAUTHORIZED
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


# 403 ------------------------------------------------------------------------------------------


class Forbidden(ApiError):
    """Not allowed to perform this action"""

    status = HTTPStatus.FORBIDDEN


class NotPartyToRequest(Forbidden):
    """Only the mentor and the mentee can see this request"""


class NotPartyToSession(Forbidden):
    """Only the mentor and the mentee can see this session"""


class OnlyPartiesCancelSession(Forbidden):
    """Only the mentor or the mentee can cancel this session"""


class OnlyMentorAccepts(Forbidden):
    """Only the mentor can accept this request"""


class OnlyMentorRejects(Forbidden):
    """Only the mentor can reject this request"""


class OnlyMenteeCancelsRequest(Forbidden):
    """Only the mentee can cancel this request"""


class OnlyMentorConfirms(Forbidden):
    """Only the mentor can confirm this session"""


class OnlyMentorCompletes(Forbidden):
    """Only the mentor can complete this session"""


class OnlyMentorReschedules(Forbidden):
    """Only the mentor can reschedule this session"""


class OnlyMenteeConfirmsCompletion(Forbidden):
    """Only the mentee can confirm session completion"""


class OnlyMenteeDisputes(Forbidden):
    """Only the mentee can dispute a session"""


class OnlyMenteeReviews(Forbidden):
    """Only the mentee can review this session"""


# 404 ------------------------------------------------------------------------------------------


class NotFound(ApiError):
    """Not found"""

    status = HTTPStatus.NOT_FOUND


class MentorNotFound(NotFound):
    """Mentor not found"""


class ProfileNotFound(NotFound):
    """Mentor profile not found"""


class WindowNotFound(NotFound):
    """Availability pattern not found"""


class RequestNotFound(NotFound):
    """Request not found"""


class SessionNotFound(NotFound):
    """Session not found"""


class ImageNotFound(NotFound):
    """Image not found"""


# 405, 413, 415 --------------------------------------------------------------------------------


class MethodNotAllowed(ApiError):
    """Method not allowed"""

    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(headers={"Allow": ", ".join(allowed)})


class BodyTooLarge(ApiError):
    """Body is too large"""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(ApiError):
    """Content-Type must be application/json"""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


# 409 ------------------------------------------------------------------------------------------


class Conflict(ApiError):
    """Conflict"""

    status = HTTPStatus.CONFLICT


class SlotTaken(Conflict):
    """Time slot is no longer available"""


class DuplicateRequest(Conflict):
    """You already have a pending request"""


class NotAcceptable(Conflict):
    """Only pending requests can be accepted"""


class NotRejectable(Conflict):
    """Only pending requests can be rejected"""


class RequestNotCancellable(Conflict):
    """Only pending requests can be cancelled"""


class NotConfirmable(Conflict):
    """Only pending sessions can be confirmed"""


class NotReschedulable(Conflict):
    """Only confirmed or rescheduled sessions can be rescheduled"""


class SessionNotCancellable(Conflict):
    """Only pending, confirmed or rescheduled sessions can be cancelled"""


class AlreadyReviewed(Conflict):
    """You have already reviewed this session"""


class KeyInUse(Conflict):
    """A request with this Idempotency-Key is still being processed"""

    code = "idempotency_key_in_use"
    headers = {"Retry-After": "1"}


# 422 ------------------------------------------------------------------------------------------


class KeyReused(ApiError):
    """This Idempotency-Key was used with a different request body"""

    code = "idempotency_key_reused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


# 429 ------------------------------------------------------------------------------------------


class TooManyRequests(ApiError):
    """Too many requests, please slow down"""

    # The proxy answers with it (deploy/nginx.conf): it limits the requests of one address.
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers = {"Retry-After": "1"}


# 500, 503 -------------------------------------------------------------------------------------


class Unavailable(ApiError):
    """Service temporarily unavailable, please try again"""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": "1"}


class StartupError(Exception):
    """What keeps the program from starting: one sentence for the terminal.

    It names what to change, and never a secret.
    """

    exit_code = 1
