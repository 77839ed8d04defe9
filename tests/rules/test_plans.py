"""Each statement finds its rows through indexes, also in large tables.

The statements run as in the server, on a database with many rows (test_plans.sql). auto_explain
reports the plan of each statement, also of those within functions, triggers and foreign keys. Each
case runs twice: with generic plans, as in the server, and with custom plans, as in a DBA's session.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tornado.ioloop import IOLoop

from mentorapi import errors
from mentorapi.database import idempotency, statements
from mentorapi.database.connections import open_pool
from mentorapi.repositories import (
    account,
    availability,
    events,
    mentors,
    profile,
    requests,
    reviews,
    sessions,
)
from mentorapi.transitions import (
    COMPLETE,
    CONFIRM,
    CONFIRM_COMPLETION,
    DISPUTE,
    REQUEST,
    SESSION,
)
from tests.conftest import folder_of_all_workers
from tests.rules.test_sql_files import STATEMENTS

MUCH = Path(__file__).with_suffix(".sql").read_text()

#: Rows that a scan may read. No user has more than 11 rows of a kind.
FEW = 100

#: Tables that do not grow. All others must have many rows, or their plans say nothing.
SMALL_TABLES = {"applied_functions"}

EXPLAIN = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_format = json;
SET log_min_messages = fatal;
SET client_min_messages = log;
"""

TABLES = """
SELECT relname, reltuples FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ 'yoyo'
"""

Run = Callable[[Any], Awaitable[Any]]


RENAMED = account.Claims("New", None, None, issued_at=1)


