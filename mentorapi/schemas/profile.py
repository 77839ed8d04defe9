"""The mentor's own profile, windows and figures."""

from mentorapi.schemas import examples
from mentorapi.schemas.common import (
    ARRAY_PAGING,
    BUFFER_TIME,
    COMMENT,
    COUNT,
    CURRENCY,
    END_TIME,
    ID,
    INSTANT,
    MEETING_LINK,
    MENTEE,
    MENTOR,
    MENTOR_ID,
    MENTOR_USER_ID,
    RATE,
    SESSION_DURATION,
    STARS,
    TEXT,
    TIME,
    TIMEZONE,
    URL,
    choice,
    empty_is_null,
    fields,
    free_line,
    free_text,
    list_of,
    named,
    no_script,
    optional,
    query,
    shape,
    such_as,
    text,
)
from mentorapi.schemas.images import MAX_UPLOAD
from mentorapi.schemas.mentors import (
    BIO,
    DAY_OF_WEEK,
    EXPERTISE,
    HEADLINE,
    IMAGE_URL,
    LOCATION,
    NAME,
    RATING,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Schema

MAX_LINKS = 20
LINKS = {
    "type": "object",
    "additionalProperties": URL,
    "description": "Names of one's own choosing and where they lead.",
    "examples": [{"linkedin": "https://linkedin.example.com/in/amara-okafor"}],
}
VISIBILITY = choice("public", "private")

PROFILE = named(
    "Profile",
    shape(
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
        }
    ),
)

SHOW_PROFILE = Operation(
    name="getMyProfile",
    summary="One's own mentor profile, and how complete it is",
    description="`message` is there while `profileCompleteness` is below 100.",
    response=named(
        "MyProfile",
        fields(
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
                "message": such_as(TEXT, "Complete your profile to get started"),
            },
            ["profile", "isProfileCreated", "profileCompleteness"],
        ),
    ),
)

UPDATE_PROFILE = Operation(
    name="updateMyProfile",
    summary="Update one's own mentor profile",
    merge_patch=True,
    description="A merge patch (RFC 7396): a field left out stays, `null` clears what may be "
    "empty, within `links` (20 at most) as well. `fullName: null` goes back to the token's name. "
    "The first call makes the profile.",
    # 160 KiB where every character of bio, expertise and links is escaped.
    max_body=256 * 1024,
    body=named(
        "ProfileUpdate",
        fields(
            {
                "fullName": optional(text(120, examples=NAME["examples"])),
                "headline": optional(free_line(200, examples=HEADLINE["examples"])),
                "bio": optional(free_text(5000, examples=BIO["examples"])),
                "expertise": optional(
                    {
                        "type": "array",
                        "items": text(60),
                        "maxItems": 50,
                        "examples": EXPERTISE["examples"],
                    }
                ),
                "profileImageUrl": optional(such_as(URL, *IMAGE_URL["examples"])),
                "links": optional(
                    {
                        **LINKS,
                        "additionalProperties": optional(URL),
                        "propertyNames": text(60),
                        # As many as there may be, all replaced by others.
                        "maxProperties": 2 * MAX_LINKS,
                    }
                ),
                "location": empty_is_null(
                    optional(no_script(free_line(200, examples=LOCATION["examples"])))
                ),
                "sessionRate": RATE,
                "sessionCurrency": CURRENCY,
                "visibility": VISIBILITY,
            }
        ),
    ),
    response=PROFILE,
)

UPLOAD_IMAGE = Operation(
    name="uploadProfileImage",
    summary="Upload a new profile image",
    description="One part, `file`: a JPEG, PNG, WebP or GIF image of at most 5 MiB, 25 "
    "megapixels and 10,000 pixels on each side. It is turned upright, scaled down to 512 x 512 at "
    "most and kept as WebP. The first upload makes the profile. Images of one user are taken one "
    "after the other, five at once at most; the sixth is a 503.",
    # The image and what multipart puts around it.
    max_body=MAX_UPLOAD + 64 * 1024,
    form=named("ImageUpload", fields({"file": {"type": "string", "format": "binary"}}, ["file"])),
    response=PROFILE,
)

