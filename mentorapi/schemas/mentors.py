"""Discovery, public."""

from mentorapi.schemas import examples
from mentorapi.schemas.common import (
    ARRAY_PAGING,
    BUFFER_TIME,
    COMMENT,
    COUNT,
    CURRENCY,
    DATE,
    END_TIME,
    ENDS,
    ID,
    INSTANT,
    MEETING_LINK,
    MENTEE,
    MENTOR_ID,
    MENTOR_USER_ID,
    META,
    META_PAGING,
    NULLABLE_TEXT,
    RATE,
    SESSION_DURATION,
    STARS,
    STARTS,
    TEXT,
    TIME,
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
DAY_OF_WEEK = {
    "type": "integer",
    "minimum": 0,
    "maximum": 6,
    "description": "0 is Monday, 6 is Sunday.",
    "examples": [0],
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

REVIEW = named(
    "Review",
    shape(
        {
            "id": such_as(ID, examples.REVIEW_ID),
            "rating": STARS,
            "comment": COMMENT,
            "mentee": MENTEE,
            "createdAt": INSTANT,
        }
    ),
)

SLOT = named(
    "Slot",
    shape(
        {
            "date": DATE,
            "dayOfWeek": DAY_OF_WEEK,
            "startTime": TIME,
            "endTime": END_TIME,
            "duration": SESSION_DURATION,
            "startsAt": STARTS,
            "endsAt": ENDS,
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

REVIEWS = Operation(
    name="listMentorReviews",
    summary="The reviews of a mentor, newest first",
    description="A page of them, with how many there are in `meta`.",
    public=True,
    query=query(META_PAGING),
    response=named("ReviewPage", shape({"data": list_of(REVIEW), "meta": META})),
)

AVAILABILITY = Operation(
    name="getMentorAvailability",
    summary="The times at which a mentor can be booked",
    description="From `startDate` (today) to `endDate` (14 days later), both inclusive and in "
    "UTC, at most 92 days apart: the dates on which the slots start. `POST /requests` admits each.",
    public=True,
    query=query({"startDate": DATE, "endDate": such_as(DATE, examples.FRIDAY)}),
    response=named(
        "MentorAvailability",
        shape(
            {
                "mentorId": MENTOR_ID,
                "sessionDuration": SESSION_DURATION,
                "bufferTime": BUFFER_TIME,
                "timezone": TIMEZONE,
                "slots": list_of(SLOT),
            }
        ),
    ),
)
