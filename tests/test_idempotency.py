"""A POST that is sent twice with one Idempotency-Key has one effect."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Answer, Api, User, asking, day_after_tomorrow, fields_of, is_error
from tests.clock import Clock


def with_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def count(api: Api, table: str) -> int:
    return await api.db.fetchval(f"SELECT count(*) FROM {table}")


async def test_the_second_time_is_answered_like_the_first(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    first = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    again = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await count(api, "requests") == 1


async def test_a_quoted_key_is_the_same_key(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.post("/requests", asking(mentor), headers=with_key("one"))
    again = await jane.post("/requests", asking(mentor), headers=with_key('"one"'))
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_every_kind_of_post_can_be_repeated(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")

    async def twice(user: User, path: str, json: object = None) -> Answer:
        first = await user.post(path, json, headers=with_key("k"))
        again = await user.post(path, json, headers=with_key("k"))
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (again.status, again.json) == (first.status, first.json)
        return first

    request = (await twice(jane, "/requests", asking(mentor))).json
    booking = (await twice(mentor, f"/requests/{request['id']}/accept")).json["booking"]
    await api.make_past(booking["id"])
    path = f"/sessions/{booking['id']}"
    await twice(mentor, f"{path}/complete")
    await twice(jane, f"{path}/confirm-completion")
    assert (await twice(jane, f"{path}/review", {"rating": 4})).status == 201
    assert (await mentor.ok("GET", "/mentor/dashboard"))["totalSessions"] == 1


async def test_another_body_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.post("/requests", asking(mentor), headers=with_key("one"))
    other = await jane.post("/requests", asking(mentor, topic="Other"), headers=with_key("one"))
    assert is_error(other, 422, "This Idempotency-Key was used with a different request body")


async def test_a_key_belongs_to_its_user_and_its_route(api: Api) -> None:
    mentor, jane, ken = await api.mentor(), api.user("jane"), api.user("ken")
    mine = (await jane.post("/requests", asking(mentor), headers=with_key("one"))).json
    other = (await ken.post("/requests", asking(mentor), headers=with_key("one"))).json
    assert mine["id"] != other["id"]
    rejected = await mentor.post(f"/requests/{mine['id']}/reject", headers=with_key("one"))
    accepted = await mentor.post(f"/requests/{other['id']}/accept", headers=with_key("one"))
    assert (rejected.status, accepted.status) == (200, 200)


async def test_a_repetition_of_a_refused_post_is_decided_anew(api: Api) -> None:
    mentor, jane, ken = await api.mentor(), api.user("jane"), api.user("ken")
    at = day_after_tomorrow()
    late = await api.request(ken, mentor, at)
    session = await api.session(jane, mentor, at)
    path = f"/requests/{late['id']}/accept"
    first = await mentor.post(path, headers=with_key("one"))
    assert is_error(first, 409, "Time slot is no longer available")
    await mentor.post(f"/sessions/{session['id']}/cancel")
    assert await count(api, "idempotency_keys") == 0
    again = await mentor.post(path, headers=with_key("one"))
    assert (again.status, "Idempotent-Replayed" in again.headers) == (200, False)


async def test_invalid_input_does_not_use_up_the_key(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    wrong = await jane.post("/requests", {"topic": "x"}, headers=with_key("one"))
    assert wrong.status == 400
    right = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert right.status == 201


async def test_a_fault_does_not_use_up_the_key(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await api.db.execute("ALTER TABLE requests RENAME TO away")
    broken = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert is_error(broken, 500, "Internal server error")
    await api.db.execute("ALTER TABLE away RENAME TO requests")
    again = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert (again.status, "Idempotent-Replayed" in again.headers) == (201, False)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "kéy"])
async def test_an_unusable_key_is_refused(api: Api, key: str) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    answer = await jane.post("/requests", asking(mentor), headers=with_key(key))
    assert fields_of(answer) == ["Idempotency-Key"]


async def test_of_fifty_at_once_one_has_an_effect(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    answers = await asyncio.gather(
        *(jane.post("/requests", asking(mentor), headers=with_key("one")) for _ in range(50))
    )
    made = [answer for answer in answers if answer.status == 201]
    busy = [answer for answer in answers if answer.status == 409]
    assert len(made) + len(busy) == 50
    assert len({answer.json["id"] for answer in made}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in made) == 1
    for answer in busy:
        assert is_error(answer, 409, "A request with this Idempotency-Key is still being processed")
        assert answer.headers["Retry-After"] == "1"
    assert await count(api, "requests") == 1


async def test_a_key_can_be_used_again_after_a_day(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    at = day_after_tomorrow()
    first = await jane.post("/requests", asking(mentor, at), headers=with_key("one"))
    await jane.patch(f"/requests/{first.json['id']}/cancel")
    await clock.move(hours=23)
    kept = await jane.post("/requests", asking(mentor, at), headers=with_key("one"))
    assert kept.json["id"] == first.json["id"]
    await clock.move(hours=1, minutes=1)
    fresh = await jane.post("/requests", asking(mentor, at), headers=with_key("one"))
    assert (fresh.status, fresh.json["id"] == first.json["id"]) == (201, False)
    john = api.user("john")
    made = await john.post("/requests", asking(mentor, at), headers=with_key("two"))
    again = await john.post("/requests", asking(mentor, at), headers=with_key("two"))
    assert (again.status, again.json["id"]) == (201, made.json["id"])
    await clock.move(hours=25)
    await api.sweep()
    assert await count(api, "idempotency_keys") == 0
