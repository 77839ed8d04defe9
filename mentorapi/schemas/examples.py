"""What the examples of the description are about: people, and ids that ``run.py demo`` uses too."""

MENTOR_USER, MENTEE_USER = "demo-mentor", "demo-mentee"

#: Amara Okafor's profile and one of her weekly windows.
MENTOR_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00001"
WINDOW_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00002"
#: What the mentee asked her for and still waits for.
REQUEST_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00003"
#: A confirmed session of the two.
SESSION_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00004"
REVIEW_ID = "01936b3e-7c00-7a11-8a5e-5e0c0de00005"

#: A mentor whom the mentee can ask: no request of hers waits there.
FREE_MENTOR_USER, FREE_MENTOR_ID = "siobhan-ni-bhriain", "01936b3e-7c00-7a11-8a5e-5e0c0de00006"

#: A Monday so far off that what is asked for it can be sent for years to come: weekly windows go on
#: and on.
MONDAY, FRIDAY = "2031-02-10", "2031-02-14"
