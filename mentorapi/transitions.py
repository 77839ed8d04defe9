"""State machines of requests and sessions: who may do what, in which states, and the refusals.

Handlers, repositories and the OpenAPI document read this table. A test compares it with the API
guide and with what the database does.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mentorapi import errors

Error: TypeAlias = type[errors.ApiError]
Party: TypeAlias = Literal["mentor", "mentee", "system"]


@dataclass(frozen=True)
class Resource:
    """``states`` maps each state to what it means. ``not_party`` refuses to show the resource."""

    name: str
    not_found: Error
    not_party: Error
    states: dict[str, str]

    @property
    def read_errors(self) -> tuple[Error, ...]:
        return self.not_found, self.not_party


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One action. ``by`` lists the parties that may do it, ``states`` the states it starts from.

    ``when`` limits its time: before the start or after the end of the session. ``wrong_time`` is
    the error at any other time; if it is None, that is ``wrong_state``. ``too_late`` tells the
    mentee that the mentor's policy forbids it so shortly before the start. ``conflict`` is the
    error of the constraint that may refuse it. The actions of the system have no errors.
    """

    resource: Resource
    action: str
    by: tuple[Party, ...]
    states: tuple[str, ...]
    to: str
    when: Literal["any_time", "before_start", "after_end"] = "any_time"
    wrong_party: Error = errors.ApiError
    wrong_state: Error = errors.ApiError
    wrong_time: Error | None = None
    too_late: Error | None = None
    conflict: Error | None = None

    @property
    def errors(self) -> tuple[Error, ...]:
        """The errors that a client can get, in the order of the checks."""
        found = (
            self.resource.not_found,
            self.wrong_party,
            self.wrong_state,
            self.wrong_time,
            self.too_late,
            self.conflict,
        )
        return tuple(dict.fromkeys(error for error in found if error is not None))


REQUEST = Resource(
    "request",
    errors.RequestNotFound,
    errors.NotPartyToRequest,
    {
        "pending": "waits for the mentor's answer",
        "accepted": "it has a session",
        "rejected": "the mentor rejected it, or its time came without an answer",
        "cancelled": "the mentee cancelled it",
    },
)

ACCEPT = Transition(
    resource=REQUEST,
    action="accept",
    by=("mentor",),
    states=("pending",),
    to="accepted",
    when="before_start",
    wrong_party=errors.OnlyMentorAccepts,
    wrong_state=errors.NotAcceptable,
    wrong_time=errors.SlotTaken,
    conflict=errors.SlotTaken,
)
REJECT = Transition(
    resource=REQUEST,
    action="reject",
    by=("mentor",),
    states=("pending",),
    to="rejected",
    when="before_start",
    wrong_party=errors.OnlyMentorRejects,
    wrong_state=errors.NotRejectable,
)
CANCEL_REQUEST = Transition(
    resource=REQUEST,
    action="cancel",
    by=("mentee",),
    states=("pending",),
    to="cancelled",
    when="before_start",
    wrong_party=errors.OnlyMenteeCancelsRequest,
    wrong_state=errors.RequestNotCancellable,
)
#: What ``PATCH /requests/:id`` can do.
ANSWERS = (ACCEPT, REJECT, CANCEL_REQUEST)
EXPIRE = Transition(
    resource=REQUEST, action="expire", by=("system",), states=("pending",), to="rejected"
)

SESSION = Resource(
    "session",
    errors.SessionNotFound,
    errors.NotPartyToSession,
    {
        "pending": "created in the database, waits for the mentor's confirmation",
        "confirmed": "agreed",
        "rescheduled": "moved to a new time by the mentor",
        "in_progress": "it has started",
        "pending_completion": "it has ended and waits for the mentee's confirmation",
        "completed": "the mentee confirmed that it took place",
        "disputed": "the mentee disputes that it took place",
        "cancelled": "the mentor or the mentee cancelled it",
    },
)

CONFIRM = Transition(
    resource=SESSION,
    action="confirm",
    by=("mentor",),
    states=("pending",),
    to="confirmed",
    wrong_party=errors.OnlyMentorConfirms,
    wrong_state=errors.NotConfirmable,
)
RESCHEDULE = Transition(
    resource=SESSION,
    action="reschedule",
    by=("mentor",),
    states=("confirmed", "rescheduled"),
    to="rescheduled",
    when="before_start",
    wrong_party=errors.OnlyMentorReschedules,
    wrong_state=errors.NotReschedulable,
    conflict=errors.SlotTaken,
)
CANCEL_SESSION = Transition(
    resource=SESSION,
    action="cancel",
    by=("mentor", "mentee"),
    states=("pending", "confirmed", "rescheduled"),
    to="cancelled",
    when="before_start",
    wrong_party=errors.OnlyPartiesCancelSession,
    wrong_state=errors.SessionNotCancellable,
    too_late=errors.TooLateToCancel,
)
COMPLETE = Transition(
    resource=SESSION,
    action="complete",
    by=("mentor",),
    states=("confirmed", "rescheduled", "in_progress"),
    to="pending_completion",
    when="after_end",
    wrong_party=errors.OnlyMentorCompletes,
    wrong_state=errors.NotCompletable,
    wrong_time=errors.NotEnded,
)
CONFIRM_COMPLETION = Transition(
    resource=SESSION,
    action="confirm-completion",
    by=("mentee",),
    states=("pending_completion",),
    to="completed",
    wrong_party=errors.OnlyMenteeConfirmsCompletion,
    wrong_state=errors.CompletionNotConfirmable,
)
DISPUTE = Transition(
    resource=SESSION,
    action="dispute",
    by=("mentee",),
    states=("pending_completion",),
    to="disputed",
    wrong_party=errors.OnlyMenteeDisputes,
    wrong_state=errors.NotDisputable,
)
REVIEW = Transition(
    resource=SESSION,
    action="review",
    by=("mentee",),
    states=("completed",),
    to="completed",
    wrong_party=errors.OnlyMenteeReviews,
    wrong_state=errors.NotReviewable,
    conflict=errors.AlreadyReviewed,
)
START = Transition(
    resource=SESSION,
    action="start",
    by=("system",),
    states=("confirmed", "rescheduled"),
    to="in_progress",
)
END = Transition(
    resource=SESSION,
    action="end",
    by=("system",),
    states=("confirmed", "rescheduled", "in_progress"),
    to="pending_completion",
)

TRANSITIONS = [one for one in globals().values() if isinstance(one, Transition)]


def describe_states(resource: Resource) -> str:
    """Return a Markdown list: each state, what it means, and the actions that lead out of it."""
    lines = []
    for state, meaning in resource.states.items():
        actions = ", ".join(
            f"{one.action} ({' or '.join(one.by)})"
            for one in TRANSITIONS
            if one.resource is resource and state in one.states
        )
        lines.append(f"- `{state}`: {meaning}. Next: {actions or 'nothing'}.")
    return "\n".join(lines)
