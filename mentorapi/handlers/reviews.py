"""Reviews of completed sessions."""

from mentorapi import errors, transitions
from mentorapi.http.base import ApiHandler, operation
from mentorapi.http.cached_reads import CachedReadHandler
from mentorapi.repositories import reviews
from mentorapi.schemas import reviews as spec


class ListMentorReviews(CachedReadHandler):
    @operation(spec.LIST_OF_MENTOR, raises=(errors.MentorNotFound,))
    async def get(self, mentor_id: str) -> None:
        self.write_data(await reviews.list_of_mentor(self.db, mentor_id, **self.parameters))


class ListOwnReviews(ApiHandler):
    @operation(spec.LIST_OWN, raises=(errors.ProfileNotFound,))
    async def get(self) -> None:
        self.write_list(await reviews.list_own(self.db, self.user_id, **self.parameters))


class ReviewSession(ApiHandler):
    @operation(spec.CREATE, raises=transitions.REVIEW.errors)
    async def post(self, session_id: str) -> None:
        session = await reviews.create(self.db, session_id, self.user_id, **self.body)
        self.write_created(f"/sessions/{session_id}", session)


routes = [
    ("/mentors/{mentorId}/reviews", ListMentorReviews),
    ("/mentor/reviews", ListOwnReviews),
    ("/sessions/{sessionId}/review", ReviewSession),
]
