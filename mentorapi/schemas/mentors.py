"""Public mentors: list, search, facets, those with a free slot, one profile."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from mentorapi.schemas import availability, common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, entry, parse_instant

RATING = common.with_example(
    {"type": ["number", "null"], "minimum": 1, "maximum": 5},
    4.8,
    "The average to one decimal; null without reviews.",
)
TEXTS = common.array_of(common.TEXT)

CARD = common.response_object(
    "Mentor",
    **common.pick(common.MENTOR, "id userId"),
    fullName=common.nullable_text("Amara Okafor"),
    profileImageUrl=common.nullable_text("https://example.com/avatars/amara.png"),
    headline=common.nullable_text("Staff software engineer, payments"),
    bio=common.nullable_text("Fifteen years of backends that move money."),
    expertise=common.with_example(TEXTS, ["System design", "Mock interviews"]),
    location=common.nullable_text("Lagos, Nigeria"),
    sessionDuration=common.SESSION_DURATION,
    timezone=common.TIMEZONE,
    sessionRate=common.RATE,
    sessionCurrency=common.CURRENCY,
    rating=RATING,
    totalReviews=common.count(24),
    totalSessions=common.count(45),
)

PAGE = common.response_object(
    "MentorDetails",
    **CARD["properties"],
    bufferTime=common.BUFFER_TIME,
    defaultMeetingLink=common.MEETING_LINK,
    languages=common.with_example(TEXTS, ["en", "pt-BR"], "BCP 47 tags, the first ones preferred."),
)

FILTERS = {
    "expertise": common.with_example(
        common.array_of(common.visible_line(60), 50),
        ["System design"],
        "May be repeated: mentors who have all of them. Case, accents and blanks do not matter.",
    ),
    "minRating": common.with_example(
        {"type": "number", "minimum": 0, "maximum": 5}, 4, "Mentors without reviews count as 0."
    ),
    "maxRate": common.RATE
    | {"description": "What a session may cost, in `currency`, which is required with it."},
    "currency": common.CURRENCY | {"description": "The ISO 4217 code of the mentor's rate."},
    "language": common.LANGUAGE
    | {"description": "A BCP 47 tag. `pt` finds `pt-BR` as well, `pt-BR` does not find `pt`."},
    "duration": common.SESSION_DURATION | {"description": "Minutes of the mentor's sessions."},
}
SORT = common.choice("best", "rate", "newest") | {
    "default": "best",
    "description": "`best`: best matches of a search, then by rating, number of reviews and "
    "sessions. `rate`: the lowest first; amounts are not converted between currencies. "
    "`newest`: the latest profiles first.",
}
QUERY = common.with_example(common.multiline(200) | {"default": ""}, "design", "What to look for.")


def filtered(required: Sequence[str] = (), /, **parameters: Any) -> dict[str, Any]:
    """Query parameters, and the filters."""
    query = common.query_object(required, **parameters, **FILTERS)
    return query | {"dependentRequired": {"maxRate": ["currency"]}}


LIST = Operation(
    name="listMentors",
    summary="List the public mentors, best first",
    description="Only mentors that pass all filters. Private profiles are not listed.",
    public=True,
    query=filtered(sort=SORT, **common.ARRAY_PAGING),
    response=common.array_of(CARD),
)

SEARCH = Operation(
    name="searchMentors",
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents do not matter. Part of a word is enough, and a word may have a "
    "typing error. Better matches come first. Without `q` all mentors are listed.",
    public=True,
    query=filtered(q=QUERY, sort=SORT, **common.ARRAY_PAGING),
    response=common.array_of(CARD),
)

FACET = common.response_object("Facet", value=common.TEXT, count=common.count(12))


def counted(value: str) -> dict[str, Any]:
    return common.with_example(common.array_of(FACET, 50), [{"value": value, "count": 12}])


COUNT_FACETS = Operation(
    name="countMentorFacets",
    summary="How many mentors have each expertise, language and currency",
    description="Counts the mentors that `GET /mentors/search` finds with the same parameters. "
    "Each `count` is how many it finds when the `value` is added as a filter. At most 50 of each, "
    "most frequent first.",
    public=True,
    query=filtered(q=QUERY),
    response=common.response_object(
        "MentorFacets",
        expertise=counted("System design"),
        languages=counted("en"),
        currencies=counted("NGN"),
    ),
)


def check_period(query: Mapping[str, Any]) -> Details:
    length = parse_instant(query["to"]) - parse_instant(query["from"])
    if length <= timedelta():
        return [entry(["to"], "order", "must be after from")]
    if length > timedelta(days=31):
        return [entry(["to"], "out_of_range", "must be at most 31 days after from")]
    return []


LIST_AVAILABLE = Operation(
    name="listAvailableMentors",
    summary="The mentors with a free slot between two instants, soonest first",
    description="The public mentors that pass all filters and have a slot between `from` and `to`, "
    "which are at most 31 days apart. `slots` are the first three of these slots. Mentors whose "
    "first slots start together are in the order of `GET /mentors`.",
    public=True,
    query=filtered(
        ["from", "to"],
        **{"from": common.instant(f"{examples.MONDAY}T00:00:00Z")},
        to=common.instant(f"{examples.FRIDAY}T00:00:00Z"),
        limit=common.paging_parameters(20, 50)["limit"],
    ),
    rules=check_period,
    response=common.array_of(
        common.response_object(
            "AvailableMentor",
            **CARD["properties"],
            slots=common.array_of(availability.SLOT, 3),
        )
    ),
)

SHOW = Operation(
    name="getMentor",
    summary="A mentor's public profile",
    description="A private profile is not found here.",
    public=True,
    response=PAGE,
)
