"""Public mentors: list, search, facets, those with a free slot, one profile."""

from collections.abc import Sequence
from typing import Any

from mentorapi.schemas import availability, common, examples
from mentorapi.schemas.operation import Operation

RATING = {
    "type": ["number", "null"],
    "minimum": 1,
    "maximum": 5,
    "description": "The average to one decimal; null without reviews.",
    "examples": [4.8],
}
NAME = common.with_example(common.NULLABLE_TEXT, "Amara Okafor")
HEADLINE = common.with_example(common.NULLABLE_TEXT, "Staff software engineer, payments")
BIO = common.with_example(common.NULLABLE_TEXT, "Fifteen years of backends that move money.")
EXPERTISE = common.with_example(common.array_of(common.TEXT), ["System design", "Mock interviews"])
LOCATION = common.with_example(common.NULLABLE_TEXT, "Lagos, Nigeria")
LANGUAGES = common.with_example(
    common.array_of(common.TEXT), ["en", "pt-BR"], "BCP 47 tags, the first ones preferred."
)
IMAGE_URL = common.with_example(common.NULLABLE_TEXT, "https://example.com/avatars/amara.png")

CARD = common.response_object(
    "Mentor",
    id=common.MENTOR_ID,
    userId=common.MENTOR_USER_ID,
    fullName=NAME,
    profileImageUrl=IMAGE_URL,
    headline=HEADLINE,
    bio=BIO,
    expertise=EXPERTISE,
    location=LOCATION,
    sessionDuration=common.SESSION_DURATION,
    timezone=common.TIMEZONE,
    sessionRate=common.RATE,
    sessionCurrency=common.CURRENCY,
    rating=RATING,
    totalReviews=common.with_example(common.COUNT, 24),
    totalSessions=common.with_example(common.COUNT, 45),
)

PAGE = common.response_object(
    "MentorDetails",
    **CARD["properties"],
    bufferTime=common.BUFFER_TIME,
    defaultMeetingLink=common.MEETING_LINK,
    languages=LANGUAGES,
)

FILTERS = {
    "expertise": {
        "type": "array",
        "items": common.visible_line(60),
        "maxItems": 50,
        "description": "May be repeated: mentors who have all of them. Case, accents and blanks "
        "do not matter.",
        "examples": [["System design"]],
    },
    "minRating": {
        "type": "number",
        "minimum": 0,
        "maximum": 5,
        "description": "Mentors without reviews count as 0.",
        "examples": [4],
    },
    "maxRate": {
        **common.RATE,
        "description": "What a session may cost, in `currency`, which is required with it.",
    },
    "currency": {**common.CURRENCY, "description": "The ISO 4217 code of the mentor's rate."},
    "language": {
        **common.LANGUAGE,
        "description": "A BCP 47 tag. `pt` finds `pt-BR` as well, `pt-BR` does not find `pt`.",
    },
    "duration": {
        **common.SESSION_DURATION,
        "description": "Minutes of the mentor's sessions.",
    },
}
SORT = {
    "sort": {
        **common.choice("best", "rate", "newest"),
        "default": "best",
        "description": "`best`: best matches of a search, then by rating, number of reviews and "
        "sessions. `rate`: the lowest first; amounts are not converted between currencies. "
        "`newest`: the latest profiles first.",
    }
}
QUERY = {
    "q": {
        "type": "string",
        "maxLength": 200,
        "default": "",
        "description": "What to look for.",
        "examples": ["design"],
    }
}


def filtered(parameters: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """Query parameters, and the filters."""
    query = common.query_object(required, **parameters, **FILTERS)
    return query | {"dependentRequired": {"maxRate": ["currency"]}}


LIST = Operation(
    name="listMentors",
    summary="List the public mentors, best first",
    description="Only mentors that pass all filters. Private profiles are not listed.",
    public=True,
    query=filtered(SORT | common.ARRAY_PAGING),
    response=common.array_of(CARD),
)

SEARCH = Operation(
    name="searchMentors",
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents do not matter. Part of a word is enough, and a word may have a "
    "typing error. Better matches come first. Without `q` all mentors are listed.",
    public=True,
    query=filtered(QUERY | SORT | common.ARRAY_PAGING),
    response=common.array_of(CARD),
)


def counted(example: str) -> dict[str, Any]:
    return common.array_of(
        common.response_object(
            "Facet", value=common.TEXT, count=common.with_example(common.COUNT, 12)
        )
    ) | {"maxItems": 50, "examples": [[{"value": example, "count": 12}]]}


FACETS = Operation(
    name="countMentorFacets",
    summary="How many mentors have each expertise, language and currency",
    description="Counts the mentors that `GET /mentors/search` finds with the same parameters. "
    "Each `count` is how many it finds when the `value` is added as a filter. At most 50 of each, "
    "most frequent first.",
    public=True,
    query=filtered(QUERY),
    response=common.response_object(
        "MentorFacets",
        expertise=counted("System design"),
        languages=counted("en"),
        currencies=counted("NGN"),
    ),
)

AVAILABLE = Operation(
    name="listAvailableMentors",
    summary="The mentors with a free slot between two instants, soonest first",
    description="The public mentors that pass all filters and have a slot between `from` and `to`, "
    "which are at most 31 days apart. `slots` are the first three of these slots. Mentors whose "
    "first slots start together are in the order of `GET /mentors`.",
    public=True,
    query=filtered(
        {
            "from": common.with_example(common.INSTANT, f"{examples.MONDAY}T00:00:00Z"),
            "to": common.with_example(common.INSTANT, f"{examples.FRIDAY}T00:00:00Z"),
            "limit": common.paging_parameters(20, 50)["limit"],
        },
        ["from", "to"],
    ),
    response=common.array_of(
        common.response_object(
            "AvailableMentor",
            **CARD["properties"],
            slots=common.array_of(availability.SLOT) | {"maxItems": 3},
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
