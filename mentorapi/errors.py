"""Errors that a client can get, and two that no client gets.

The body is exactly ``{"statusCode", "message", "error"}`` (and ``details`` for a failed
validation). ``code`` is the stable name for programs, sent in the header ``X-Error-Code``: by
default the name of the class in snake_case. A class that is renamed keeps its code.
This module imports nothing of the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

import orjson

CODE_HEADER = "X-Error-Code"

#: Names of statuses in RFC 9110 that Python has since 3.13 only.
_NEW_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}

#: A failed validation names this many problems at most.
MAX_DETAILS = 50
#: Size of all details as JSON.
MAX_DETAILS_BYTES = 12 * 1024
#: Characters of a field's name. Clients may send names of any length.
MAX_FIELD = 120


class ApiError(Exception):
    """An error that a client can get. An instance may have a message of its own."""

    code = "internal_error"
    status = 500
    message = "Internal server error"
    headers: Mapping[str, str] = {}
    details: Sequence[Mapping[str, str]] | None = None

    def __init__(
        self, message: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.message = message or self.message
        self.headers = self.headers if headers is None else headers
        super().__init__(self.message)

    @classmethod
    def define(cls, message: str, **attributes: Any) -> type[Self]:
        """Return a subclass with this message, and with the status of its parent by default."""
        return type("", (cls,), {"message": message, "__module__": __name__, **attributes})

    def body(self) -> dict[str, Any]:
        """Return the JSON object that a client receives."""
        body = {
            "statusCode": self.status,
            "message": self.message,
            "error": _NEW_PHRASES.get(self.status, HTTPStatus(self.status).phrase),
        }
        return body if self.details is None else body | {"details": self.details}


class ValidationFailed(ApiError):
    status = 400
    message = "Validation failed"

    def __init__(self, details: Sequence[Mapping[str, str]]) -> None:
        super().__init__()
        self.details = _shortened(details)

    @classmethod
    def of(cls, field: str, message: str, code: str = "invalid") -> ValidationFailed:
        return cls([{"field": field, "code": code, "message": message}])


def _shortened(details: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Keep the first details, so that the response stays small whatever a client sends."""
    shortened = []
    room = MAX_DETAILS_BYTES
    for detail in details[:MAX_DETAILS]:
        field = detail["field"]
        if len(field) > MAX_FIELD:
            detail = {**detail, "field": field[:MAX_FIELD] + "…"}
        room -= len(orjson.dumps(detail)) + 1
        if room < 0:
            break
        shortened.append(detail)
    return shortened


class MethodNotAllowed(ApiError):
    status = 405
    message = "Method not allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(headers={"Allow": ", ".join(allowed)})


RETRY = {"Retry-After": "1"}

BadRequest = ApiError.define("Bad request", status=400)
MalformedJson = BadRequest.define("Body is not valid JSON")
MalformedForm = BadRequest.define("Body is not valid multipart/form-data")
InvalidImage = BadRequest.define("File is not a valid image")
RequestToSelf = BadRequest.define("You cannot request a session with yourself")
RequestInPast = BadRequest.define("Cannot request a session in the past")

# For these states the guide says 400, not 409.
NotCompletable = BadRequest.define(
    "Only confirmed, rescheduled, or in-progress bookings can be completed"
)
NotEnded = BadRequest.define("Cannot complete a session before it ends")
CompletionNotConfirmable = BadRequest.define("Only sessions pending completion can be confirmed")
NotDisputable = BadRequest.define("Only sessions pending completion can be disputed")
NotReviewable = BadRequest.define("Can only review completed sessions")

Unauthorized = ApiError.define(
    "Missing or invalid token",
    status=401,
    headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
)

