"""State machines of requests and sessions: who may do what, in which states, and the refusals.

Handlers, repositories and the OpenAPI document read these tables. A test compares them with the API
guide and with what the database does.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from mentorapi import errors

Error: TypeAlias = type[errors.ApiError]


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


class Refusals(NamedTuple):
    """The errors of an action, in the order of the checks.

    ``wrong_time``: too early or too late; if it is None, that is ``wrong_state``. ``too_late``: the
    mentor's policy forbids the mentee to do it so shortly before the start. ``conflict``: a
    constraint of the database refuses it.
    """

    wrong_party: Error
    wrong_state: Error
    wrong_time: Error | None = None
    too_late: Error | None = None
    conflict: Error | None = None


@dataclass(frozen=True, eq=False)
class Transition:
    """One action. ``by`` lists the parties that may do it, ``states`` the states it starts from.

    ``after_end``: only when the session is over. The actions of the system have no errors.
    """

    resource: Resource
    action: str
    by: tuple[Literal["mentor", "mentee", "system"], ...]
    states: tuple[str, ...]
    to: str
    after_end: bool = False

    @property
    def refusals(self) -> Refusals:
        return REFUSALS[self]

    @property
    def errors(self) -> tuple[Error, ...]:
        """The errors that a client can get, in the order of the checks."""
        found = (self.resource.not_found, *self.refusals)
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

ACCEPT = Transition(REQUEST, "accept", by=("mentor",), states=("pending",), to="accepted")
REJECT = Transition(REQUEST, "reject", by=("mentor",), states=("pending",), to="rejected")
CANCEL_REQUEST = Transition(REQUEST, "cancel", by=("mentee",), states=("pending",), to="cancelled")
EXPIRE = Transition(REQUEST, "expire", by=("system",), states=("pending",), to="rejected")
#: What ``PATCH /requests/:id`` can do.
ANSWERS = (ACCEPT, REJECT, CANCEL_REQUEST)

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

AGREED = ("confirmed", "rescheduled")
NOT_ENDED = (*AGREED, "in_progress")
ENDED = ("pending_completion",)

CONFIRM = Transition(SESSION, "confirm", by=("mentor",), states=("pending",), to="confirmed")
RESCHEDULE = Transition(SESSION, "reschedule", by=("mentor",), states=AGREED, to="rescheduled")
CANCEL_SESSION = Transition(
    SESSION, "cancel", by=("mentor", "mentee"), states=("pending", *AGREED), to="cancelled"
)
COMPLETE = Transition(
    SESSION, "complete", by=("mentor",), states=NOT_ENDED, to="pending_completion", after_end=True
)
CONFIRM_COMPLETION = Transition(
    SESSION, "confirm-completion", by=("mentee",), states=ENDED, to="completed"
)
DISPUTE = Transition(SESSION, "dispute", by=("mentee",), states=ENDED, to="disputed")
REVIEW = Transition(SESSION, "review", by=("mentee",), states=("completed",), to="completed")
START = Transition(SESSION, "start", by=("system",), states=AGREED, to="in_progress")
END = Transition(SESSION, "end", by=("system",), states=NOT_ENDED, to="pending_completion")

TRANSITIONS = [one for one in globals().values() if isinstance(one, Transition)]

REFUSALS = {
    ACCEPT: Refusals(
        errors.OnlyMentorAccepts,
        errors.NotAcceptable,
        wrong_time=errors.SlotTaken,
        conflict=errors.SlotTaken,
    ),
    REJECT: Refusals(errors.OnlyMentorRejects, errors.NotRejectable),
    CANCEL_REQUEST: Refusals(errors.OnlyMenteeCancelsRequest, errors.RequestNotCancellable),
    CONFIRM: Refusals(errors.OnlyMentorConfirms, errors.NotConfirmable),
    RESCHEDULE: Refusals(
        errors.OnlyMentorReschedules, errors.NotReschedulable, conflict=errors.SlotTaken
    ),
    CANCEL_SESSION: Refusals(
        errors.OnlyPartiesCancelSession,
        errors.SessionNotCancellable,
        too_late=errors.TooLateToCancel,
    ),
    COMPLETE: Refusals(
        errors.OnlyMentorCompletes, errors.NotCompletable, wrong_time=errors.NotEnded
    ),
    CONFIRM_COMPLETION: Refusals(
        errors.OnlyMenteeConfirmsCompletion, errors.CompletionNotConfirmable
    ),
    DISPUTE: Refusals(errors.OnlyMenteeDisputes, errors.NotDisputable),
    REVIEW: Refusals(
        errors.OnlyMenteeReviews, errors.NotReviewable, conflict=errors.AlreadyReviewed
    ),
}