def call(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Run:
    return lambda db: function(db, *arguments)


def refused(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Run:
    async def run(db: Any) -> None:
        with pytest.raises(errors.ApiError):
            await function(db, *arguments)

    return run


async def post_twice(db: Any) -> None:
    async def effect(_: Any) -> idempotency.StoredResponse:
        return idempotency.StoredResponse(201, None, "{}")

    attempt = idempotency.Attempt("mentee7", "POST /api/requests", "new", b"")
    for _ in range(2):
        await idempotency.run_once(db, attempt, effect)


def id_of(kind: str, number: object) -> str:
    return str(UUID(md5(f"{kind}{number}".encode()).hexdigest()))


def in_days(days: int, hour: int = 10) -> datetime:
    today = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return today + timedelta(days=days)


SKILL = md5(b"e7").hexdigest()
MENTOR_6, MENTOR_7, MENTOR_9 = (id_of("mentor", number) for number in (6, 7, 9))
REQUEST_6, SESSION_6, SESSION_7 = id_of("request", 6), id_of("session", 6), id_of("session", 7)
PAGE = 1, 10
MONDAY = in_days(7 - datetime.now(UTC).weekday())
ASKED = {"topic": "T", "scheduledDate": f"{MONDAY:%Y-%m-%d}", "scheduledTime": "10:00"}
AT_NIGHT = ASKED | {"scheduledTime": "03:00"}
TWO_WEEKS = str(in_days(0).date()), str(in_days(14).date())
# Also if the rows are made after midnight: there is one for this day and one for the day before.
OVERRIDDEN = f"{in_days(21):%Y-%m-%d}"
NEW_WINDOWS = [{"dayOfWeek": 0, "startTime": "09:00", "endTime": "10:00"}]

# "a|b": one of the two.
WINDOWS = "availability_windows_no_overlap|availability_windows_by_mentor"
OFF = "time_off_by_mentor|time_off_by_start"
CALENDAR = f"{WINDOWS} availability_overrides_pkey {OFF} bookings_no_overlap"


async def find_stale(db: Any) -> None:
    await statements.events.list_stale(db, since="900000:900009:900001,900002")


# The indexes for the meanings of a word, for the mentors who have it, and for the best of them.
FEW_FOUND = "search_vocabulary_keys search_postings_pkey mentors_number"
MANY_FOUND = "search_vocabulary_keys search_postings_pkey mentors_best_first"

#: Calls of the server, and the indexes that their plans must use.
CASES: dict[str, tuple[Run, str]] = {
    "mentors": (call(mentors.find, *PAGE), "mentors_best_first"),
    "search": (call(mentors.find, *PAGE, "best", "8f14e45f"), FEW_FOUND),
    "search with a slip": (call(mentors.find, *PAGE, "best", "8f14e54f"), FEW_FOUND),
    "search for a long word": (call(mentors.find, *PAGE, "best", "8f14e45fceea167a"), FEW_FOUND),
    "search for two words": (call(mentors.find, *PAGE, "best", "8f14e45f ceea167a"), FEW_FOUND),
    "search for a word of many": (call(mentors.find, *PAGE, "best", "headline"), MANY_FOUND),
    "search for two words of many": (
        call(mentors.find, *PAGE, "best", "headline mentor"),
        MANY_FOUND,
    ),
    "search for a letter": (
        call(mentors.find, *PAGE, "best", "%"),
        "search_vocabulary_keys search_postings_pkey",
    ),
    "mentors with an expertise": (
        call(partial(mentors.find, expertise=[SKILL], duration=60), *PAGE),
        "search_postings_pkey mentors_best_first|mentors_number",
    ),
    "mentors of a rating": (
        call(partial(mentors.find, minRating=4.9), *PAGE),
        "mentors_best_first",
    ),
    "cheapest mentors": (
        call(partial(mentors.find, maxRate=10, currency="NGN"), *PAGE, "rate"),
        "search_postings_pkey mentors_cheapest_first",
    ),
    "newest mentors": (call(mentors.find, *PAGE, "newest"), "mentors_newest_first"),
    "search with filters": (
        call(partial(mentors.find, currency="NGN"), *PAGE, "best", "8f14e45f"),
        FEW_FOUND,
    ),
    "facets": (call(mentors.count_facets, ""), "search_postings_pkey"),
    "facets of a search": (
        call(partial(mentors.count_facets, expertise=[SKILL]), "headline"),
        "search_vocabulary_keys search_postings_pkey",
    ),
    "search cleaned up": (
        call(mentors.clean_search, 50),
        "search_vocabulary_pkey search_postings_pkey",
    ),
    "mentor": (call(mentors.show, MENTOR_7), "mentors_pkey"),
    "mentors free in a week": (
        call(mentors.list_available, in_days(0), in_days(7), 20),
        "mentors_best_first mentor_starts_pkey mentor_starts_by_minute bookings_no_overlap",
    ),
    "reviews of a mentor": (
        call(reviews.list_of_mentor, MENTOR_7, *PAGE),
        "mentors_pkey reviews_by_mentor users_pkey",
    ),
    "slots": (
        call(availability.list_slots, MENTOR_7, *TWO_WEEKS),
        f"mentors_pkey {CALENDAR}",
    ),
    "slots of a mentor with limits": (
        call(availability.list_slots, MENTOR_9, *TWO_WEEKS),
        f"mentors_pkey {CALENDAR} bookings_by_mentor requests_one_pending|requests_by_mentor",
    ),
    "time explained": (
        call(availability.explain, "mentor9", in_days(1).isoformat(), 60),
        f"mentors_one_per_user {CALENDAR} bookings_by_mentor",
    ),
    "overrides": (
        call(availability.list_overrides, "mentor7", *PAGE),
        "mentors_one_per_user availability_overrides_pkey",
    ),
    "override set": (
        call(availability.set_override, "mentor7", OVERRIDDEN, NEW_WINDOWS),
        "mentors_one_per_user",
    ),
    "override deleted": (
        call(availability.delete_override, "mentor7", OVERRIDDEN),
        "mentors_one_per_user availability_overrides_pkey",
    ),
    "time off": (
        call(availability.list_time_off, "mentor7", *PAGE),
        f"mentors_one_per_user {OFF}",
    ),
    "time off taken": (
        call(
            availability.add_time_off,
            "mentor7",
            {"startsAt": in_days(0).isoformat(), "endsAt": in_days(30).isoformat()},
        ),
        "mentors_one_per_user bookings_no_overlap requests_one_pending|requests_by_mentor",
    ),
    "time off deleted": (
        call(availability.delete_time_off, "mentor7", id_of("time off", "7.0")),
        "mentors_one_per_user time_off_pkey",
    ),
    "policy": (call(availability.show_policy, "mentor7"), "mentors_one_per_user"),
    "policy set": (call(availability.set_policy, "mentor7", {}), "mentors_one_per_user"),
    "own profile": (
        call(profile.show, "mentor7"),
        f"mentors_one_per_user {WINDOWS}",
    ),
    "own profile changed": (
        call(profile.update, "mentor7", {"headline": "New", "visibility": "private"}),
        "mentors_one_per_user mentors_pkey",
    ),
    "buffer changed": (
        call(profile.update, "mentor7", {"bufferTime": 0}),
        "mentors_one_per_user mentors_pkey bookings_no_overlap",
    ),
    "dashboard": (
        call(profile.show_dashboard, "mentor7"),
        "mentors_one_per_user bookings_by_mentor requests_one_pending",
    ),
    "reviews received": (
        call(reviews.list_own, "mentor7", "mentor", *PAGE),
        "mentors_one_per_user reviews_by_mentor users_pkey",
    ),
    "reviews given": (
        call(reviews.list_own, "mentor7", "mentee", *PAGE),
        "reviews_by_mentee",
    ),
    "availability": (
        call(availability.show, "mentor7"),
        f"mentors_one_per_user {WINDOWS}",
    ),
    "availability replaced": (
        call(availability.replace, "mentor7", NEW_WINDOWS, {"sessionDuration": 30}),
        f"mentors_one_per_user mentors_pkey {WINDOWS}",
    ),
    "window deleted": (
        call(availability.delete_window, "mentor7", id_of("window", "1.7")),
        "mentors_one_per_user availability_windows_pkey",
    ),
    "request made": (
        call(requests.create, "mentee900", MENTOR_7, ASKED),
        f"mentors_pkey users_pkey requests_one_pending {CALENDAR}",
    ),
    "request not made": (
        refused(requests.create, "mentee900", MENTOR_7, AT_NIGHT),
        "mentors_pkey requests_one_pending",
    ),
    "request": (
        call(requests.show, REQUEST_6, "mentor6"),
        "requests_pkey mentors_pkey users_pkey",
    ),
    "history of a request": (
        call(events.list_changes, REQUEST, REQUEST_6, "mentor6", *PAGE),
        "requests_pkey events_by_object",
    ),
    "request accepted": (
        call(requests.accept, REQUEST_6, "mentor6"),
        "requests_pkey mentors_pkey users_pkey bookings_no_overlap bookings_pkey",
    ),
    "request rejected": (
        call(requests.reject, REQUEST_6, "mentor6", None),
        "requests_pkey mentors_pkey users_pkey",
    ),
    "request cancelled": (
        call(requests.cancel, REQUEST_6, "mentee6"),
        "requests_pkey mentors_pkey users_pkey",
    ),
    "request not cancelled": (
        refused(requests.cancel, REQUEST_6, "mentor6"),
        "requests_pkey mentors_pkey",
    ),
    "requests waiting": (
        call(requests.count_pending, "mentor6"),
        "mentors_one_per_user requests_one_pending",
    ),
    "requests to a mentor": (
        call(requests.list_active, "mentee6", MENTOR_6, *PAGE),
        "requests_by_mentee bookings_pkey mentors_pkey users_pkey",
    ),
    "session": (
        call(sessions.show, SESSION_7, "mentor7"),
        "bookings_pkey mentors_pkey users_pkey reviews_one_per_booking",
    ),
    "session for a calendar": (
        call(sessions.show_calendar_entry, SESSION_7, "mentor7"),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "history of a session": (
        call(events.list_changes, SESSION, SESSION_7, "mentor7", *PAGE),
        "bookings_pkey events_by_object",
    ),
    "session confirmed": (
        call(sessions.move, SESSION_6, "mentor6", CONFIRM),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "session moved": (
        call(sessions.reschedule, SESSION_7, "mentor7", in_days(40), in_days(40, hour=11)),
        "bookings_pkey mentors_pkey users_pkey bookings_no_overlap",
    ),
    "session not moved": (
        refused(sessions.reschedule, SESSION_7, "mentor7", in_days(-2), in_days(-2, hour=11)),
        "bookings_pkey",
    ),
    "session cancelled": (
        call(sessions.cancel, SESSION_7, "mentor7", "Ill"),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "session complete": (
        call(sessions.move, id_of("session", 3008), "mentor8", COMPLETE),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "session settled": (
        call(sessions.move, id_of("session", 3007), "mentee8", CONFIRM_COMPLETION),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "session disputed": (
        call(sessions.move, id_of("session", 3007), "mentee8", DISPUTE),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "session not disputed": (
        refused(sessions.move, id_of("session", 3007), "mentor7", DISPUTE),
        "bookings_pkey mentors_pkey",
    ),
    "session reviewed": (
        call(reviews.create, id_of("session", 27007), "mentee16", 5, None),
        "bookings_pkey mentors_pkey users_pkey",
    ),
    "events in order": (call(events.follow, "0-900000", 50), "events_pkey"),
    "stale responses": (find_stale, "events_pkey"),
    "events deleted": (call(statements.events.expire.in_batches, 50), "events_by_age events_pkey"),
    "requests expired": (
        call(statements.requests.expire.in_batches, 100),
        "requests_pending_by_start requests_pkey",
    ),
    "sweep": (
        call(statements.sessions.sweep.in_batches, 100),
        "bookings_live_by_start bookings_pkey mentors_pkey",
    ),
    "lag of the sweep": (
        call(sessions.measure_lag),
        "bookings_live_by_start requests_pending_by_start",
    ),
    "user renamed": (call(account.remember, "mentee7", RENAMED), "reviews_by_mentee"),
    "repeated request": (post_twice, "idempotency_keys_pkey"),
    "keys expired": (
        call(statements.idempotency.expire.in_batches, 1000),
        "idempotency_keys_by_age",
    ),
}
for role, index in {
    "sent": "requests_by_mentee",
    "received": "requests_by_mentor|requests_one_pending",
    None: "requests_by_mentee requests_by_mentor|requests_one_pending",
}.items():
    for status in (None, "pending"):
        CASES[f"requests, {role}, {status}"] = (
            call(requests.list_own, "mentor7", *PAGE, role, status),
            f"{index} mentors_pkey",
        )
for role, index in {
    "mentee": "bookings_by_mentee",
    "mentor": "bookings_by_mentor",
    None: "bookings_by_mentee bookings_by_mentor",
}.items():
    for status in (None, "completed"):
        for when in ("upcoming", "past", None):
            CASES[f"sessions, {role}, {status}, {when}"] = (
                call(
                    sessions.list_own,
                    "mentor7",
                    *PAGE,
                    when == "upcoming",
                    when == "past",
                    role,
                    status,
                ),
                f"{index} mentors_pkey",
            )


#: The first reads the index of the list down to a rating, the second the first 400 mentors.
READS_MANY = {"mentors of a rating", "mentors free in a week"}


@dataclass
class Work:
    """The statements and scans of one case."""

    statements: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    read_through: set[str] = field(default_factory=set)
    long_scans: list[str] = field(default_factory=list)
    error: str = ""

    def add(self, message: asyncpg.PostgresLogMessage) -> None:
        _, found, plan = message.message.partition("plan:\n")
        # A query of asyncpg for types that it does not know yet.
        if found and "typeinfo_tree" not in plan:
            explained = json.loads(plan)
            name = re.match(r"-- (\w+(\.\w+)?)", explained["Query Text"])
            if name:
                self.statements.add(name[1])
            self._add_node(explained["Plan"])

    def _add_node(self, node: dict[str, Any]) -> None:
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan":
            self.read_through.add(node["Relation Name"])
        if "Index Name" in node or "Relation Name" in node:
            removed = (node.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Index Recheck"))
            rows = (node["Actual Rows"] + sum(removed)) * node["Actual Loops"]
            if rows > FEW:
                where = node.get("Index Name") or node["Relation Name"]
                self.long_scans.append(f"{rows:.0f} rows of {where}")
        for child in node.get("Plans", []):
            self._add_node(child)


@dataclass
class Records:
    work: dict[tuple[str, str], Work]
    rows: dict[str, float]
    #: For two statements that ran ten times: the number of generic and of custom plans.
    planned: list[tuple[int, int]]


@pytest.fixture(scope="module")
def records(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, io_loop: IOLoop
) -> Records:
    """The work of all cases, recorded once for all workers: it takes 13 s."""
    with folder_of_all_workers(tmp_path_factory, "plans") as folder:
        kept = folder / "records"
        if not folder.exists():
            database_url = request.getfixturevalue("shared_database_url")
            made = io_loop.run_sync(lambda: record(database_url))
            folder.mkdir()
            kept.write_bytes(pickle.dumps(made))
        records: Records = pickle.loads(kept.read_bytes())
    return records


MODES = ("force_custom_plan", "force_generic_plan")


async def record(database_url: str) -> Records:
    pool = await open_pool(database_url, 1)
    async with statements.connection(pool) as connection:
        await connection.execute(MUCH)
        await connection.execute("VACUUM ANALYZE")
        rows = dict(await connection.fetch(TABLES))
        await connection.execute(EXPLAIN)
        work = {}
        for mode in MODES:
            await connection.execute(f"SET plan_cache_mode = {mode}")
            for case, (run, _) in CASES.items():
                work[mode, case] = await work_for(run, connection)
    await pool.close()
    return Records(work, rows, await plan_ten_times(database_url))


async def plan_ten_times(database_url: str) -> list[tuple[int, int]]:
    pool = await open_pool(database_url, 1)
    async with statements.connection(pool) as connection:
        for _ in range(10):
            await mentors.find(connection, *PAGE)
            await availability.list_slots(connection, MENTOR_7, *TWO_WEEKS)
        planned = await connection.fetch(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement ~ '^-- (mentors|availability)'"
        )
    await pool.close()
    return [tuple(each) for each in planned]


async def work_for(run: Run, connection: Any) -> Work:
    work = Work()

    def listen(_: object, message: asyncpg.PostgresLogMessage) -> None:
        work.add(message)

    transaction = connection.transaction()
    await transaction.start()
    connection.add_log_listener(listen)
    try:
        await run(connection)
        # PostgreSQL reports a plan with the next statement, asyncpg in the next round of the loop.
        await connection.execute("SELECT")
        await asyncio.sleep(0)
    except Exception as error:
        work.error = repr(error)
    finally:
        connection.remove_log_listener(listen)
        await transaction.rollback()
    return work


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_run_statement_on_many_rows_uses_indexes(records: Records, case: str, mode: str) -> None:
    work = records.work[mode, case]
    assert not work.error
    _, indexes = CASES[case]
    assert work.read_through <= SMALL_TABLES
    missing = [name for name in indexes.split() if not work.indexes & set(name.split("|"))]
    assert not missing
    assert case in READS_MANY or not work.long_scans


def test_compare_cases_with_files_finds_every_statement(records: Records) -> None:
    seen = set().union(*(work.statements for work in records.work.values()))
    # The statements of "database" read system tables only.
    expected = {one.name for one in STATEMENTS if not one.name.startswith("database.")}
    assert expected <= seen


def test_count_rows_of_each_table_finds_thousands(records: Records) -> None:
    assert {name for name, rows in records.rows.items() if rows < 3000} == SMALL_TABLES


def test_run_statement_ten_times_plans_it_once(records: Records) -> None:
    assert records.planned == [(10, 0), (10, 0)]
