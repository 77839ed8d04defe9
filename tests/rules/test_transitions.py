"""The transitions are those of the guide, and the states in the SQL are those of the transitions.

The behaviour of the server is asserted in tests/api/requests and tests/api/sessions.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mentorapi import errors, openapi
from mentorapi.transitions import (
    ACCEPT,
    CANCEL_REQUEST,
    CANCEL_SESSION,
    EXPIRE,
    REJECT,
    REQUEST,
    RESCHEDULE,
    REVIEW,
    SESSION,
    TRANSITIONS,
)

SQL = Path(__file__).resolve().parents[2] / "sql"

#: The guide's "Next Actions" by status. The system ends requests and changes sessions as well.
REQUEST_ACTIONS = {
    "pending": {("mentor", "accept"), ("mentor", "reject"), ("mentee", "cancel")}
    | {("system", "expire")},
    "accepted": set(),
    "rejected": set(),
    "cancelled": set(),
}
CANCEL = {("mentor", "cancel"), ("mentee", "cancel")}
UNDER_WAY = {("mentor", "complete"), ("system", "end")}
AGREED = {("mentor", "reschedule"), ("system", "start"), *CANCEL, *UNDER_WAY}
SESSION_ACTIONS = {
    "pending": {("mentor", "confirm"), *CANCEL},
    "confirmed": AGREED,
    "rescheduled": AGREED,
    "in_progress": UNDER_WAY,
    "pending_completion": {("mentee", "confirm-completion"), ("mentee", "dispute")},
    "completed": {("mentee", "review")},
    "disputed": set(),
    "cancelled": set(),
}

#: The guide's "Specific Errors", and those of the contract, by action.
ERRORS = {
    ("request", "accept"): {
        (403, "Only the mentor can accept this request"),
        (409, "Only pending requests can be accepted"),
        (409, "Time slot is no longer available"),
    },
    ("request", "reject"): {
        (403, "Only the mentor can reject this request"),
        (409, "Only pending requests can be rejected"),
    },
    ("request", "cancel"): {
        (403, "Only the mentee can cancel this request"),
        (409, "Only pending requests can be cancelled"),
    },
    ("session", "confirm"): {
        (403, "Only the mentor can confirm this session"),
        (409, "Only pending sessions can be confirmed"),
    },
    ("session", "reschedule"): {
        (403, "Only the mentor can reschedule this session"),
        (409, "Only confirmed or rescheduled sessions can be rescheduled"),
        (409, "Time slot is no longer available"),
    },
    ("session", "cancel"): {
        (403, "Only the mentor or the mentee can cancel this session"),
        (409, "Only pending, confirmed or rescheduled sessions can be cancelled"),
        (409, "Too late to cancel"),
    },
    ("session", "complete"): {
        (403, "Only the mentor can complete this session"),
        (400, "Only confirmed, rescheduled, or in-progress bookings can be completed"),
        (400, "Cannot complete a session before it ends"),
    },
    ("session", "confirm-completion"): {
        (403, "Only the mentee can confirm session completion"),
        (400, "Only sessions pending completion can be confirmed"),
    },
    ("session", "dispute"): {
        (403, "Only the mentee can dispute a session"),
        (400, "Only sessions pending completion can be disputed"),
    },
    ("session", "review"): {
        (403, "Only the mentee can review this session"),
        (400, "Can only review completed sessions"),
        (409, "You have already reviewed this session"),
    },
}

BY_CLIENTS = [one for one in TRANSITIONS if one.by != ("system",)]


@pytest.mark.parametrize(
    ("resource", "expected"), [(REQUEST, REQUEST_ACTIONS), (SESSION, SESSION_ACTIONS)]
)
def test_compare_transitions_with_states_of_the_guide(
    resource: object, expected: dict[str, set[tuple[str, str]]]
) -> None:
    found = {
        state: {
            (party, one.action)
            for one in TRANSITIONS
            if one.resource is resource and state in one.states
            for party in one.by
        }
        for state in expected
    }
    assert found == expected


def test_follow_transitions_leads_to_known_states() -> None:
    for one in TRANSITIONS:
        assert {one.to, *one.states} <= one.resource.states.keys()


def test_compare_refusals_with_the_errors_of_the_guide() -> None:
    found = {
        (one.resource.name, one.action): {(error.status, error.message) for error in one.errors[1:]}
        for one in BY_CLIENTS
    }
    assert found == ERRORS
    assert {one.errors[0] for one in BY_CLIENTS} == {errors.RequestNotFound, errors.SessionNotFound}


def test_compare_transitions_with_openapi_finds_each() -> None:
    schemas = openapi.document()["components"]["schemas"]
    for name, resource in (("RequestStatus", REQUEST), ("SessionStatus", SESSION)):
        assert schemas[name]["enum"] == list(resource.states)
        for one in TRANSITIONS:
            if one.resource is resource:
                assert one.action in schemas[name]["description"]


#: Statements that name states themselves. ``sessions.move`` gets them from the table.
STATEMENTS = {
    "requests/accept": ACCEPT,
    "requests/reject": REJECT,
    "requests/cancel": CANCEL_REQUEST,
    "requests/expire": EXPIRE,
    "sessions/cancel": CANCEL_SESSION,
    "sessions/reschedule": RESCHEDULE,
    "reviews/create": REVIEW,
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_read_statement_finds_the_states_of_its_transition(name: str) -> None:
    text = (SQL / f"{name}.sql").read_text()
    conditions = re.findall(r"\.status (?:=|IN) ([^\n]+)", text)
    assert set(re.findall(r"'(\w+)'", " ".join(conditions))) == set(STATEMENTS[name].states)
    assert set(re.findall(r"(?<!\.)\bstatus = '(\w+)'", text)) <= {STATEMENTS[name].to}
