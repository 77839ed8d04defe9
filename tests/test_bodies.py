"""What comes in, whatever its size and shape: cheap to check, refused as early as it can be, and
answered in few words."""

from __future__ import annotations

import asyncio
import http.client
import re
from urllib.parse import urlsplit

import orjson
import pytest

from tests.bad_input import TARGETS, Target, exchange
from tests.client import Api, is_error

# Refused at the head -----------------------------------------------------------------------------


def head(start: str, **headers: str) -> bytes:
    fields = {"Host": "localhost"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [start, *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


#: What a body of a length that is taken, and one in chunks, begin with.
ANNOUNCED = [{"Content_Length": "60000"}, {"Transfer_Encoding": "chunked"}]


async def first_answer(api: Api, raw: bytes) -> bytes:
    """What comes back while the body is not sent."""
    parts = urlsplit(api.base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize("announced", ANNOUNCED, ids=["length", "chunks"])
async def test_send_head_that_is_wrong_is_answered_before_the_body(
    announced: dict[str, str], api: Api
) -> None:
    good = {"Authorization": f"Bearer {api.user('mia').token}", **announced}
    for target in TARGETS:
        if not target.spec.public:
            path = "/api" + target.template.replace("{", "").replace("}", "")
            for token in ({}, {"Authorization": "Bearer x"}):
                raw = head(f"{target.method} {path} HTTP/1.1", **announced, **token)
                assert (await first_answer(api, raw)).startswith(b"HTTP/1.1 401"), target
    for start, status in (
        ("POST /api/nowhere", b"404"),
        ("POST /api/mentors", b"405"),
        ("BREW /api/mentors", b"405"),
        ("POST /livez", b"405"),
        ("DELETE /api/requests", b"405"),
    ):
        for headers in (announced, good):
            answer = await first_answer(api, head(f"{start} HTTP/1.1", **headers))
            assert answer.split()[1] == status, start


async def test_send_too_large_body_is_refused_at_its_head(api: Api) -> None:
    for target in TARGETS:
        path = "/api" + target.template.replace("{", "").replace("}", "")
        length = str(target.spec.max_body + 1)
        raw = head(f"{target.method} {path} HTTP/1.1", Content_Length=length)
        assert (await first_answer(api, raw)).startswith(b"HTTP/1.1 413"), target


@pytest.mark.parametrize("announced", ["length", "chunks"])
async def test_upload_of_six_megabytes_gets_its_refusal(announced: str, api: Api) -> None:
    """By a client that reads nothing before it has sent everything."""
    user, parts = api.user("mia"), urlsplit(api.base)
    photo = b"x" * 5_900_000

    def upload(path: str, token: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        body = photo if announced == "length" else iter([photo])
        connection.request("PATCH", path, body, headers, encode_chunked=announced == "chunks")
        answer = connection.getresponse()
        assert answer.headers["Connection"] == "close"
        try:
            return answer.status, answer.read()
        finally:
            connection.close()

    for _ in range(5):
        for path in ("/api/mentor/profile-image", "/api/mentor/me"):
            status, body = await asyncio.to_thread(upload, path, user.token)
            assert (status, orjson.loads(body)["message"]) == (413, "Body is too large")
        status, _ = await asyncio.to_thread(upload, "/api/mentor/profile-image", None)
        assert status == (413 if announced == "length" else 401)
        status, _ = await asyncio.to_thread(upload, "/api/nowhere", None)
        assert status == 404


async def test_send_bad_token_with_small_body_keeps_the_connection(api: Api) -> None:
    body = b'{"topic": "x"}'
    first = head("POST /api/requests HTTP/1.1", Content_Length=str(len(body))) + body
    last = head("GET /api/mentors HTTP/1.1", Connection="close")
    answers, rest, closed = await exchange(api.base, first, first, last, pause=0.05)
    assert [one.status for one in answers] == [401, 401, 200]
    assert (rest, closed) == (b"", True)


async def test_refused_body_that_never_comes_closes_the_connection(api: Api) -> None:
    for headers in ({"Content_Length": "90000000"}, {"Transfer_Encoding": "chunked"}):
        raw = head("POST /api/requests HTTP/1.1", **headers)
        answers, rest, closed = await exchange(api.base, raw, patience=20)
        assert [one.status for one in answers] == [413 if "Content_Length" in headers else 401]
        assert (rest, closed) == (b"", True)


async def test_refused_body_without_end_is_cut(api: Api) -> None:
    raw = head("POST /api/requests HTTP/1.1", Transfer_Encoding="chunked")
    chunk = b"%x\r\n%b\r\n" % (1024 * 1024, b"x" * 1024 * 1024)
    _, _, closed = await exchange(api.base, raw, *[chunk] * 80, patience=30)
    assert closed


async def test_expecting_client_with_bad_token_is_told_not_to_send(api: Api) -> None:
    raw = head("POST /api/requests HTTP/1.1", Content_Length="90", Expect="100-continue")
    answers, rest, closed = await exchange(api.base, raw)
    assert ([one.status for one in answers], rest, closed) == ([401], b"", True)


# Ids ---------------------------------------------------------------------------------------------

#: Characters. What a path of 16 KiB of headers has room for; one that an index has no room for.
LONG_IDS = ["x" * 2700, "x" * 8000, "%C3%A9" * 1300]


@pytest.mark.parametrize("target", [one for one in TARGETS if "{" in one.template], ids=str)
async def test_call_with_very_long_id_is_never_a_fault(target: Target, api: Api) -> None:
    user = api.user("mia")
    for long_id in LONG_IDS:
        for headers in ({}, {"Idempotency-Key": "k" * 255}):
            path = re.sub(r"\{\w+\}", long_id, target.template)
            body = b"{}" if target.spec.body is not None else None
            answer = await user.request(target.method, path, body=body, headers=headers)
            wanted = 400 if target.spec.body and not target.spec.body_optional else 404
            assert answer.status == wanted, (answer, headers)
            if wanted == 400:
                assert is_error(answer, 400, "Validation failed")
