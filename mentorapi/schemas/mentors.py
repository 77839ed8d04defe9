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
    array_of,
    query_object,
    response_object,
    with_example,
)
from mentorapi.schemas.operation import Operation

RATING = {
    "type": ["number", "null"],
    "minimum": 1,
    "maximum": 5,
    "description": "The average to one decimal; null without reviews.",
    "examples": [4.8],
}
NAME = with_example(NULLABLE_TEXT, "Amara Okafor")
HEADLINE = with_example(NULLABLE_TEXT, "Staff software engineer, payments")
BIO = with_example(NULLABLE_TEXT, "Fifteen years of backends that move money.")
EXPERTISE = with_example(array_of(TEXT), ["System design", "Mock interviews"])
LOCATION = with_example(NULLABLE_TEXT, "Lagos, Nigeria")
IMAGE_URL = with_example(NULLABLE_TEXT, "https://example.com/avatars/amara.png")

CARD = response_object(
    "Mentor",
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
        "totalReviews": with_example(COUNT, 24),
        "totalSessions": with_example(COUNT, 45),
    },
)

PAGE = response_object(
    "MentorDetails",
    CARD["properties"]
    | {
        "location": LOCATION,
        "bufferTime": BUFFER_TIME,
        "timezone": TIMEZONE,
        "defaultMeetingLink": MEETING_LINK,
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
    },
)

LIST = Operation(
    name="listMentors",
    summary="List all public mentors, best first",
    description="Those with a public profile, by rating, then number of reviews, then sessions.",
    public=True,
    query=query_object(ARRAY_PAGING),
    response=array_of(CARD),
)

SEARCH = Operation(
    name="searchMentors",
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents don't matter, a part of a word is enough, and so is a word "
    "with a slip of the finger. Better matches come first; without `q` all mentors are listed.",
    public=True,
    query=query_object(
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
    response=array_of(CARD),
)

SHOW = Operation(
    name="getMentor",
    summary="A mentor's public profile",
    description="A private profile is not found here.",
    public=True,
    response=PAGE,
)
