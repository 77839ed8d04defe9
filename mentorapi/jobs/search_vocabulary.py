"""The clean-up of the search: deletes words that no public profile contains any more."""

from mentorapi.database.pool import Database
from mentorapi.repositories import mentors

#: Words that one statement looks at; meanwhile the words of profiles cannot change.
BATCH_SIZE = 500


async def run(db: Database) -> dict[str, int]:
    return {"words": await mentors.clean_search(db, BATCH_SIZE)}
