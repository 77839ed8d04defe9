"""The mentor's own profile, windows and figures."""

from mentorapi.schemas.common import (
    ARRAY_PAGING,
    BUFFER_TIME,
    COUNT,
    CURRENCY,
    END_TIME,
    ID,
    INSTANT,
    MENTEE,
    MENTOR,
    NULLABLE_TEXT,
    RATE,
    SESSION_DURATION,
    TEXT,
    TIME,
    URL,
    USER_ID,
    choice,
    fields,
    free_text,
    list_of,
    optional,
    query,
    shape,
    text,
)
from mentorapi.schemas.mentors import DAY_OF_WEEK, RATING
from mentorapi.schemas.operation import Operation

LINKS = {"type": "object", "additionalProperties": URL}
VISIBILITY = choice("public", "private")

PROFILE = shape(
    {
        "id": ID,
        "userId": USER_ID,
        "fullName": NULLABLE_TEXT,
        "headline": NULLABLE_TEXT,
        "bio": NULLABLE_TEXT,
        "expertise": list_of(TEXT),
        "location": NULLABLE_TEXT,
        "profileImageUrl": NULLABLE_TEXT,
        "links": LINKS,
        "sessionDuration": SESSION_DURATION,
        "bufferTime": BUFFER_TIME,
        "timezone": TEXT,
        "defaultMeetingLink": NULLABLE_TEXT,
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
        "visibility": VISIBILITY,
    }
)

SHOW_PROFILE = Operation(
    summary="One's own mentor profile, and how complete it is",
    description="`message` is there while `profileCompleteness` is below 100.",
    response=fields(
        {
            "profile": {"anyOf": [PROFILE, {"type": "null"}]},
            "isProfileCreated": {"type": "boolean"},
            "profileCompleteness": {"type": "integer", "minimum": 0, "maximum": 100},
            "message": TEXT,
        },
        ["profile", "isProfileCreated", "profileCompleteness"],
    ),
)

UPDATE_PROFILE = Operation(
    summary="Update one's own mentor profile",
    description="A merge patch: a field left out stays, `null` clears what may be empty. The "
    "first call makes the profile.",
    body=fields(
        {
            "fullName": optional(text(120)),
            "headline": optional(free_text(200)),
            "bio": optional(free_text(5000)),
            "expertise": optional({"type": "array", "items": text(60), "maxItems": 50}),
            "profileImageUrl": optional(URL),
            "links": optional(
                {
                    "type": "object",
                    "propertyNames": {"minLength": 1, "maxLength": 60},
                    "additionalProperties": URL,
                    "maxProperties": 20,
                }
            ),
            "location": optional(free_text(200)),
            "sessionRate": RATE,
            "sessionCurrency": CURRENCY,
            "visibility": VISIBILITY,
        }
    ),
    response=PROFILE,
)

UPLOAD_IMAGE = Operation(
    summary="Upload a new profile image",
    description="`multipart/form-data` with one part, `file`: a JPEG, PNG or WebP image of at "
    "most 5 MiB. It is turned upright, scaled down to 512 x 512 at most and kept as WebP.",
    response=PROFILE,
)

WINDOW = {"dayOfWeek": DAY_OF_WEEK, "startTime": TIME, "endTime": END_TIME}

AVAILABILITY = shape(
    {
        "sessionDuration": SESSION_DURATION,
        "bufferTime": BUFFER_TIME,
        "timezone": TEXT,
        "defaultMeetingLink": NULLABLE_TEXT,
        "slots": list_of(shape({"id": ID, **WINDOW})),
    }
)

SHOW_AVAILABILITY = Operation(
    summary="One's own weekly windows and booking settings", response=AVAILABILITY
)

REPLACE_AVAILABILITY = Operation(
    summary="Replace one's own weekly windows",
    description="Windows are weekly and in UTC, Monday is 0. Those of one mentor never overlap. "
    "Settings that are left out stay. The first call makes the profile.",
    body=fields(
        {
            "slots": {"type": "array", "items": fields(WINDOW, list(WINDOW)), "maxItems": 500},
            "sessionDuration": SESSION_DURATION,
            "bufferTime": BUFFER_TIME,
            "timezone": text(64),
            "defaultMeetingLink": optional(URL),
        },
        ["slots"],
    ),
    response=AVAILABILITY,
)

DELETE_WINDOW = Operation(summary="Delete one weekly window", response=shape({"message": TEXT}))

DASHBOARD = Operation(
    summary="The mentor's own figures",
    description="Sessions count once the mentee has confirmed them. Earnings are those in the "
    "profile's current currency, at the rate of the time each request was accepted.",
    response=shape(
        {
            "totalMentees": COUNT,
            "totalEarnings": {"type": "number", "minimum": 0},
            "totalSessions": COUNT,
            "pendingBookings": COUNT,
            "upcomingBookings": COUNT,
            "avgRating": RATING,
            "totalReviews": COUNT,
        }
    ),
)

OWN_REVIEW = shape(
    {
        "id": ID,
        "sessionId": ID,
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "comment": NULLABLE_TEXT,
        "mentor": MENTOR,
        "mentee": MENTEE,
        "createdAt": INSTANT,
    }
)

REVIEWS = Operation(
    summary="Reviews received as a mentor or given as a mentee, newest first",
    query=query({"role": choice("mentor", "mentee"), **ARRAY_PAGING}, ["role"]),
    response=list_of(OWN_REVIEW),
)
