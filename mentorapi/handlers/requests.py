"""Requests: a mentee requests a time, the mentor answers."""

from mentorapi import errors, transitions
from mentorapi.http.base import ApiHandler, as_id, operation
from mentorapi.repositories import requests
from mentorapi.schemas import requests as spec

#: The errors of the actions that ``PATCH /requests/:id`` can do.
ANSWER_ERRORS = tuple(dict.fromkeys(error for one in transitions.ANSWERS for error in one.errors))


class ListOrCreateRequests(ApiHandler):
    @operation(spec.LIST_OWN)
    async def get(self) -> None:
        self.write_list(await requests.list_own(self.db, self.user_id, **self.parameters))

    @operation(
        spec.CREATE,
        raises=(
            errors.MentorNotFound,
            errors.RequestToSelf,
            errors.RequestInPast,
            errors.DuplicateRequest,
            errors.SlotTaken,
            errors.NotTakingRequests,
        ),
    )
    async def post(self) -> None:
        request_id, request = await requests.create(
            self.db, self.user_id, as_id(self.body["mentorId"]), self.body
        )
        self.write_created(f"/requests/{request_id}", request)


class ListActiveRequests(ApiHandler):
    @operation(spec.LIST_ACTIVE, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_list(
            await requests.list_active(self.db, self.user_id, mentor_id, **self.parameters)
        )


class CountPendingRequests(ApiHandler):
    @operation(spec.COUNT_PENDING)
    async def get(self) -> None:
        self.write_json(str(await requests.count_pending(self.db, self.user_id)))


class ShowOrUpdateRequest(ApiHandler):
    @operation(spec.SHOW, raises=transitions.REQUEST.read_errors)
    async def get(self, request_id: str) -> None:
        self.write_json(await requests.show(self.db, request_id, self.user_id))

    @operation(spec.UPDATE, raises=ANSWER_ERRORS)
    async def patch(self, request_id: str) -> None:
        self.write_json(await requests.update(self.db, request_id, self.user_id, **self.body))


class AcceptRequest(ApiHandler):
    @operation(spec.ACCEPT, raises=transitions.ACCEPT.errors)
    async def post(self, request_id: str) -> None:
        request, booking = await requests.accept(self.db, request_id, self.user_id)
        self.write_json(f'{{"request":{request},"booking":{booking}}}')


class RejectRequest(ApiHandler):
    @operation(spec.REJECT, raises=transitions.REJECT.errors)
    async def post(self, request_id: str) -> None:
        self.write_json(await requests.reject(self.db, request_id, self.user_id, **self.body))


class CancelRequest(ApiHandler):
    @operation(spec.CANCEL, raises=transitions.CANCEL_REQUEST.errors)
    async def patch(self, request_id: str) -> None:
        self.write_json(await requests.cancel(self.db, request_id, self.user_id))


routes = [
    ("/requests", ListOrCreateRequests),
    ("/requests/pending-count", CountPendingRequests),
    ("/requests/my-requests/{mentorId}", ListActiveRequests),
    ("/requests/{requestId}", ShowOrUpdateRequest),
    ("/requests/{requestId}/accept", AcceptRequest),
    ("/requests/{requestId}/reject", RejectRequest),
    ("/requests/{requestId}/cancel", CancelRequest),
]
