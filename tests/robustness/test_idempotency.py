"""A POST that is sent twice with one Idempotency-Key has one effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mentorapi.database import idempotency, statements
from mentorapi.jobs import idempotency_keys
from tests.client import (
    Api,
    Mentor,
    Response,
    User,
    asking,
    day_after_tomorrow,
    fields_of,
    is_error,
)
from tests.clock import Clock


@pytest.fixture(autouse=True)
def usual_wait(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let repetitions wait as long as a busy machine takes. Returns the usual seconds."""
    usual = idempotency.WAIT_SECONDS
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 50)
    return usual


def with_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def count(api: Api, table: str) -> int:
    return await api.db.fetchval(f"SELECT count(*) FROM {table}")


async def test_repeat_post_with_key_returns_the_first_response(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    first = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    again = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await count(api, "requests") == 1


async def test_repeat_post_with_quoted_key_returns_the_first_response(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.post("/requests", asking(mentor), headers=with_key("one"))
    again = await jane.post("/requests", asking(mentor), headers=with_key('"one"'))
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_repeat_each_post_with_key_returns_the_first_response(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")

    async def twice(user: User, path: str, json: object = None) -> Response:
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


async def test_repeat_key_with_another_body_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.post("/requests", asking(mentor), headers=with_key("one"))
    other = await jane.post("/requests", asking(mentor, topic="Other"), headers=with_key("one"))
    assert is_error(other, 422, "This Idempotency-Key was used with a different request body")


async def test_use_key_of_another_user_or_route_is_a_new_request(api: Api) -> None:
    mentor, jane, ken = await api.mentor(), api.user("jane"), api.user("ken")
    mine = (await jane.post("/requests", asking(mentor), headers=with_key("one"))).json
    other = (await ken.post("/requests", asking(mentor), headers=with_key("one"))).json
    assert mine["id"] != other["id"]
    rejected = await mentor.post(f"/requests/{mine['id']}/reject", headers=with_key("one"))
    accepted = await mentor.post(f"/requests/{other['id']}/accept", headers=with_key("one"))
    assert (rejected.status, accepted.status) == (200, 200)


async def test_repeat_refused_post_is_decided_anew(api: Api) -> None:
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


async def test_repeat_key_after_invalid_input_succeeds(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    wrong = await jane.post("/requests", {"topic": "x"}, headers=with_key("one"))
    assert wrong.status == 400
    right = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert right.status == 201


@pytest.mark.own_server
async def test_repeat_key_after_a_fault_succeeds(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await api.db.execute("ALTER TABLE requests RENAME TO away")
    broken = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert is_error(broken, 500, "Internal server error")
    await api.db.execute("ALTER TABLE away RENAME TO requests")
    again = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    assert (again.status, "Idempotent-Replayed" in again.headers) == (201, False)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "kéy"])
async def test_send_malformed_key_is_refused(api: Api, key: str) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    response = await jane.post("/requests", asking(mentor), headers=with_key(key))
    assert fields_of(response) == ["Idempotency-Key"]


async def test_send_key_fifty_times_at_once_has_one_effect_and_response(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    responses = await asyncio.gather(
        *(jane.post("/requests", asking(mentor), headers=with_key("one")) for _ in range(50))
    )
    assert {response.status for response in responses} == {201}
    assert len({response.body for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert await count(api, "requests") == 1


@asynccontextmanager
async def held_up(api: Api, mentor: Mentor, jane: User, key: str) -> AsyncIterator[asyncio.Task]:
    """Run a POST with this key that waits for a lock until the context ends."""
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM mentors WHERE id = $1 FOR UPDATE", mentor.id)
        first = asyncio.create_task(jane.post("/requests", asking(mentor), headers=with_key(key)))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await connection.fetchval(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield first


async def in_progress(api: Api, requests: int) -> None:
    """Wait until this many requests are in progress."""
    while api.services.metrics.requests_in_progress < requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_repeat_while_the_first_runs_waits_for_its_response(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    await jane.ok("GET", "/requests")
    async with held_up(api, mentor, jane, "one") as first:
        # More than the pool has connections: others still get their responses.
        repeated = [
            asyncio.create_task(jane.post("/requests", asking(mentor), headers=with_key("one")))
            for _ in range(30)
        ]
        await in_progress(api, 31)
        assert await jane.ok("GET", "/requests") == []
        assert not any(task.done() for task in repeated)
    made = await first
    assert made.status == 201
    for response in await asyncio.gather(*repeated):
        assert (response.status, response.body) == (201, made.body)
        assert response.headers["Location"] == made.headers["Location"]
        assert response.headers["Idempotent-Replayed"] == "true"
    assert await count(api, "requests") == 1


async def test_repeat_while_the_first_runs_too_long_is_a_conflict(
    api: Api, monkeypatch: pytest.MonkeyPatch, usual_wait: float
) -> None:
    assert usual_wait == 5
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
    mentor, jane = await api.mentor(), api.user("jane")
    async with held_up(api, mentor, jane, "one") as first:
        response = await jane.post("/requests", asking(mentor), headers=with_key("one"))
        assert is_error(
            response, 409, "A request with this Idempotency-Key is still being processed"
        )
        assert response.headers["Retry-After"] == "1"
    assert (await first).status == 201


async def test_repeat_with_another_body_while_the_first_runs_is_refused(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    async with held_up(api, mentor, jane, "one"):
        other = asyncio.create_task(
            jane.post("/requests", asking(mentor, topic="Other"), headers=with_key("one"))
        )
        await in_progress(api, 2)
    assert (await other).status == 422


async def test_repeat_after_the_first_failed_has_the_effect(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    async with held_up(api, mentor, jane, "one") as first:
        again = asyncio.create_task(jane.post("/requests", asking(mentor), headers=with_key("one")))
        await in_progress(api, 2)
        await api.db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
    assert (await first).status == 503
    response = await again
    assert (response.status, "Idempotent-Replayed" in response.headers) == (201, False)


async def test_repeat_at_another_process_waits_for_the_response(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    made = await jane.post("/requests", asking(mentor), headers=with_key("one"))
    owner = {"user_id": "jane", "route": "POST /api/requests", "key": "one"}
    lock, refused = statements.idempotency.lock, asyncio.Event()

    async def watched(db: Any, **values: Any) -> Any:
        row = await lock(db, **values)
        if not row["locked"]:
            refused.set()
        return row

    async with api.db.acquire() as connection, connection.transaction():
        # As if the other process had not committed yet.
        assert (await lock(connection, **owner))["locked"]
        monkeypatch.setattr(statements.idempotency, "lock", watched)
        again = asyncio.create_task(jane.post("/requests", asking(mentor), headers=with_key("one")))
        await refused.wait()
        assert not again.done()
    response = await again
    assert (response.body, response.headers["Idempotent-Replayed"]) == (made.body, "true")


async def test_use_key_for_another_request_is_refused(api: Api) -> None:
    mentor = await api.mentor()
    one, two = [
        await api.request(api.user(sub), mentor, day_after_tomorrow(hour))
        for sub, hour in (("jane", 9), ("ken", 11))
    ]
    key = with_key("one")
    assert (await mentor.post(f"/requests/{one['id']}/accept", headers=key)).status == 200
    other = await mentor.post(f"/requests/{two['id']}/accept", headers=key)
    assert is_error(other, 422, "This Idempotency-Key was used with a different request body")
    (kept,) = await api.db.fetch("SELECT route FROM idempotency_keys")
    assert kept["route"] == "POST /api/requests/{requestId}/accept"


async def test_send_key_with_unknown_long_path_is_not_found(api: Api) -> None:
    jane = api.user("jane")
    for length in (2700, 10_000):
        path = f"/requests/{'x' * length}/accept"
        assert is_error(
            await jane.post(path, headers=with_key("k" * 255)), 404, "Request not found"
        )
    assert await count(api, "idempotency_keys") == 0


async def test_expire_keys_deletes_them_in_batches(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency_keys, "BATCH_SIZE", 10)
    await api.user("jane").ok("GET", "/requests")
    await api.db.execute(
        """
        INSERT INTO idempotency_keys (user_id, route, key, fingerprint, status, answer, created_at)
        SELECT 'jane', 'POST /api/requests', i, '', 201, '{}', now() - i * interval '1 hour'
        FROM generate_series(1, 50) AS i
        """
    )
    (deleted,) = await statements.idempotency.expire(api.services.db, batch_size=10)
    assert deleted == 10
    await api.run_job("idempotency_keys")
    assert await count(api, "idempotency_keys") == 23


async def test_use_key_again_after_a_day_is_a_new_request(api: Api, clock: Clock) -> None:
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
    await api.run_job("idempotency_keys")
    assert await count(api, "idempotency_keys") == 0
