"""Reviews of completed sessions."""

from mentorapi.schemas import common, examples, sessions
from mentorapi.schemas.operation import Operation

REVIEW = common.response_object(
    "Review",
    **common.pick(sessions.REVIEW, "id rating comment"),
    mentee=common.MENTEE,
    createdAt=common.INSTANT,
)

OWN_REVIEW = common.response_object(
    "MyReview",
    id=common.uuid(examples.REVIEW_ID),
    sessionId=common.uuid(examples.SESSION_ID),
    **common.pick(sessions.REVIEW, "rating comment"),
    **common.pick(sessions.SESSION, "mentor mentee createdAt"),
)

META = common.response_object(
    "PageMeta",
    total=common.count(24),
    page=common.count(1),
    limit=common.count(10),
    totalPages=common.count(3),
)

LIST_OF_MENTOR = Operation(
    name="listMentorReviews",
    summary="The reviews of a mentor, newest first",
    description="A page of them. `meta` has the number of all.",
    public=True,
    query=common.query_object(**common.paging_parameters(10, 50)),
    response=common.response_object("ReviewPage", data=common.array_of(REVIEW), meta=META),
)

LIST_OWN = Operation(
    name="listMyReviews",
    summary="Reviews received as a mentor or given as a mentee, newest first",
    description="`role=mentor` lists those that the caller received and needs a mentor profile, "
    "`role=mentee` those that the caller gave.",
    **common.list_of(OWN_REVIEW, ["role"], role=common.choice("mentor", "mentee")),
)

CREATE = Operation(
    name="reviewSession",
    summary="The mentee reviews a completed session",
    description="Once, after the mentee has confirmed its completion.",
    status=201,
    body=common.closed_object(
        "NewReview",
        ["rating"],
        rating=sessions.REVIEW["properties"]["rating"],
        comment=sessions.REVIEW["properties"]["comment"] | common.multiline(1000),
    ),
    response=sessions.SESSION,
    example={
        "status": "completed",
        "review": {
            name: field["examples"][0] for name, field in sessions.REVIEW["properties"].items()
        },
    },
)
