"""Users are stored with their first request, and updated by newer tokens only."""

from __future__ import annotations

import asyncio
from io import BytesIO

import jwt
import pytest
from PIL import Image

from tests.client import ALWAYS, SECRET, Api, User, asking, is_error

COUNT = "/requests/pending-count"


def picture() -> bytes:
    """Return a form with a small image."""
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="me"\r\n\r\n'
    return head + out.getvalue() + b"\r\n--edge--\r\n"


PICTURE = picture()


async def stored(api: Api) -> list[tuple[str, str | None, str | None, str | None]]:
    rows = await api.db.fetch("SELECT id, name, email, picture FROM users ORDER BY id")
    return [tuple(row) for row in rows]


async def test_send_first_request_stores_the_user(api: Api) -> None:
    assert await stored(api) == []
    picture = "https://example.com/jane.png"
    jane = api.user("jane", name="Jane", email="jane@example.com", picture=picture)
    await jane.ok("GET", COUNT)
    assert await stored(api) == [("jane", "Jane", "jane@example.com", picture)]


async def test_send_public_request_stores_no_user(api: Api) -> None:
    await api.user("jane").get("/mentors")
    await api.nobody.get(COUNT)
    assert await stored(api) == []


async def test_send_changed_claims_stores_them(api: Api) -> None:
    picture = "https://example.com/1.png"
    await api.user("jane", name="Jane", email="j@example.com", picture=picture).ok("GET", COUNT)
    for name, value in {
        "name": "Jane Doe",
        "email": "doe@example.com",
        "picture": "https://example.com/2.png",
    }.items():
        await api.user("jane", **{"name": None, name: value}).ok("GET", COUNT)
    expected = ("jane", "Jane Doe", "doe@example.com", "https://example.com/2.png")
    assert await stored(api) == [expected]


async def test_send_token_without_a_claim_keeps_the_stored_one(api: Api) -> None:
    await api.user("jane", name="Jane", email="jane@example.com").ok("GET", COUNT)
    await api.user("jane", name=None).ok("GET", COUNT)
    assert await stored(api) == [("jane", "Jane", "jane@example.com", None)]


def issued(api: Api, iat: int | None, **claims: object) -> User:
    """Return Jane with a token that has this ``iat``, or none."""
    user = api.user("jane", **claims)
    payload = jwt.decode(user.token, SECRET, algorithms=["HS256"], options={"verify_iat": False})
    del payload["iat"]
    user.token = jwt.encode(payload | ({} if iat is None else {"iat": iat}), SECRET)
    return user


async def test_send_older_token_keeps_name_and_picture(api: Api) -> None:
    old, new = "https://example.com/old.png", "https://example.com/new.png"
    older = issued(api, 1000, name="Old", picture=old)
    await older.ok("GET", COUNT)
    await issued(api, 2000, name="New", picture=new).ok("GET", COUNT)
    await older.ok("GET", COUNT)
    assert await stored(api) == [("jane", "New", None, new)]
    # The same when nothing is remembered of the user.
    api.services.cache.clear()
    await older.ok("GET", COUNT)
    await older.ok("GET", COUNT)
    assert await stored(api) == [("jane", "New", None, new)]
    await issued(api, 3000, name="Newest").ok("GET", COUNT)
    assert await stored(api) == [("jane", "Newest", None, new)]


async def test_send_token_without_iat_counts_as_oldest(api: Api) -> None:
    for name in ("Jane", "Janet"):
        await issued(api, None, name=name).ok("GET", COUNT)
        assert (await stored(api))[0][1] == name
    await issued(api, 1000, name="Jo").ok("GET", COUNT)
    for iat in (None, -5, 10**-3):
        await issued(api, iat, name="Janet").ok("GET", COUNT)
    assert (await stored(api))[0][1] == "Jo"


@pytest.mark.parametrize("iats", [(1000, 2000, 3000), (None, None, None)])
async def test_send_old_name_after_a_change_elsewhere_stores_it(
    api: Api, other: Api, iats: tuple[int | None, ...]
) -> None:
    first, second, third = iats
    await issued(api, first, name="Jane").ok("GET", COUNT)
    await issued(other, second, name="Janet").ok("GET", COUNT)
    # The other server notifies this one after its response.
    await api.services.listener.wait_until_current()
    await issued(api, third, name="Jane").ok("GET", COUNT)
    await other.services.listener.wait_until_current()
    assert (await stored(api))[0][1] == "Jane"
    await issued(other, third, name="Janet").ok("GET", COUNT)
    assert (await stored(api))[0][1] == "Janet"
    await api.db.execute("DELETE FROM users")
    await issued(api, first, name="Jane").ok("GET", COUNT)
    await other.services.listener.wait_until_current()
    await issued(other, third, name="Janet").ok("GET", COUNT)
    assert (await stored(api))[0][1] == "Janet"


