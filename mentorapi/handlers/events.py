"""The changes of a request or a session."""

from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import events
from mentorapi.schemas import events as spec
from mentorapi.transitions import REQUEST, SESSION


class ListRequestChanges(ApiHandler):
    @operation(spec.LIST_REQUEST_CHANGES, raises=REQUEST.read_errors)
    async def get(self, request_id: str) -> None:
        changes = await events.list_changes(
            self.db, REQUEST, request_id, self.user_id, **self.parameters
        )
        self.write_list(changes)


class ListSessionChanges(ApiHandler):
    @operation(spec.LIST_SESSION_CHANGES, raises=SESSION.read_errors)
    async def get(self, session_id: str) -> None:
        changes = await events.list_changes(
            self.db, SESSION, session_id, self.user_id, **self.parameters
        )
        self.write_list(changes)


routes = [
    ("/requests/{requestId}/history", ListRequestChanges),
    ("/sessions/{sessionId}/history", ListSessionChanges),
]
