"""Sessions, from confirmed to completed."""

from mentorapi import transitions
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import sessions
from mentorapi.schemas import sessions as spec
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import parse_instant
from mentorapi.transitions import Transition


class ListSessions(ApiHandler):
    @operation(spec.LIST_OWN)
    async def get(self) -> None:
        self.write_list(await sessions.list_own(self.db, self.user_id, **self.parameters))


class ShowSession(ApiHandler):
    @operation(spec.SHOW, raises=transitions.SESSION.read_errors)
    async def get(self, session_id: str) -> None:
        self.write_json(await sessions.show(self.db, session_id, self.user_id))


class ShowCalendarEntry(ApiHandler):
    @operation(spec.SHOW_CALENDAR_ENTRY, raises=transitions.SESSION.read_errors)
    async def get(self, session_id: str) -> None:
        # Imported here, because icalendar takes a tenth of a start.
        from mentorapi import calendar

        entry = await sessions.show_calendar_entry(self.db, session_id, self.user_id)
        self.set_header("Content-Type", calendar.CONTENT_TYPE)
        self.set_header("Content-Disposition", f'attachment; filename="session-{session_id}.ics"')
        self.write(calendar.write(entry))


def move(action: Operation, transition: Transition) -> type[ApiHandler]:
    """Return the handler of a transition that needs nothing but the session."""

    class MoveSession(ApiHandler):
        @operation(action, raises=transition.errors)
        async def post(self, session_id: str) -> None:
            user_id = self.user_id
            self.write_json(await sessions.move(self.db, session_id, user_id, transition))

    return MoveSession


class CancelSession(ApiHandler):
    @operation(spec.CANCEL, raises=transitions.CANCEL_SESSION.errors)
    async def post(self, session_id: str) -> None:
        self.write_json(await sessions.cancel(self.db, session_id, self.user_id, **self.body))


class RescheduleSession(ApiHandler):
    @operation(spec.RESCHEDULE, raises=transitions.RESCHEDULE.errors)
    async def put(self, session_id: str) -> None:
        start = parse_instant(self.body["newStartTime"])
        end = parse_instant(self.body["newEndTime"])
        self.write_json(await sessions.reschedule(self.db, session_id, self.user_id, start, end))


routes = [
    ("/sessions", ListSessions),
    ("/sessions/{sessionId}", ShowSession),
    ("/sessions/{sessionId}/calendar.ics", ShowCalendarEntry),
    ("/sessions/{sessionId}/confirm", move(spec.CONFIRM, transitions.CONFIRM)),
    ("/sessions/{sessionId}/complete", move(spec.COMPLETE, transitions.COMPLETE)),
    (
        "/sessions/{sessionId}/confirm-completion",
        move(spec.CONFIRM_COMPLETION, transitions.CONFIRM_COMPLETION),
    ),
    ("/sessions/{sessionId}/dispute", move(spec.DISPUTE, transitions.DISPUTE)),
    ("/sessions/{sessionId}/cancel", CancelSession),
    ("/sessions/{sessionId}/reschedule", RescheduleSession),
]
