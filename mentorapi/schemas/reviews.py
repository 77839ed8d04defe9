"""Reviews of completed sessions."""

from mentorapi.schemas import common, examples, sessions
from mentorapi.schemas.operation import Operation

REVIEW = common.response_object(
    "Review",
    id=common.with_example(common.ID, examples.REVIEW_ID),
    rating=common.STARS,
    comment=common.COMMENT,
    mentee=common.MENTEE,
    createdAt=common.INSTANT,
)

OWN_REVIEW = common.response_object(
    "MyReview",
    id=common.with_example(common.ID, examples.REVIEW_ID),
    sessionId=common.with_example(common.ID, examples.SESSION_ID),
    rating=common.STARS,
    comment=common.COMMENT,
    mentor=common.MENTOR,
    mentee=common.MENTEE,
    createdAt=common.INSTANT,
)

LIST = Operation(
    name="listMentorReviews",
    summary="The reviews of a mentor, newest first",
    description="A page of them. `meta` has the number of all.",
    public=True,
    query=common.query_object(**common.META_PAGING),
    response=common.response_object("ReviewPage", data=common.array_of(REVIEW), meta=common.META),
)

LIST_OWN = Operation(
    name="listMyReviews",
    summary="Reviews received as a mentor or given as a mentee, newest first",
    description="`role=mentor` lists those that the caller received and needs a mentor profile, "
    "`role=mentee` those that the caller gave.",
    query=common.query_object(
        ["role"], role=common.choice("mentor", "mentee"), **common.ARRAY_PAGING
    ),
    response=common.array_of(OWN_REVIEW),
)

REVIEWED = {name: field["examples"][0] for name, field in sessions.REVIEW["properties"].items()}

CREATE = Operation(
    name="reviewSession",
    summary="The mentee reviews a completed session",
    description="Once, after the mentee has confirmed its completion.",
    status=201,
    body=common.closed_object(
        "NewReview",
        ["rating"],
        rating=common.STARS,
        comment=common.multiline(1000, examples=common.COMMENT["examples"]),
    ),
    response=sessions.SESSION,
    example={"status": "completed", "review": REVIEWED},
)
