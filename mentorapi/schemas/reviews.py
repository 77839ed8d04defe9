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
    array_of,
    choice,
    closed_object,
    multiline,
    query_object,
    response_object,
    with_example,
)
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import REVIEW as SESSION_REVIEW
from mentorapi.schemas.sessions import SESSION

REVIEW = response_object(
    "Review",
    {
        "id": with_example(ID, examples.REVIEW_ID),
        "rating": STARS,
        "comment": COMMENT,
        "mentee": MENTEE,
        "createdAt": INSTANT,
    },
)

OWN_REVIEW = response_object(
    "MyReview",
    {
        "id": with_example(ID, examples.REVIEW_ID),
        "sessionId": with_example(ID, examples.SESSION_ID),
        "rating": STARS,
        "comment": COMMENT,
        "mentor": MENTOR,
        "mentee": MENTEE,
        "createdAt": INSTANT,
    },
)

LIST = Operation(
    name="listMentorReviews",
    summary="The reviews of a mentor, newest first",
    description="A page of them, with how many there are in `meta`.",
    public=True,
    query=query_object(META_PAGING),
    response=response_object("ReviewPage", {"data": array_of(REVIEW), "meta": META}),
)

LIST_OWN = Operation(
    name="listMyReviews",
    summary="Reviews received as a mentor or given as a mentee, newest first",
    description="`role=mentor` lists those one received and needs a mentor profile, "
    "`role=mentee` those one gave.",
    query=query_object({"role": choice("mentor", "mentee"), **ARRAY_PAGING}, ["role"]),
    response=array_of(OWN_REVIEW),
)

REVIEWED = {name: field["examples"][0] for name, field in SESSION_REVIEW["properties"].items()}

CREATE = Operation(
    name="reviewSession",
    summary="The mentee reviews a completed session",
    description="Once, after the mentee has confirmed its completion.",
    status=201,
    body=closed_object(
        "NewReview",
        {"rating": STARS, "comment": multiline(1000, examples=COMMENT["examples"])},
        ["rating"],
    ),
    response=SESSION,
    example={"status": "completed", "review": REVIEWED},
)
