"""A mentor's own profile and figures."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from pypika import CustomFunction, Field, Parameter, PostgreSQLQuery

from mentorapi import errors
from mentorapi.database import statements
from mentorapi.database.pool import Database
from mentorapi.schemas.common import PREFIX
from mentorapi.schemas.profile import MAX_LINKS
from mentorapi.schemas.validation import canonical_language

#: Columns that tell whether the mentor has set a field. Until then the name and the image are those
#: of the token, and the rate is 0.
OWN = {"fullName": "own_name", "profileImageUrl": "own_image", "sessionRate": "own_rate"}

#: The value of a cleared field, where it is not null.
EMPTY: dict[str, Any] = {"expertise": [], "languages": [], "links": "{}"}

merge_links = CustomFunction("merge_links", ["links", "patch"])
count_links = CustomFunction("count_links", ["links"])
token_name = CustomFunction("token_name", ["user_id"])


async def show(db: Database, user_id: str) -> tuple[str, int] | None:
    """Return the profile as JSON, and its completeness from 0 to 100."""
    row = await statements.profile.show(db, user_id=user_id)
    return row and (row["body"], row["completeness"])


async def update(db: Database, user_id: str, changes: Mapping[str, Any]) -> tuple[str, str | None]:
    """Merge ``changes`` (with the names of the API) into the profile, which is created if missing.

    Returns the profile as JSON and the name of the image file that is no longer used, or None.
    """
    async with statements.transaction(db) as connection:
        before = await ensure(connection, user_id)
        changes, unused = _with_image(changes, before["image_file"])
        await merge(connection, before["mentor_id"], changes)
        after = await statements.profile.show(connection, user_id=user_id)
    return after["body"], unused


async def ensure(db: Database, user_id: str) -> Any:
    """Lock the user's profile, which is created if missing. Raises UserMissing."""
    return await statements.profile.ensure(db, errors.UserMissing, user_id=user_id)


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
    arguments: list[Any] = [mentor_id]
    statement = PostgreSQLQuery.update("mentors").where(Field("id") == Parameter("$1"))
    for name, value in changes.items():
        is_own = True
        if name == "fullName" and value is None:
            new, is_own = token_name(Field("user_id")), False
        else:
            arguments.append(as_stored(name, value))
            new = Parameter(f"${len(arguments)}")
        if name == "links" and value is not None:
            new = merge_links(Field("links"), new)
        # The column of a field has its name, in snake_case.
        statement = statement.set(re.sub("([A-Z])", r"_\1", name).lower(), new)
        if name in OWN:
            statement = statement.set(OWN[name], is_own)
    statement = statement.returning(count_links(Field("links")).as_("links"))
    sql = f"-- profile.merge\n{statement.get_sql()}"
    row = await statements.fetch_row(db, sql, *arguments)
    if row["links"] > MAX_LINKS:
        raise errors.ValidationFailed.of("links", f"must have at most {MAX_LINKS} names")


def as_stored(name: str, value: Any) -> Any:
    if value is None:
        return EMPTY.get(name)
    if name == "links":
        return orjson.dumps(value).decode()
    if name == "languages":
        return list(dict.fromkeys(map(canonical_language, value)))
    return value


async def show_dashboard(db: Database, user_id: str) -> str:
    return await statements.profile.show_dashboard.body(db, errors.ProfileNotFound, user_id=user_id)
