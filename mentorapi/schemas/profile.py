"""The mentor's own profile and figures."""

from mentorapi.schemas import common, mentors
from mentorapi.schemas.operation import Operation

MAX_LINKS = 20
LINKS = {
    "type": "object",
    "additionalProperties": common.URL,
    "description": "URLs by name. The mentor chooses the names.",
    "examples": [{"linkedin": "https://linkedin.example.com/in/amara-okafor"}],
}
VISIBILITY = common.choice("public", "private")

PROFILE = common.response_object(
    "Profile",
    id=common.MENTOR_ID,
    userId=common.MENTOR_USER_ID,
    fullName=mentors.NAME,
    headline=mentors.HEADLINE,
    bio=mentors.BIO,
    expertise=mentors.EXPERTISE,
    languages=mentors.LANGUAGES,
    location=mentors.LOCATION,
    profileImageUrl=mentors.IMAGE_URL,
    links=LINKS,
    sessionDuration=common.SESSION_DURATION,
    bufferTime=common.BUFFER_TIME,
    timezone=common.TIMEZONE,
    defaultMeetingLink=common.MEETING_LINK,
    sessionRate=common.RATE,
    sessionCurrency=common.CURRENCY,
    visibility=VISIBILITY,
)

SHOW = Operation(
    name="getMyProfile",
    summary="The caller's mentor profile, and how complete it is",
    description="`message` is present while `profileCompleteness` is below 100.",
    response=common.closed_object(
        "MyProfile",
        ["profile", "isProfileCreated", "profileCompleteness"],
        profile={"anyOf": [PROFILE, {"type": "null"}]},
        isProfileCreated={"type": "boolean", "examples": [True]},
        profileCompleteness=common.with_example(common.integer(0, 100), 85, "Percent."),
        message=common.with_example(common.TEXT, "Complete your profile to get started"),
    ),
)

UPDATE = Operation(
    name="updateMyProfile",
    summary="Update the caller's mentor profile",
    merge_patch=True,
    description="A merge patch (RFC 7396): a field that is left out stays, `null` clears one that "
    "may be empty. This holds within `links` (20 at most), too. `fullName: null` restores the name "
    "in the token. The first call creates the profile.",
    # 160 KiB where every character of bio, expertise and links is escaped.
    max_body=256 * 1024,
    body=common.closed_object(
        "ProfileUpdate",
        fullName=common.nullable(common.visible_line(120, examples=mentors.NAME["examples"])),
        headline=common.nullable(common.line(200, examples=mentors.HEADLINE["examples"])),
        bio=common.nullable(common.multiline(5000, examples=mentors.BIO["examples"])),
        expertise=common.nullable(
            {
                "type": "array",
                "items": common.visible_line(60),
                "maxItems": 50,
                "examples": mentors.EXPERTISE["examples"],
            }
        ),
        languages=common.nullable(
            {
                "type": "array",
                "items": common.LANGUAGE,
                "maxItems": 10,
                "description": "BCP 47 tags, stored in their canonical form, each once.",
                "examples": mentors.LANGUAGES["examples"],
            }
        ),
        profileImageUrl=common.nullable(
            common.with_example(common.URL, *mentors.IMAGE_URL["examples"])
        ),
        links=common.nullable(
            {
                **LINKS,
                "additionalProperties": common.nullable(common.URL),
                "propertyNames": common.visible_line(60),
                # A patch may remove all links and add as many.
                "maxProperties": 2 * MAX_LINKS,
            }
        ),
        location=common.empty_is_null(
            common.nullable(
                common.no_script(common.line(200, examples=mentors.LOCATION["examples"]))
            )
        ),
        sessionRate=common.RATE,
        sessionCurrency=common.CURRENCY,
        visibility=VISIBILITY,
    ),
    response=PROFILE,
)

DASHBOARD = Operation(
    name="getDashboard",
    summary="The figures of a mentor",
    description="Sessions count when the mentee has confirmed them. Earnings are those in the "
    "profile's current currency, at the rate that held when each request was made.",
    response=common.response_object(
        "Dashboard",
        totalMentees=common.with_example(common.COUNT, 12),
        totalEarnings={"type": "number", "minimum": 0, "examples": [1125000]},
        totalSessions=common.with_example(common.COUNT, 45),
        pendingBookings=common.with_example(common.COUNT, 3),
        upcomingBookings=common.with_example(common.COUNT, 5),
        avgRating=mentors.RATING,
        totalReviews=common.with_example(common.COUNT, 24),
    ),
)
