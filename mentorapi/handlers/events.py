"""How the state of a request or a session has changed."""

from __future__ import annotations

from mentorapi import errors
from mentorapi.http.base import ApiHandler, operation
from mentorapi.repositories import events
from mentorapi.schemas import events as spec


class ListRequestChanges(ApiHandler):
    @operation(spec.LIST_OF_REQUEST, raises=(errors.RequestNotFound, errors.NotPartyToRequest))
    async def get(self, request_id: str) -> None:
        user_id = self.caller.user_id
        changes = await events.list_of_request(self.db, request_id, user_id, **self.parameters)
        self.write_list(changes)


class ListSessionChanges(ApiHandler):
    @operation(spec.LIST_OF_SESSION, raises=(errors.SessionNotFound, errors.NotPartyToSession))
    async def get(self, session_id: str) -> None:
        user_id = self.caller.user_id
        changes = await events.list_of_session(self.db, session_id, user_id, **self.parameters)
        self.write_list(changes)


routes = [
    ("/requests/{requestId}/history", ListRequestChanges),
    ("/sessions/{sessionId}/history", ListSessionChanges),
]
