"""People and ids in the examples of the OpenAPI document. ``run.py demo`` uses the same ids."""

MENTOR_USER, MENTEE_USER = "demo-mentor", "demo-mentee"

#: Amara Okafor's profile and one of her weekly windows.
MENTOR_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00001"
WINDOW_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00002"
#: A pending request of the mentee to her.
REQUEST_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00003"
#: A confirmed session of these two.
SESSION_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00004"
TIME_OFF_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00007"
REVIEW_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00005"

#: A mentor to whom the mentee has no pending request.
FREE_MENTOR_USER, FREE_MENTOR_ID = "siobhan-ni-bhriain", "01936b3e-7c00-7a11-8a5e-5e0c0de00006"

#: A Monday and its Friday. They are far ahead, so that the examples can be sent for years.
MONDAY, FRIDAY = "2031-02-10", "2031-02-14"

#: Time off begins within two years, so that these can be sent until 2028 only.
TIME_OFF_START, TIME_OFF_END = "2028-02-14", "2028-02-18"