WINDOW: dict[str, Schema] = {"dayOfWeek": DAY_OF_WEEK, "startTime": TIME, "endTime": END_TIME}
#: Of a window that was read before.
WINDOW_ID = {
    "type": ["string", "null"],
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "x-message": "must be the id of a window, a UUID",
    "description": "The window keeps this id if it is that of one of your windows. Other ids are "
    "ignored.",
    "examples": [examples.WINDOW_ID],
}

AVAILABILITY = named(
    "Availability",
    shape(
        {
            "sessionDuration": SESSION_DURATION,
            "bufferTime": BUFFER_TIME,
            "timezone": TIMEZONE,
            "defaultMeetingLink": MEETING_LINK,
            "slots": list_of(
                named(
                    "AvailabilityWindow", shape({"id": such_as(ID, examples.WINDOW_ID), **WINDOW})
                )
            ),
        }
    ),
)

SHOW_AVAILABILITY = Operation(
    name="getMyAvailability",
    summary="One's own weekly windows and booking settings",
    description="The windows recur every week; `GET /mentors/{mentorId}/availability` shows the "
    "times that come of them.",
    response=AVAILABILITY,
)

REPLACE_AVAILABILITY = Operation(
    name="setMyAvailability",
    summary="Replace one's own weekly windows",
    description="Windows are weekly and in UTC, Monday is 0. Those of one mentor never overlap. "
    "Settings that are left out stay. What `GET /mentor/availability` answers can be sent back: a "
    "window that is unchanged, or that is sent with its `id`, keeps its `id`. The first call makes "
    "the profile.",
    # 500 windows, indented and with ids, take 75 KiB.
    max_body=128 * 1024,
    body=named(
        "AvailabilityUpdate",
        fields(
            {
                "slots": {
                    "type": "array",
                    "items": named(
                        "NewAvailabilityWindow", fields({"id": WINDOW_ID, **WINDOW}, list(WINDOW))
                    ),
                    "maxItems": 500,
                },
                "sessionDuration": SESSION_DURATION,
                "bufferTime": BUFFER_TIME,
                "timezone": such_as(text(64), *TIMEZONE["examples"]),
                "defaultMeetingLink": optional(such_as(URL, *MEETING_LINK["examples"])),
            },
            ["slots"],
        ),
    ),
    response=AVAILABILITY,
)

DELETE_WINDOW = Operation(
    name="deleteAvailabilityWindow",
    summary="Delete one weekly window",
    description="Sessions that were booked in it stay.",
    response=named("Message", shape({"message": such_as(TEXT, "Availability pattern deleted")})),
)

DASHBOARD = Operation(
    name="getDashboard",
    summary="The mentor's own figures",
    description="Sessions count once the mentee has confirmed them. Earnings are those in the "
    "profile's current currency, at the rate of the time each request was made.",
    response=named(
        "Dashboard",
        shape(
            {
                "totalMentees": such_as(COUNT, 12),
                "totalEarnings": {"type": "number", "minimum": 0, "examples": [1125000]},
                "totalSessions": such_as(COUNT, 45),
                "pendingBookings": such_as(COUNT, 3),
                "upcomingBookings": such_as(COUNT, 5),
                "avgRating": RATING,
                "totalReviews": such_as(COUNT, 24),
            }
        ),
    ),
)

OWN_REVIEW = named(
    "MyReview",
    shape(
        {
            "id": such_as(ID, examples.REVIEW_ID),
            "sessionId": such_as(ID, examples.SESSION_ID),
            "rating": STARS,
            "comment": COMMENT,
            "mentor": MENTOR,
            "mentee": MENTEE,
            "createdAt": INSTANT,
        }
    ),
)

REVIEWS = Operation(
    name="listMyReviews",
    summary="Reviews received as a mentor or given as a mentee, newest first",
    description="`role=mentor` lists those one received and needs a mentor profile, "
    "`role=mentee` those one gave.",
    query=query({"role": choice("mentor", "mentee"), **ARRAY_PAGING}, ["role"]),
    response=list_of(OWN_REVIEW),
)
