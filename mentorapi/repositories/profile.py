"""A mentor's own profile and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pypika import CustomFunction, PostgreSQLQuery, Table

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.listing import Arguments
from mentorapi.database.pool import Database
from mentorapi.schemas.common import PREFIX
from mentorapi.schemas.profile import MAX_LINKS
from mentorapi.schemas.validation import canonical_language

COLUMNS = {
    "fullName": "full_name",
    "headline": "headline",
    "bio": "bio",
    "expertise": "expertise",
    "languages": "languages",
    "profileImageUrl": "profile_image_url",
    "profileImageFile": "profile_image_file",
    "links": "links",
    "location": "location",
    "sessionRate": "session_rate",
    "sessionCurrency": "session_currency",
    "visibility": "visibility",
    "sessionDuration": "session_duration",
    "bufferTime": "buffer_time",
    "timezone": "timezone",
    "availabilityTimezone": "availability_timezone",
    "defaultMeetingLink": "default_meeting_link",
}

#: Columns that tell whether the mentor has set a field. Until then the name and the image are those
#: of the token, and the rate is 0.
OWN = {"fullName": "own_name", "profileImageUrl": "own_image", "sessionRate": "own_rate"}

#: The value of a cleared field, where it is not null.
EMPTY: dict[str, Any] = {"expertise": [], "languages": [], "links": "{}"}

merge_links = CustomFunction("merge_links", ["links", "patch"])
count_links = CustomFunction("count_links", ["links"])
token_name = CustomFunction("token_name", ["user_id"])


@dataclass(frozen=True, slots=True)
class Profile:
    """``body`` is the profile as JSON; ``completeness`` goes from 0 to 100."""

    body: str
    completeness: int


async def show(db: Database, user_id: str) -> Profile | None:
    row = await statements.profile.show(db, user_id=user_id)
    return row and Profile(row["body"], row["completeness"])


async def update(db: Database, user_id: str, changes: Mapping[str, Any]) -> tuple[str, str | None]:
    """Merge ``changes`` (with the names of the API) into the profile, which is created if missing.

    Returns the profile as JSON and the name of the image file that is no longer used, or None.
    """
    async with statements.transaction(db) as connection:
        before = await ensure(connection, user_id)
        changes, orphan = _with_image(changes, before["image_file"])
        await merge(connection, before["mentor_id"], changes)
        after = await statements.profile.show(connection, user_id=user_id)
    return after["body"], orphan


async def ensure(db: Database, user_id: str) -> Any:
    """Lock the user's profile, which is created if missing. Raises UserMissing."""
    row = await statements.profile.ensure(db, user_id=user_id)
    if row is None:
        raise errors.UserMissing
    return row


def _with_image(
    changes: Mapping[str, Any], file: str | None
) -> tuple[Mapping[str, Any], str | None]:
    """Return the changes to store, and the image file that they replace.

    A profile has an uploaded file or the address of an image elsewhere, never both.
    """
    if "profileImageFile" in changes:
        return {**changes, "profileImageUrl": None}, file
    if "profileImageUrl" not in changes:
        return changes, None
    url = changes["profileImageUrl"]
    if file and url and url.endswith(f"{PREFIX}/images/{file}"):
        # A client that sends the whole profile back also sends the address of the uploaded image.
        return {name: changes[name] for name in changes if name != "profileImageUrl"}, None
    return {**changes, "profileImageFile": None}, file


async def merge(db: Database, mentor_id: str, changes: Mapping[str, Any]) -> None:
    """Set these columns. Raises ValidationFailed if the profile has too many links then."""
    if not changes:
        return
    arguments = Arguments()
    mentors = Table("mentors")
    statement = PostgreSQLQuery.update(mentors).where(mentors.id == arguments.add(mentor_id))
    for name, value in changes.items():
        is_own = True
        if name == "links" and value is not None:
            patch = arguments.add(orjson.dumps(value).decode())
            statement = statement.set(mentors.links, merge_links(mentors.links, patch))
        elif name == "fullName" and value is None:
            statement = statement.set(mentors.full_name, token_name(mentors.user_id))
            is_own = False
        else:
            if name == "languages" and value is not None:
                value = list(dict.fromkeys(map(canonical_language, value)))
            value = EMPTY.get(name) if value is None else value
            statement = statement.set(COLUMNS[name], arguments.add(value))
        if name in OWN:
            statement = statement.set(OWN[name], is_own)
    statement = statement.returning(count_links(mentors.links).as_("links"))
    row = await statements.fetch_row(
        db, f"-- profile.merge\n{statement.get_sql()}", *arguments.values
    )
    if row["links"] > MAX_LINKS:
        raise errors.ValidationFailed.of("links", f"must have at most {MAX_LINKS} names")


async def show_dashboard(db: Database, user_id: str) -> str:
    return await statements.profile.dashboard.body(db, errors.ProfileNotFound, user_id=user_id)
