"""The mentor's own profile, windows and figures."""

from mentorapi.schemas.common import (
    BUFFER_TIME,
    COUNT,
    CURRENCY,
    MEETING_LINK,
    MENTOR_ID,
    MENTOR_USER_ID,
    RATE,
    SESSION_DURATION,
    TEXT,
    TIMEZONE,
    URL,
    choice,
    closed_object,
    empty_is_null,
    line,
    multiline,
    no_script,
    nullable,
    response_object,
    visible_line,
    with_example,
)
from mentorapi.schemas.mentors import (
    BIO,
    EXPERTISE,
    HEADLINE,
    IMAGE_URL,
    LOCATION,
    NAME,
    RATING,
)
from mentorapi.schemas.operation import Operation

MAX_LINKS = 20
LINKS = {
    "type": "object",
    "additionalProperties": URL,
    "description": "Names of one's own choosing and where they lead.",
    "examples": [{"linkedin": "https://linkedin.example.com/in/amara-okafor"}],
}
VISIBILITY = choice("public", "private")

PROFILE = response_object(
    "Profile",
    {
        "id": MENTOR_ID,
        "userId": MENTOR_USER_ID,
        "fullName": NAME,
        "headline": HEADLINE,
        "bio": BIO,
        "expertise": EXPERTISE,
        "location": LOCATION,
        "profileImageUrl": IMAGE_URL,
        "links": LINKS,
        "sessionDuration": SESSION_DURATION,
        "bufferTime": BUFFER_TIME,
        "timezone": TIMEZONE,
        "defaultMeetingLink": MEETING_LINK,
        "sessionRate": RATE,
        "sessionCurrency": CURRENCY,
        "visibility": VISIBILITY,
    },
)

SHOW = Operation(
    name="getMyProfile",
    summary="One's own mentor profile, and how complete it is",
    description="`message` is there while `profileCompleteness` is below 100.",
    response=closed_object(
        "MyProfile",
        {
            "profile": {"anyOf": [PROFILE, {"type": "null"}]},
            "isProfileCreated": {"type": "boolean", "examples": [True]},
            "profileCompleteness": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100,
                "description": "Percent.",
                "examples": [85],
            },
            "message": with_example(TEXT, "Complete your profile to get started"),
        },
        ["profile", "isProfileCreated", "profileCompleteness"],
    ),
)

UPDATE = Operation(
    name="updateMyProfile",
    summary="Update one's own mentor profile",
    merge_patch=True,
    description="A merge patch (RFC 7396): a field left out stays, `null` clears what may be "
    "empty, within `links` (20 at most) as well. `fullName: null` goes back to the token's name. "
    "The first call makes the profile.",
    # 160 KiB where every character of bio, expertise and links is escaped.
    max_body=256 * 1024,
    body=closed_object(
        "ProfileUpdate",
        {
            "fullName": nullable(visible_line(120, examples=NAME["examples"])),
            "headline": nullable(line(200, examples=HEADLINE["examples"])),
            "bio": nullable(multiline(5000, examples=BIO["examples"])),
            "expertise": nullable(
                {
                    "type": "array",
                    "items": visible_line(60),
                    "maxItems": 50,
                    "examples": EXPERTISE["examples"],
                }
            ),
            "profileImageUrl": nullable(with_example(URL, *IMAGE_URL["examples"])),
            "links": nullable(
                {
                    **LINKS,
                    "additionalProperties": nullable(URL),
                    "propertyNames": visible_line(60),
                    # As many as there may be, all replaced by others.
                    "maxProperties": 2 * MAX_LINKS,
                }
            ),
            "location": empty_is_null(
                nullable(no_script(line(200, examples=LOCATION["examples"])))
            ),
            "sessionRate": RATE,
            "sessionCurrency": CURRENCY,
            "visibility": VISIBILITY,
        },
    ),
    response=PROFILE,
)

DASHBOARD = Operation(
    name="getDashboard",
    summary="The mentor's own figures",
    description="Sessions count once the mentee has confirmed them. Earnings are those in the "
    "profile's current currency, at the rate of the time each request was made.",
    response=response_object(
        "Dashboard",
        {
            "totalMentees": with_example(COUNT, 12),
            "totalEarnings": {"type": "number", "minimum": 0, "examples": [1125000]},
            "totalSessions": with_example(COUNT, 45),
            "pendingBookings": with_example(COUNT, 3),
            "upcomingBookings": with_example(COUNT, 5),
            "avgRating": RATING,
            "totalReviews": with_example(COUNT, 24),
        },
    ),
)
