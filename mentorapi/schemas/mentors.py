"""Discovery, public."""

from mentorapi.schemas import common
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
IMAGE_URL = common.with_example(common.NULLABLE_TEXT, "https://example.com/avatars/amara.png")

CARD = common.response_object(
    "Mentor",
    {
        "id": common.MENTOR_ID,
        "userId": common.MENTOR_USER_ID,
        "fullName": NAME,
        "profileImageUrl": IMAGE_URL,
        "headline": HEADLINE,
        "bio": BIO,
        "expertise": EXPERTISE,
        "sessionDuration": common.SESSION_DURATION,
        "rating": RATING,
        "totalReviews": common.with_example(common.COUNT, 24),
        "totalSessions": common.with_example(common.COUNT, 45),
    },
)

PAGE = common.response_object(
    "MentorDetails",
    CARD["properties"]
    | {
        "location": LOCATION,
        "bufferTime": common.BUFFER_TIME,
        "timezone": common.TIMEZONE,
        "defaultMeetingLink": common.MEETING_LINK,
        "sessionRate": common.RATE,
        "sessionCurrency": common.CURRENCY,
    },
)

LIST = Operation(
    name="listMentors",
    summary="List all public mentors, best first",
    description="Those with a public profile, by rating, then number of reviews, then sessions.",
    public=True,
    query=common.query_object(common.ARRAY_PAGING),
    response=common.array_of(CARD),
)

SEARCH = Operation(
    name="searchMentors",
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents don't matter, a part of a word is enough, and so is a word "
    "with a slip of the finger. Better matches come first; without `q` all mentors are listed.",
    public=True,
    query=common.query_object(
        {
            "q": {
                "type": "string",
                "maxLength": 200,
                "default": "",
                "description": "What to look for.",
                "examples": ["design"],
            },
            **common.ARRAY_PAGING,
        }
    ),
    response=common.array_of(CARD),
)

SHOW = Operation(
    name="getMentor",
    summary="A mentor's public profile",
    description="A private profile is not found here.",
    public=True,
    response=PAGE,
)
