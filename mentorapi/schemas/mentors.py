"""Discovery, public."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    BUFFER_TIME,
    COUNT,
    CURRENCY,
    MEETING_LINK,
    MENTOR_ID,
    MENTOR_USER_ID,
    NULLABLE_TEXT,
    RATE,
    SESSION_DURATION,
    TEXT,
    TIMEZONE,
    list_of,
    named,
    query,
    shape,
    such_as,
)
from mentorapi.schemas.operation import Operation

RATING = {
    "type": ["number", "null"],
    "minimum": 1,
    "maximum": 5,
    "description": "The average to one decimal; null without reviews.",
    "examples": [4.8],
}
NAME = such_as(NULLABLE_TEXT, "Amara Okafor")
HEADLINE = such_as(NULLABLE_TEXT, "Staff software engineer, payments")
BIO = such_as(NULLABLE_TEXT, "Fifteen years of backends that move money.")
EXPERTISE = such_as(list_of(TEXT), ["System design", "Mock interviews"])
LOCATION = such_as(NULLABLE_TEXT, "Lagos, Nigeria")
IMAGE_URL = such_as(NULLABLE_TEXT, "https://example.com/avatars/amara.png")

CARD = named(
    "Mentor",
    shape(
        {
            "id": MENTOR_ID,
            "userId": MENTOR_USER_ID,
            "fullName": NAME,
            "profileImageUrl": IMAGE_URL,
            "headline": HEADLINE,
            "bio": BIO,
            "expertise": EXPERTISE,
            "sessionDuration": SESSION_DURATION,
            "rating": RATING,
            "totalReviews": such_as(COUNT, 24),
            "totalSessions": such_as(COUNT, 45),
        }
    ),
)

PAGE = named(
    "MentorDetails",
    shape(
        CARD["properties"]
        | {
            "location": LOCATION,
            "bufferTime": BUFFER_TIME,
            "timezone": TIMEZONE,
            "defaultMeetingLink": MEETING_LINK,
            "sessionRate": RATE,
            "sessionCurrency": CURRENCY,
        }
    ),
)

LIST = Operation(
    name="listMentors",
    summary="List all public mentors, best first",
    description="Those with a public profile, by rating, then number of reviews, then sessions.",
    public=True,
    query=query(ARRAY_PAGING),
    response=list_of(CARD),
)

SEARCH = Operation(
    name="searchMentors",
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents don't matter, a part of a word is enough, and so is a word "
    "with a slip of the finger. Better matches come first; without `q` all mentors are listed.",
    public=True,
    query=query(
        {
            "q": {
                "type": "string",
                "maxLength": 200,
                "default": "",
                "description": "What to look for.",
                "examples": ["design"],
            },
            **ARRAY_PAGING,
        }
    ),
    response=list_of(CARD),
)

SHOW = Operation(
    name="getMentor",
    summary="A mentor's public profile",
    description="A private profile is not found here.",
    public=True,
    response=PAGE,
)
