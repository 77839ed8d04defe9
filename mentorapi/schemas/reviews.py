"""Reviews of completed sessions."""

from mentorapi.schemas import examples
from mentorapi.schemas.common import (
    ARRAY_PAGING,
    COMMENT,
    ID,
    INSTANT,
    MENTEE,
    MENTOR,
    META,
    META_PAGING,
    STARS,
    choice,
    fields,
    free_text,
    list_of,
    named,
    query,
    shape,
    such_as,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import REVIEW as SESSION_REVIEW
from mentorapi.schemas.sessions import SESSION

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

LIST = Operation(
    name="listMentorReviews",
    summary="The reviews of a mentor, newest first",
    description="A page of them, with how many there are in `meta`.",
    public=True,
    query=query(META_PAGING),
    response=named("ReviewPage", shape({"data": list_of(REVIEW), "meta": META})),
)

LIST_OWN = Operation(
    name="listMyReviews",
    summary="Reviews received as a mentor or given as a mentee, newest first",
    description="`role=mentor` lists those one received and needs a mentor profile, "
    "`role=mentee` those one gave.",
    query=query({"role": choice("mentor", "mentee"), **ARRAY_PAGING}, ["role"]),
    response=list_of(OWN_REVIEW),
)

REVIEWED = {name: field["examples"][0] for name, field in SESSION_REVIEW["properties"].items()}

CREATE = Operation(
    name="reviewSession",
    summary="The mentee reviews a completed session",
    description="Once, after the mentee has confirmed its completion.",
    status=201,
    body=named(
        "NewReview",
        fields(
            {"rating": STARS, "comment": free_text(1000, examples=COMMENT["examples"])}, ["rating"]
        ),
    ),
    response=SESSION,
    example={"status": "completed", "review": REVIEWED},
)
