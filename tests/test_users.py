"""People: stored with their first request, renamed by their tokens, and otherwise left alone."""

from __future__ import annotations

import asyncio

from tests.client import Api, is_error

COUNT = "/requests/pending-count"


async def stored(api: Api) -> list[tuple[str, str | None, str | None, str | None]]:
    rows = await api.db.fetch("SELECT id, name, email, picture FROM users ORDER BY id")
    return [tuple(row) for row in rows]


async def test_the_first_request_stores_who_asks(api: Api) -> None:
    assert await stored(api) == []
    picture = "https://example.com/jane.png"
    jane = api.user("jane", name="Jane", email="jane@example.com", picture=picture)
    await jane.ok("GET", COUNT)
    assert await stored(api) == [("jane", "Jane", "jane@example.com", picture)]


async def test_public_requests_store_nobody(api: Api) -> None:
    await api.user("jane").get("/mentors")
    await api.nobody.get(COUNT)
    assert await stored(api) == []


async def test_a_changed_name_email_or_picture_is_kept(api: Api) -> None:
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


async def test_a_claim_that_is_left_out_takes_nothing_away(api: Api) -> None:
    await api.user("jane", name="Jane", email="jane@example.com").ok("GET", COUNT)
    await api.user("jane", name=None).ok("GET", COUNT)
    assert await stored(api) == [("jane", "Jane", "jane@example.com", None)]


async def test_an_old_name_comes_back_with_an_old_token(api: Api) -> None:
    for name in ("Jane", "Janet", "Jane"):
        await api.user("jane", name=name).ok("GET", COUNT)
        assert (await stored(api))[0][1] == name


async def test_claims_that_make_no_sense_count_as_left_out(api: Api) -> None:
    for name, picture in (
        ("a\0b", "javascript:alert(1)"),
        ("line\nbreak", "data:image/png;base64,AAAA"),
        (" ", "//example.com/x"),
        ("", "https://exa mple.com"),
    ):
        await api.user("jane", name=name, picture=picture, email="x" * 400).ok("GET", COUNT)
    assert await stored(api) == [("jane", None, None, None)]


async def test_a_long_name_is_cut_to_what_a_profile_takes(api: Api) -> None:
    user = api.user("jane", name="é" * 500)
    profile = await user.ok("PATCH", "/mentor/me", {})
    assert profile["fullName"] == "é" * 120
    await user.ok("PATCH", "/mentor/me", {"fullName": profile["fullName"]})


async def test_names_are_trimmed(api: Api) -> None:
    await api.user("jane", name="  Jane  Doe ").ok("GET", COUNT)
    assert (await stored(api))[0][1] == "Jane  Doe"


async def test_first_requests_at_once_store_one_person(api: Api) -> None:
    clients = [api.user("jane") for _ in range(20)]
    answers = await asyncio.gather(*(client.get(COUNT) for client in clients))
    assert {answer.status for answer in answers} == {200}
    assert await stored(api) == [("jane", "Jane", None, None)]


async def test_the_requests_in_between_cost_no_statement(api: Api) -> None:
    jane = api.user("jane")
    assert await jane.ok("GET", COUNT) == 0
    await api.db.execute("ALTER TABLE users RENAME TO people")
    for _ in range(3):
        assert await jane.ok("GET", COUNT) == 0
    same_claims = api.user("jane")
    assert await same_claims.ok("GET", COUNT) == 0
    # And it is the users that newcomers and new names are looked for in.
    for newcomer in (api.user("joe"), api.user("jane", name="Janet")):
        assert is_error(await newcomer.get(COUNT), 500, "Internal server error")


async def test_who_could_not_be_stored_is_stored_with_the_next_request(api: Api) -> None:
    jane = api.user("jane")
    await api.db.execute("ALTER TABLE users RENAME TO people")
    assert (await jane.get(COUNT)).status == 500
    await api.db.execute("ALTER TABLE people RENAME TO users")
    assert await jane.ok("GET", COUNT) == 0
    assert [row[0] for row in await stored(api)] == ["jane"]


async def test_a_new_name_shows_in_what_was_there_before(api: Api) -> None:
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
