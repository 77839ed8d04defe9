"""The mentor's own profile and figures."""

from mentorapi.schemas import common, mentors
from mentorapi.schemas.operation import Operation

MAX_LINKS = 20
LINKS = common.with_example(
    {"type": "object", "additionalProperties": common.URL},
    {"linkedin": "https://linkedin.example.com/in/amara-okafor"},
    "URLs by name. The mentor chooses the names.",
)

PROFILE = common.response_object(
    "Profile",
    **common.pick(mentors.PAGE, "id userId fullName headline bio expertise languages location"),
    **common.pick(mentors.PAGE, "profileImageUrl"),
    links=LINKS,
    **common.pick(mentors.PAGE, "sessionDuration bufferTime timezone defaultMeetingLink"),
    **common.pick(mentors.PAGE, "sessionRate sessionCurrency"),
    visibility=common.choice("public", "private"),
)

SHOW = Operation(
    name="getMyProfile",
    summary="The caller's mentor profile, and how complete it is",
    description="`message` is present while `profileCompleteness` is below 100.",
    response=common.closed_object(
        "MyProfile",
        ["profile", "isProfileCreated", "profileCompleteness"],
        profile={"anyOf": [PROFILE, {"type": "null"}]},
        isProfileCreated=common.boolean(True),
        profileCompleteness=common.with_example(common.integer(0, 100), 85, "Percent."),
        message=common.text("Complete your profile to get started"),
    ),
)

SHOWN = PROFILE["properties"]

UPDATE = Operation(
    name="updateMyProfile",
    summary="Update the caller's mentor profile",
    merge_patch=True,
    description="A merge patch (RFC 7396): a field that is left out stays, `null` clears one that "
    "may be empty. This holds within `links` (20 at most), too. `fullName: null` restores the name "
    "in the token. The first call creates the profile.",
    # 160 KiB where every character of bio, expertise and links is escaped.
    max_body=256 * 1024,
    # Each field has its own limits; type (null included) and example are those of the response.
    body=common.closed_object(
        "ProfileUpdate",
        fullName=common.visible_line(120) | SHOWN["fullName"],
        headline=common.line(200) | SHOWN["headline"],
        bio=common.multiline(5000) | SHOWN["bio"],
        expertise=common.nullable(
            SHOWN["expertise"] | common.array_of(common.visible_line(60), 50)
        ),
        languages=common.nullable(
            SHOWN["languages"]
            | common.array_of(common.LANGUAGE, 10)
            | {"description": "BCP 47 tags, stored in their canonical form, each once."}
        ),
        profileImageUrl=common.URL | SHOWN["profileImageUrl"],
        links=common.nullable(LINKS)
        | {
            "additionalProperties": common.nullable(common.URL),
            "propertyNames": common.visible_line(60),
            # A patch may remove all links and add as many.
            "maxProperties": 2 * MAX_LINKS,
        },
        location=common.LOCATION | SHOWN["location"],
        sessionRate=common.RATE,
        sessionCurrency=common.CURRENCY,
        visibility=SHOWN["visibility"],
    ),
    response=PROFILE,
)

SHOW_DASHBOARD = Operation(
    name="getDashboard",
    summary="The figures of a mentor",
    description="Sessions count when the mentee has confirmed them. Earnings are those in the "
    "profile's current currency, at the rate that held when each request was made.",
    response=common.response_object(
        "Dashboard",
        totalMentees=common.count(12),
        totalEarnings={"type": "number", "minimum": 0, "examples": [1125000]},
        totalSessions=common.count(45),
        pendingBookings=common.count(3),
        upcomingBookings=common.count(5),
        avgRating=mentors.RATING,
        totalReviews=common.count(24),
    ),
)
