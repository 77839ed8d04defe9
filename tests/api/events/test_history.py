"""Every change of a state is recorded, also one by SQL, and the two parties can read it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Api, coming, is_error
from tests.clock import Clock


def steps(changes: list[dict[str, Any]]) -> list[tuple[str | None, str, str]]:
    return [(change["from"], change["to"], change["by"]) for change in changes]


async def test_list_history_of_request_and_session_has_each_step(api: Api, clock: Clock) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    monday = coming(0, 9)
    session = await api.session(jane, mentor, monday)
    request = await jane.ok("GET", f"/requests/{session['requestId']}/history")
    assert steps(request) == [(None, "pending", "mentee"), ("pending", "accepted", "mentor")]
    assert {change["startTime"] for change in request} == {None}

    path = f"/sessions/{session['id']}"
    times = {
        "newStartTime": monday.replace(hour=11).isoformat(),
        "newEndTime": monday.replace(hour=12).isoformat(),
    }
    await mentor.ok("PUT", f"{path}/reschedule", times)
    times["newEndTime"] = monday.replace(hour=13).isoformat()
    await mentor.ok("PUT", f"{path}/reschedule", times)
    await clock.move_to(monday.replace(hour=11))
    await api.sweep()
    await clock.move(hours=3)
    await api.sweep()
    await jane.ok("POST", f"{path}/confirm-completion")
    changes = await mentor.ok("GET", f"{path}/history")
    assert steps(changes) == [
        (None, "confirmed", "mentor"),
        ("confirmed", "rescheduled", "mentor"),
        ("rescheduled", "rescheduled", "mentor"),
        ("rescheduled", "in_progress", "system"),
        ("in_progress", "pending_completion", "system"),
        ("pending_completion", "completed", "mentee"),
    ]
    assert [change["endTime"][11:16] for change in changes[:3]] == ["10:00", "12:00", "13:00"]


async def test_list_history_has_the_reasons(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    request = await api.request(jane, mentor)
    await mentor.ok("POST", f"/requests/{request['id']}/reject", {"reason": "No time"})
    changes = await jane.ok("GET", f"/requests/{request['id']}/history")
    assert [change["reason"] for change in changes] == [None, "No time"]
    session = await api.session(jane, mentor)
    await jane.ok("POST", f"/sessions/{session['id']}/cancel", {"reason": "Ill"})
    changes = await jane.ok("GET", f"/sessions/{session['id']}/history")
    assert [change["reason"] for change in changes] == [None, "Ill"]
    assert changes[-1]["by"] == "mentee"


async def test_list_history_has_changes_by_a_dba(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    await api.db.execute("UPDATE bookings SET status = 'disputed'")
    await api.db.execute("UPDATE bookings SET topic = 'Not a change of state'")
    await api.db.execute("UPDATE bookings SET status = 'completed'")
    changes = await jane.ok("GET", f"/sessions/{session['id']}/history")
    assert steps(changes)[1:] == [
        ("confirmed", "disputed", "admin"),
        ("disputed", "completed", "admin"),
    ]
    assert (
        await api.db.fetchval(
            "SELECT count(*) FROM events WHERE source = 'database' AND database_user = user"
        )
        == 2
    )


async def test_list_history_after_refused_action_has_no_entry(api: Api) -> None:
    mentor, jane, ken = await api.mentor(), api.user("jane"), api.user("ken")
    late = await api.request(ken, mentor)
    await api.session(jane, mentor)
    refused = await mentor.post(f"/requests/{late['id']}/accept")
    assert is_error(refused, 409, "Time slot is no longer available")
    changes = await ken.ok("GET", f"/requests/{late['id']}/history")
    assert steps(changes) == [(None, "pending", "mentee")]


async def test_list_history_in_pages_has_each_entry_once(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    response = await jane.get(f"/requests/{session['requestId']}/history", page=2, limit=1)
    assert steps(response.json) == [("pending", "accepted", "mentor")]
    assert response.headers["X-Total-Count"] == "2"


@pytest.mark.parametrize(
    ("path", "what"), [("/requests/{requestId}", "request"), ("/sessions/{id}", "session")]
)
async def test_list_history_as_stranger_is_refused(api: Api, path: str, what: str) -> None:
    session = await api.session(api.user("jane"), await api.mentor())
    response = await api.user("eve").get(path.format(**session) + "/history")
    assert is_error(response, 403, f"Only the mentor and the mentee can see this {what}")
    gone = await api.user("eve").get(f"/{what}s/not-an-id/history")
    assert is_error(gone, 404, f"{what.title()} not found")
