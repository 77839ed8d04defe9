"""Every error of each operation in the OpenAPI document can be caused over HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from mentorapi import images, openapi
from mentorapi.app import ROUTES
from mentorapi.database import idempotency, statements
from mentorapi.schemas import examples
from tests.client import Api, Mentor, Response, User, asking, day_after_tomorrow
from tests.docs.test_openapi import operations, query_of, resolve

DESCRIBED = {
    described["operationId"]: (method, path, described) for method, path, described in operations()
}

#: (status, message) by operation and name of the example.
DOCUMENTED = {
    (name, example): (int(status), resolve(shown)["value"]["message"])
    for name, (_, _, described) in DESCRIBED.items()
    for status, response in described["responses"].items()
    for example, shown in resolve(response)
    .get("content", {})
    .get("application/json", {})
    .get("examples", {})
    .items()
}

#: Errors that the server causes and not the client. Other tests cause them.
NOT_PROVOKED = {
    "Fault": "a bug",
    "RequestTimeout": "a slow client, see test_bad_input.py",
    "TooManyRequests": "the proxy's, see test_deployment.py",
    "Unavailable": "a database that is away or overloaded",
    "TooManyImagesAtOncePleaseTryAgain": "a burst of uploads",
}


@dataclass
class Cast:
    """A mentor, a mentee, a third user, and the ids for the paths."""

    api: Api
    mentor: Mentor
    mentee: User
    stranger: User
    ids: dict[str, str]


def path_with(path: str, ids: dict[str, str]) -> str:
    for name in ("mentorId", "windowId", "requestId", "sessionId", "timeOffId"):
        path = path.replace(f"{{{name}}}", ids.get(name) or str(uuid4()))
    path = path.replace("{date}", examples.FRIDAY)
    return path.replace("{name}", f"{'x' * 22}.webp")


async def send(
    user: User, operation: str, ids: dict[str, str], json: Any = None, **more: Any
) -> Response:
    """Send a request, by default with the example of its body."""
    method, path, described = DESCRIBED[operation]
    media = described.get("requestBody", {}).get("content", {}).get("application/json")
    if media is not None and json is None and "body" not in more:
        json = media["example"]
    return await user.request(method, path_with(path, ids), json, **{**query_of(described), **more})


def assert_documented(response: Response, operation: str, example: str) -> None:
    status, message = DOCUMENTED[operation, example]
    # After a colon, the message says what is wrong with the JSON.
    told = response.message.partition(": ")[0] if example == "MalformedJson" else response.message
    assert (response.status, told) == (status, message), (operation, example)


# What operations share, by the name of the error -------------------------------------------------

Provocation = Callable[[Cast, str], Awaitable[Response]]


async def with_a_bad_query(cast: Cast, operation: str) -> Response:
    method, path, described = DESCRIBED[operation]
    if method == "GET":
        queries = [one["name"] for one in described["parameters"] if one.get("in") == "query"]
        # The parameters of pages are references.
        name = queries[0] if queries else "page"
        return await cast.mentor.request(method, f"{path_with(path, {})}?{name}=%FF")
    if "multipart/form-data" in described.get("requestBody", {}).get("content", {}):
        form = '--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        return await send(cast.mentor, operation, {}, body=form, headers=headers)
    if method == "POST":
        return await send(cast.mentor, operation, {}, headers={"Idempotency-Key": "two words"})
    if method == "DELETE":
        return await cast.mentor.request(method, path.replace("{date}", "tomorrow"))
    return await send(cast.mentor, operation, {}, body='{"nobody": "knows this"}')


async def without_a_token(cast: Cast, operation: str) -> Response:
    return await send(cast.api.nobody, operation, {})


async def with_broken_json(cast: Cast, operation: str) -> Response:
    return await send(cast.mentor, operation, {}, body="{")


async def with_plain_text(cast: Cast, operation: str) -> Response:
    return await send(
        cast.mentor, operation, {}, body="hello", headers={"Content-Type": "text/plain"}
    )


async def with_a_compressed_body(cast: Cast, operation: str) -> Response:
    headers = {"Content-Encoding": "gzip"}
    return await send(cast.mentor, operation, {}, body=b"x", headers=headers)


async def with_a_huge_body(cast: Cast, operation: str) -> Response:
    method, path, _ = DESCRIBED[operation]
    handler = next(handler for template, handler in ROUTES if template == openapi.PREFIX + path)
    limit = handler.operations()[method].max_body
    return await send(cast.mentor, operation, {}, body=b" " * (limit + 1))


async def with_a_used_key(cast: Cast, operation: str) -> Response:
    headers = {"Idempotency-Key": "used"}
    method, path, described = DESCRIBED[operation]
    # As stored after a success with another body.
    await cast.api.db.execute(
        """
        INSERT INTO idempotency_keys (user_id, route, key, fingerprint, status, answer)
        VALUES ($1, $2, 'used', '', 200, '{}')
        """,
        cast.mentor.sub,
        f"{method} {openapi.PREFIX}{path}",
    )
    example = described["requestBody"]["content"]["application/json"]["example"]
    # The same JSON with other blanks is another body.
    body = json.dumps(example) + " "
    return await send(cast.mentor, operation, cast.ids, body=body, headers=headers)


async def with_a_busy_key(cast: Cast, operation: str) -> Response:
    method, path, _ = DESCRIBED[operation]
    async with cast.api.db.acquire() as connection, connection.transaction():
        route = f"{method} {openapi.PREFIX}{path}"
        await statements.idempotency.lock(
            connection, user_id=cast.mentor.sub, route=route, key="busy"
        )
        return await send(cast.mentor, operation, cast.ids, headers={"Idempotency-Key": "busy"})


async def with_unknown_ids(cast: Cast, operation: str) -> Response:
    return await send(cast.mentor, operation, {})


async def as_a_stranger(cast: Cast, operation: str) -> Response:
    return await send(cast.stranger, operation, cast.ids)


SHARED: dict[str, Provocation] = {
    "ValidationFailed": with_a_bad_query,
    "Unauthorized": without_a_token,
    "MalformedJson": with_broken_json,
    "UnsupportedMediaType": with_plain_text,
    "UnsupportedCoding": with_a_compressed_body,
    "ContentTypeMustBeMultipartFormData": with_plain_text,
    "BodyTooLarge": with_a_huge_body,
    "KeyReused": with_a_used_key,
    "KeyInUse": with_a_busy_key,
    "MentorNotFound": with_unknown_ids,
    "WindowNotFound": with_unknown_ids,
    "OverrideNotFound": with_unknown_ids,
    "TimeOffNotFound": with_unknown_ids,
    "RequestNotFound": with_unknown_ids,
    "SessionNotFound": with_unknown_ids,
    "ImageNotFound": with_unknown_ids,
    "ProfileNotFound": as_a_stranger,
    "NotPartyToRequest": as_a_stranger,
    "NotPartyToSession": as_a_stranger,
}


@pytest.mark.parametrize("example", SHARED)
async def test_provoke_shared_error_in_each_operation_is_as_documented(
    api: Api, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
    cast = await confirmed_session(api)
    for operation, name in DOCUMENTED:
        if name == example:
            assert_documented(await SHARED[example](cast, operation), operation, example)


# Errors of single operations --------------------------------------------------------------------


async def nothing(api: Api) -> Cast:
    mentor, mentee = await api.mentor(), api.user("jane")
    return Cast(api, mentor, mentee, api.user("ken"), {"mentorId": mentor.id})


async def pending_request(api: Api) -> Cast:
    cast = await nothing(api)
    cast.ids["requestId"] = (await api.request(cast.mentee, cast.mentor))["id"]
    return cast


async def request_for_a_taken_time(api: Api) -> Cast:
    cast = await pending_request(api)
    await api.session(cast.stranger, cast.mentor)
    return cast


async def confirmed_session(api: Api) -> Cast:
    cast = await pending_request(api)
    accepted = await cast.mentor.ok("POST", f"/requests/{cast.ids['requestId']}/accept")
    cast.ids["sessionId"] = accepted["booking"]["id"]
    return cast


async def session_beside_another(api: Api) -> Cast:
    cast = await confirmed_session(api)
    await api.session(cast.stranger, cast.mentor, day_after_tomorrow(14))
    return cast


async def completed_session(api: Api) -> Cast:
    cast = await confirmed_session(api)
    path = f"/sessions/{cast.ids['sessionId']}"
    await api.make_past(cast.ids["sessionId"])
    await cast.mentor.ok("POST", f"{path}/complete")
    await cast.mentee.ok("POST", f"{path}/confirm-completion")
    return cast


async def paused_mentor(api: Api) -> Cast:
    cast = await nothing(api)
    await cast.mentor.ok("PUT", "/mentor/policy", {"acceptingRequests": False})
    return cast


async def session_within_the_cutoff(api: Api) -> Cast:
    cast = await confirmed_session(api)
    await cast.mentor.ok("PUT", "/mentor/policy", {"cancelCutoffHours": 168})
    return cast


async def reviewed_session(api: Api) -> Cast:
    cast = await completed_session(api)
    await cast.mentee.ok("POST", f"/sessions/{cast.ids['sessionId']}/review", {"rating": 5})
    return cast


def ask(**changes: Any) -> Callable[[Cast], dict[str, Any]]:
    return lambda cast: asking(cast.mentor, **changes)


def move_beside_the_other(cast: Cast) -> dict[str, Any]:
    day = f"{day_after_tomorrow():%Y-%m-%d}"
    return {"newStartTime": f"{day}T14:30:00Z", "newEndTime": f"{day}T15:30:00Z"}


LATER = {"scheduledTime": "15:00"}
PAST = {"scheduledDate": "2020-01-06"}

#: Operation, error, what exists before, the caller, and the body if not that of the example.
OWN: list[tuple[str, str, Callable[[Api], Awaitable[Cast]], str, Any]] = [
    ("createRequest", "RequestToSelf", nothing, "mentor", ask()),
    ("createRequest", "RequestInPast", nothing, "mentee", ask(**PAST)),
    ("createRequest", "DuplicateRequest", pending_request, "mentee", ask(**LATER)),
    ("createRequest", "SlotTaken", confirmed_session, "stranger", ask()),
    ("createRequest", "NotTakingRequests", paused_mentor, "mentee", ask()),
    ("acceptRequest", "OnlyMentorAccepts", pending_request, "mentee", None),
    ("acceptRequest", "NotAcceptable", confirmed_session, "mentor", None),
    ("acceptRequest", "SlotTaken", request_for_a_taken_time, "mentor", None),
    ("rejectRequest", "OnlyMentorRejects", pending_request, "mentee", None),
    ("rejectRequest", "NotRejectable", confirmed_session, "mentor", None),
    ("cancelRequest", "OnlyMenteeCancelsRequest", pending_request, "mentor", None),
    ("cancelRequest", "RequestNotCancellable", confirmed_session, "mentee", None),
    *(
        ("updateRequest", error, there, who, lambda _, status=status: {"status": status})
        for error, there, who, status in (
            ("OnlyMentorAccepts", pending_request, "mentee", "accepted"),
            ("NotAcceptable", confirmed_session, "mentor", "accepted"),
            ("SlotTaken", request_for_a_taken_time, "mentor", "accepted"),
            ("OnlyMentorRejects", pending_request, "mentee", "rejected"),
            ("NotRejectable", confirmed_session, "mentor", "rejected"),
            ("OnlyMenteeCancelsRequest", pending_request, "mentor", "cancelled"),
            ("RequestNotCancellable", confirmed_session, "mentee", "cancelled"),
        )
    ),
    ("confirmSession", "OnlyMentorConfirms", confirmed_session, "mentee", None),
    ("confirmSession", "NotConfirmable", confirmed_session, "mentor", None),
    ("completeSession", "OnlyMentorCompletes", confirmed_session, "mentee", None),
    ("completeSession", "NotCompletable", completed_session, "mentor", None),
    ("completeSession", "NotEnded", confirmed_session, "mentor", None),
    (
        "confirmSessionCompletion",
        "OnlyMenteeConfirmsCompletion",
        confirmed_session,
        "mentor",
        None,
    ),
    ("confirmSessionCompletion", "CompletionNotConfirmable", confirmed_session, "mentee", None),
    ("disputeSession", "OnlyMenteeDisputes", confirmed_session, "mentor", None),
    ("disputeSession", "NotDisputable", completed_session, "mentee", None),
    ("cancelSession", "OnlyPartiesCancelSession", confirmed_session, "stranger", None),
    ("cancelSession", "SessionNotCancellable", completed_session, "mentee", None),
    ("cancelSession", "TooLateToCancel", session_within_the_cutoff, "mentee", None),
    ("rescheduleSession", "OnlyMentorReschedules", confirmed_session, "mentee", None),
    ("rescheduleSession", "NotReschedulable", completed_session, "mentor", None),
    (
        "rescheduleSession",
        "SlotTaken",
        session_beside_another,
        "mentor",
        move_beside_the_other,
    ),
    ("reviewSession", "OnlyMenteeReviews", completed_session, "mentor", None),
    ("reviewSession", "NotReviewable", confirmed_session, "mentee", None),
    ("reviewSession", "AlreadyReviewed", reviewed_session, "mentee", None),
]


@pytest.mark.parametrize(
    ("operation", "example", "there", "who", "body"),
    OWN,
    ids=[f"{operation}-{example}" for operation, example, *_ in OWN],
)
async def test_provoke_own_error_of_operation_is_as_documented(
    api: Api,
    operation: str,
    example: str,
    there: Callable[[Api], Awaitable[Cast]],
    who: str,
    body: Callable[[Cast], Any] | None,
) -> None:
    cast = await there(api)
    response = await send(getattr(cast, who), operation, cast.ids, body and body(cast))
    assert_documented(response, operation, example)


# Uploads ---------------------------------------------------------------------------------------


def png(width: int, height: int | None = None) -> bytes:
    out = BytesIO()
    Image.new("1", (width, height or width)).save(out, "PNG")
    return out.getvalue()


UPLOADS = {
    "InvalidImage": lambda: png(100)[:-30],
    "FileIsNotAJpegPngWebpOrGifImage": lambda: b"GIF? No.",
    "ImageIsTooLargeAtMost25Megapixels": lambda: png(5001),
    "ImageIsTooLargeAtMost10000PixelsOnEachSide": lambda: png(10_001, 1),
    "ImageIsTooLargeAtMost5Mib": lambda: b"x" * (images.MAX_UPLOAD + 1),
}


async def upload(api: Api, body: bytes) -> Response:
    return await api.user("mia").patch(
        "/mentor/profile-image",
        body=body,
        headers={"Content-Type": "multipart/form-data; boundary=edge"},
    )


@pytest.mark.parametrize("example", UPLOADS)
async def test_upload_refused_file_is_as_documented(api: Api, example: str) -> None:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="me"\r\n\r\n'
    response = await upload(api, head + UPLOADS[example]() + b"\r\n--edge--\r\n")
    assert_documented(response, "uploadProfileImage", example)


async def test_upload_malformed_form_is_as_documented(api: Api) -> None:
    response = await upload(api, b"--edge\r\nno end")
    assert_documented(response, "uploadProfileImage", "MalformedForm")


def test_compare_provoked_errors_with_document_finds_each() -> None:
    provoked = {(operation, example) for operation, example, *_ in OWN}
    provoked |= {("uploadProfileImage", example) for example in [*UPLOADS, "MalformedForm"]}
    left = {
        (operation, example)
        for operation, example in DOCUMENTED
        if example not in SHARED and example not in NOT_PROVOKED
    }
    assert provoked == left