@pytest.mark.own_server
async def test_send_older_token_costs_no_statement(api: Api) -> None:
    older, newer = issued(api, 1000, name="Old"), issued(api, 2000, name="New")
    await older.ok("GET", COUNT)
    await newer.ok("GET", COUNT)
    await api.db.execute("ALTER TABLE users RENAME TO people")
    for user in (older, newer, issued(api, 3000, name="New"), issued(api, 3000, name=None)):
        assert await user.ok("GET", COUNT) == 0


#: Every write of a user without a mentor profile.
WRITES = {
    "update profile": lambda user, mentor: user.patch("/mentor/me", {"bio": "x"}),
    "set availability": lambda user, mentor: user.put("/mentor/availability", {"slots": ALWAYS}),
    "ask": lambda user, mentor: user.post("/requests", asking(mentor)),
    "ask with a key": lambda user, mentor: user.post(
        "/requests", asking(mentor), headers={"Idempotency-Key": "one"}
    ),
    "upload": lambda user, mentor: user.patch(
        "/mentor/profile-image",
        body=PICTURE,
        headers={"Content-Type": "multipart/form-data; boundary=edge"},
    ),
}


@pytest.mark.parametrize("write", WRITES)
async def test_delete_user_in_database_stores_it_again(api: Api, write: str) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.ok("GET", COUNT)
    # As after a restore from a backup without her: no trigger tells of it.
    async with api.db.acquire() as dba, dba.transaction():
        await dba.execute("SET LOCAL session_replication_role = replica")
        await dba.execute("DELETE FROM users WHERE id = 'jane'")
    response = await WRITES[write](jane, mentor)
    assert response.status in (200, 201), response
    assert ("jane", "Jane", None, None) in await stored(api)
    if "key" in write:
        again = await WRITES[write](jane, mentor)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (response.body, "true")


async def test_send_old_name_with_newer_token_stores_it(api: Api) -> None:
    for name in ("Jane", "Janet", "Jane"):
        await api.user("jane", name=name).ok("GET", COUNT)
        assert (await stored(api))[0][1] == name


async def test_send_malformed_claims_ignores_them(api: Api) -> None:
    for name, picture in (
        ("a\0b", "javascript:alert(1)"),
        ("line\nbreak", "data:image/png;base64,AAAA"),
        (" ", "//example.com/x"),
        ("", "https://exa mple.com"),
    ):
        await api.user("jane", name=name, picture=picture, email="x" * 400).ok("GET", COUNT)
    assert await stored(api) == [("jane", None, None, None)]


async def test_send_long_name_shortens_it(api: Api) -> None:
    user = api.user("jane", name="é" * 500)
    profile = await user.ok("PATCH", "/mentor/me", {})
    assert profile["fullName"] == "é" * 120
    await user.ok("PATCH", "/mentor/me", {"fullName": profile["fullName"]})


async def test_send_name_with_spaces_trims_it(api: Api) -> None:
    await api.user("jane", name="  Jane  Doe ").ok("GET", COUNT)
    assert (await stored(api))[0][1] == "Jane  Doe"


async def test_send_first_requests_at_once_stores_one_user(api: Api) -> None:
    clients = [api.user("jane") for _ in range(20)]
    responses = await asyncio.gather(*(client.get(COUNT) for client in clients))
    assert {response.status for response in responses} == {200}
    assert await stored(api) == [("jane", "Jane", None, None)]


@pytest.mark.own_server
async def test_send_known_token_costs_no_statement(api: Api) -> None:
    jane = api.user("jane")
    assert await jane.ok("GET", COUNT) == 0
    await api.db.execute("ALTER TABLE users RENAME TO people")
    for _ in range(3):
        assert await jane.ok("GET", COUNT) == 0
    same_claims = api.user("jane")
    assert await same_claims.ok("GET", COUNT) == 0
    # New users and new names do need the table.
    for newcomer in (api.user("joe"), api.user("jane", name="Janet")):
        assert is_error(await newcomer.get(COUNT), 500, "Internal server error")


@pytest.mark.own_server
async def test_fail_to_store_user_stores_it_with_the_next_request(api: Api) -> None:
    jane = api.user("jane")
    await api.db.execute("ALTER TABLE users RENAME TO people")
    assert (await jane.get(COUNT)).status == 500
    await api.db.execute("ALTER TABLE people RENAME TO users")
    assert await jane.ok("GET", COUNT) == 0
    assert [row[0] for row in await stored(api)] == ["jane"]


async def test_send_new_name_shows_it_in_older_sessions(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane", name="Jane")
    request = await api.request(jane, mentor)
    assert request["mentee"]["name"] == "Jane"
    renamed = api.user("jane", name="Jane Doe", picture="https://example.com/j.png")
    found = await renamed.ok("GET", f"/requests/{request['id']}")
    assert found["mentee"] == {
        "id": "jane",
        "name": "Jane Doe",
        "avatar": "https://example.com/j.png",
    }
