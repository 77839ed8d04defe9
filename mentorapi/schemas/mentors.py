"""Discovery, public."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    BUFFER_TIME,
    COUNT,
    CURRENCY,
    DATE,
    END_TIME,
    ID,
    INSTANT,
    MENTEE,
    META,
    META_PAGING,
    NULLABLE_TEXT,
    RATE,
    SESSION_DURATION,
    TEXT,
    TIME,
    USER_ID,
    list_of,
    query,
    shape,
)
from mentorapi.schemas.operation import Operation

#: Seconds for which profiles may be a little old. Free times never are.
SHORT = 5

RATING = {"type": ["number", "null"], "minimum": 1, "maximum": 5}
DAY_OF_WEEK = {"type": "integer", "minimum": 0, "maximum": 6}

CARD = shape(
    {
        "id": ID,
        "userId": USER_ID,
        "fullName": NULLABLE_TEXT,
        "profileImageUrl": NULLABLE_TEXT,
        "headline": NULLABLE_TEXT,
        "bio": NULLABLE_TEXT,
        "expertise": list_of(TEXT),
        "sessionDuration": SESSION_DURATION,
        "rating": RATING,
        "totalReviews": COUNT,
        "totalSessions": COUNT,
    }
)

PAGE = shape(
    CARD["properties"]
    | {
        "location": NULLABLE_TEXT,
        "bufferTime": BUFFER_TIME,
        "timezone": TEXT,
        "defaultMeetingLink": NULLABLE_TEXT,
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
    }
)

REVIEW = shape(
    {
        "id": ID,
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "comment": NULLABLE_TEXT,
        "mentee": MENTEE,
        "createdAt": INSTANT,
    }
)

SLOT = shape(
    {
        "date": DATE,
        "dayOfWeek": DAY_OF_WEEK,
        "startTime": TIME,
        "endTime": END_TIME,
        "duration": SESSION_DURATION,
    }
)

LIST = Operation(
    summary="List all public mentors, best first",
    public=True,
    cache_seconds=SHORT,
    query=query(ARRAY_PAGING),
    response=list_of(CARD),
)

SEARCH = Operation(
    summary="Search mentors by name, expertise, headline or bio",
    description="Case and accents don't matter, a part of a word is enough, and so is a word "
    "with a slip of the finger. Better matches come first; without `q` all mentors are listed.",
    public=True,
    cache_seconds=SHORT,
    query=query({"q": {"type": "string", "maxLength": 200, "default": ""}, **ARRAY_PAGING}),
    response=list_of(CARD),
)

SHOW = Operation(
    summary="A mentor's public profile", public=True, cache_seconds=SHORT, response=PAGE
)

REVIEWS = Operation(
    summary="The reviews of a mentor, newest first",
    public=True,
    cache_seconds=SHORT,
    query=query(META_PAGING),
    response=shape({"data": list_of(REVIEW), "meta": META}),
)

AVAILABILITY = Operation(
    summary="The times at which a mentor can be booked",
    description="From `startDate` (today) to `endDate` (14 days later), both inclusive and in "
    "UTC, at most 92 days apart. What is offered here is what `POST /requests` admits.",
    public=True,
    query=query({"startDate": DATE, "endDate": DATE}),
    response=shape(
        {
            "mentorId": ID,
            "sessionDuration": SESSION_DURATION,
            "bufferTime": BUFFER_TIME,
            "timezone": TEXT,
            "slots": list_of(SLOT),
        }
    ),
)