Forbidden = ApiError.define("Not allowed to perform this action", status=403)
NotPartyToRequest = Forbidden.define("Only the mentor and the mentee can see this request")
NotPartyToSession = Forbidden.define("Only the mentor and the mentee can see this session")
OnlyPartiesCancelSession = Forbidden.define("Only the mentor or the mentee can cancel this session")
OnlyMentorAccepts = Forbidden.define("Only the mentor can accept this request")
OnlyMentorRejects = Forbidden.define("Only the mentor can reject this request")
OnlyMenteeCancelsRequest = Forbidden.define("Only the mentee can cancel this request")
OnlyMentorConfirms = Forbidden.define("Only the mentor can confirm this session")
OnlyMentorCompletes = Forbidden.define("Only the mentor can complete this session")
OnlyMentorReschedules = Forbidden.define("Only the mentor can reschedule this session")
OnlyMenteeConfirmsCompletion = Forbidden.define("Only the mentee can confirm session completion")
OnlyMenteeDisputes = Forbidden.define("Only the mentee can dispute a session")
OnlyMenteeReviews = Forbidden.define("Only the mentee can review this session")

NotFound = ApiError.define("Not found", status=404)
MentorNotFound = NotFound.define("Mentor not found")
ProfileNotFound = NotFound.define("Mentor profile not found")
WindowNotFound = NotFound.define("Availability pattern not found")
OverrideNotFound = NotFound.define("Override not found")
TimeOffNotFound = NotFound.define("Time off not found")
RequestNotFound = NotFound.define("Request not found")
SessionNotFound = NotFound.define("Session not found")
ImageNotFound = NotFound.define("Image not found")

RequestTimeout = ApiError.define("The body did not arrive in time", status=408)
BodyTooLarge = ApiError.define("Body is too large", status=413)
HeadTooLarge = ApiError.define("The URL and the headers are too long", status=431)
UnsupportedMediaType = ApiError.define("Content-Type must be application/json", status=415)
UnsupportedCoding = ApiError.define(
    "Content-Encoding is not supported", status=415, headers={"Accept-Encoding": "identity"}
)

Conflict = ApiError.define("Conflict", status=409)
SlotTaken = Conflict.define("Time slot is no longer available")
NotTakingRequests = Conflict.define("This mentor is not taking requests")
DuplicateRequest = Conflict.define("You already have a pending request")
NotAcceptable = Conflict.define("Only pending requests can be accepted")
NotRejectable = Conflict.define("Only pending requests can be rejected")
RequestNotCancellable = Conflict.define("Only pending requests can be cancelled")
NotConfirmable = Conflict.define("Only pending sessions can be confirmed")
NotReschedulable = Conflict.define("Only confirmed or rescheduled sessions can be rescheduled")
TooLateToCancel = Conflict.define("Too late to cancel")
SessionNotCancellable = Conflict.define(
    "Only pending, confirmed or rescheduled sessions can be cancelled"
)
AlreadyReviewed = Conflict.define("You have already reviewed this session")
KeyInUse = Conflict.define(
    "A request with this Idempotency-Key is still being processed",
    headers=RETRY,
    code="idempotency_key_in_use",
)

KeyReused = ApiError.define(
    "This Idempotency-Key was used with a different request body",
    status=422,
    code="idempotency_key_reused",
)

# The proxy sends it (deploy/nginx.conf): it limits the requests of one address.
TooManyRequests = ApiError.define("Too many requests, please slow down", status=429, headers=RETRY)

Unavailable = ApiError.define(
    "Service temporarily unavailable, please try again", status=503, headers=RETRY
)


_ERRORS = {
    name: kind
    for name, kind in globals().items()
    if isinstance(kind, type) and issubclass(kind, ApiError)
}
# `define` does not know the name that a class gets here.
for _name, _error in _ERRORS.items():
    _error.__name__ = _error.__qualname__ = _name
    if "code" not in _error.__dict__:
        _error.code = re.sub(r"(?<!^)(?=[A-Z])", "_", _name).lower()

CODES = sorted(error.code for error in _ERRORS.values())


class UserMissing(Exception):
    """The caller's row in ``users`` is missing although it was stored before.

    No client gets it: the base handler stores the user again and repeats the operation.
    """


class StartupError(Exception):
    """The reason why the program does not start: one sentence for the terminal.

    It names what to change, and never a secret.
    """

    exit_code = 1
