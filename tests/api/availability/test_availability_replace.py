"""PUT /mentor/availability: replace the windows, merge the settings."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.client import ALWAYS, Api, Response, User, day_after_tomorrow, fields_of

PATH = "/mentor/availability"


def window(start: str = "09:00", end: str = "10:00", day: Any = 0, **more: Any) -> dict[str, Any]:
    return {"dayOfWeek": day, "startTime": start, "endTime": end, **more}


async def put(user: User, *windows: Any, **settings: Any) -> Response:
    return await user.put(PATH, {"slots": list(windows), **settings})


def times(response: Response) -> list[tuple[int, str, str]]:
    assert response.status == 200, response
    return [
        (slot["dayOfWeek"], slot["startTime"], slot["endTime"]) for slot in response.json["slots"]
    ]


async def test_put_first_windows_creates_profile_with_name_of_token(api: Api) -> None:
    user = api.user("mia", name="Mia Mentor", picture="https://example.com/mia.png")
    await put(user, window())
    profile = (await user.ok("GET", "/mentor/me"))["profile"]
    assert profile["fullName"] == "Mia Mentor"
    assert profile["profileImageUrl"] == "https://example.com/mia.png"
    assert profile["visibility"] == "public"


async def test_put_windows_replaces_all_others(api: Api) -> None:
    user = api.user("mia")
    first = await put(user, window("09:00", "10:00"), window("09:00", "10:00", day=1))
    second = await put(user, window("09:30", "11:00"))
    assert times(second) == [(0, "09:30", "11:00")]
    assert times(await user.get(PATH)) == [(0, "09:30", "11:00")]
    assert second.json["slots"][0]["id"] not in [slot["id"] for slot in first.json["slots"]]


async def test_put_no_windows_succeeds(api: Api) -> None:
    user = api.user("mia")
    await put(user, window())
    assert times(await put(user)) == []


async def test_put_without_settings_keeps_them(api: Api) -> None:
    user = api.user("mia")
    settings = {
        "sessionDuration": 90,
        "bufferTime": 30,
        "timezone": "WAT",
        "defaultMeetingLink": "https://meet.google.com/abc",
    }
    await put(user, **settings)
    for name, value in {
        "sessionDuration": 120,
        "bufferTime": 0,
        "timezone": "Africa/Lagos",
        "defaultMeetingLink": "http://example.com/room?id=7#top",
    }.items():
        settings[name] = value
        response = (await put(user, window(), **{name: value})).json
        assert {name: response[name] for name in settings} == settings
    assert len((await put(user, window())).json["slots"]) == 1


async def test_put_null_meeting_link_clears_it(api: Api) -> None:
    user = api.user("mia")
    await put(user, defaultMeetingLink="https://example.com/room")
    assert (await put(user, defaultMeetingLink=None)).json["defaultMeetingLink"] is None


async def test_put_settings_shows_them_in_profile_and_slots(api: Api) -> None:
    mentor = await api.mentor(sessionDuration=30, bufferTime=15, timezone="WAT")
    profile = (await mentor.ok("GET", "/mentor/me"))["profile"]
    slots = (await api.nobody.get(f"/mentors/{mentor.id}/availability")).json
    for shown in (profile, slots):
        assert (shown["sessionDuration"], shown["bufferTime"], shown["timezone"]) == (30, 15, "WAT")


#: Settings, values that are valid, and values that are not.
RANGES: list[tuple[str, list[Any], list[Any]]] = [
    (
        "sessionDuration",
        [30, 60, 90, 120, 60.0],
        [0, 15, 45, 61, 150, -30, 60.5, "60", True, [60]],
    ),
    (
        "bufferTime",
        [0, 15, 30, 45, 15.0],
        [-15, 5, 60, 0.5, "15", False, {}],
    ),
    ("timezone", ["WAT", "x" * 64, "Zürich"], ["", " ", "x" * 65, 1, ["WAT"]]),
    (
        "defaultMeetingLink",
        ["http://localhost:3000/x", "https://例え.jp/部屋", "https://e.com/" + "x" * 2034],
        [
            "meet.google.com/abc",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://example.com",
            "//example.com",
            "https://",
            "https:///path",
            "https://exa mple.com",
            "https://example.com/\r\nSet-Cookie: a=b",
            "https://example.com/\t",
            "https://example.com:99999/",
            "https://[::1",
            "https://e.com/" + "x" * 2035,
            5,
            {},
        ],
    ),
]


async def test_put_setting_out_of_range_is_refused(api: Api) -> None:
    user = api.user("mia")
    for name, good, bad in RANGES:
        for value in good:
            assert (await put(user, **{name: value})).json[name] == value
        for value in bad:
            assert set(fields_of(await put(user, **{name: value}))) == {name}, value
        assert (await user.ok("GET", PATH))[name] == good[-1]


async def test_put_windows_on_every_day_succeeds(api: Api) -> None:
    user = api.user("mia")
    response = await put(user, *(window(day=day) for day in range(7)))
    assert [day for day, _, _ in times(response)] == list(range(7))
    assert times(await put(user, window(day=1.0))) == [(1, "09:00", "10:00")]
    for day in (-1, 7, 1.5, "1", "Monday", True, None, []):
        assert fields_of(await put(user, window(day=day))) == ["slots.0.dayOfWeek"], day


async def test_put_window_until_24_00_succeeds(api: Api) -> None:
    user = api.user("mia")
    response = await put(user, window("00:00", "24:00"), window("23:59", "24:00", day=1))
    assert times(response) == [(0, "00:00", "24:00"), (1, "23:59", "24:00")]
    assert times(await put(user, *ALWAYS)) == [(day, "00:00", "24:00") for day in range(7)]


async def test_put_malformed_time_is_refused(api: Api) -> None:
    user = api.user("mia")
    assert times(await put(user, window("00:00", "00:01"))) == [(0, "00:00", "00:01")]
    bad = [
        "",
        "9:00",
        "09:0",
        "0900",
        "09:00:00",
        "09:00Z",
        "09:00+01:00",
        " 09:00",
        "09:00\n",
        "09:60",
        "24:01",
        "25:00",
        "-1:00",
        "\u0660\u0669:\u0660\u0660",
        "\uff10\uff19:\uff10\uff10",
        "09\uff1a00",
        "9 am",
        900,
        9.5,
        None,
        True,
        ["09:00"],
        {"hour": 9},
    ]
    for value in bad:
        assert fields_of(await put(user, window(start=value, end="23:00"))) == [
            "slots.0.startTime"
        ], value
        assert fields_of(await put(user, window(start="00:00", end=value))) == [
            "slots.0.endTime"
        ], value
    assert fields_of(await put(user, window(start="24:00", end="24:00"))) == ["slots.0.startTime"]


async def test_put_window_that_ends_before_it_starts_is_refused(api: Api) -> None:
    user = api.user("mia")
    good = window("08:00", "09:00")
    for start, end in (("10:00", "10:00"), ("10:00", "09:59"), ("23:00", "00:00")):
        response = await put(user, good, window(start, end))
        assert fields_of(response) == ["slots.1.startTime"], (start, end)


async def test_put_overlapping_windows_names_both(api: Api) -> None:
    user = api.user("mia")
    pairs = [
        (window("09:00", "10:00"), window("09:30", "10:30")),
        (window("09:30", "10:30"), window("09:00", "10:00")),
        (window("09:00", "12:00"), window("10:00", "11:00")),
        (window("10:00", "11:00"), window("09:00", "12:00")),
        (window("09:00", "10:00"), window("09:00", "10:00")),
        (window("09:00", "10:00"), window("09:59", "10:00")),
        (window("00:00", "24:00", day=6), window("23:59", "24:00", day=6)),
    ]
    for one, other in pairs:
        response = await put(user, one, window(day=3), other)
        (field,) = fields_of(response)
        assert field in ("slots.0", "slots.2")
        message = response.json["details"][0]["message"]
        day = "Sunday" if one["dayOfWeek"] == 6 else "Monday"
        for place, overlapping in ((0, one), (2, other)):
            name = f"{day} {overlapping['startTime']}-{overlapping['endTime']}"
            assert name in message
            assert f"slots.{place}" in f"{field} {message}"


async def test_put_many_overlaps_names_each(api: Api) -> None:
    user = api.user("mia")
    response = await put(
        user,
        window("09:00", "12:00"),
        window("09:30", "10:00"),
        window("11:00", "13:00"),
        window("12:30", "14:00"),
        window("14:00", "15:00"),
    )
    assert fields_of(response) == ["slots.1", "slots.2", "slots.3"]


async def test_put_adjacent_windows_or_other_days_succeeds(api: Api) -> None:
    user = api.user("mia")
    windows = [window("09:00", "10:00"), window("10:00", "11:00"), window("09:30", "10:30", day=1)]
    assert len(times(await put(user, *windows))) == 3


async def test_put_windows_equal_to_another_mentors_succeeds(api: Api) -> None:
    assert len(times(await put(api.user("one"), window()))) == 1
    assert len(times(await put(api.user("other"), window()))) == 1


async def test_put_refused_windows_changes_nothing(api: Api) -> None:
    user = api.user("mia")
    await put(user, window(), sessionDuration=90)
    before = await user.ok("GET", PATH)
    await put(user, window("10:00", "12:00"), window("11:00", "13:00"), sessionDuration=30)
    await put(user, window("10:00", "12:00"), sessionDuration=31)
    assert await user.ok("GET", PATH) == before

    newcomer = api.user("max")
    await put(newcomer, window(), window())
    assert (await newcomer.ok("GET", "/mentor/me"))["isProfileCreated"] is False


async def test_put_without_list_of_slots_is_refused(api: Api) -> None:
    user = api.user("mia")
    assert fields_of(await user.put(PATH, {"sessionDuration": 60})) == ["slots"]
    for slots in (None, {}, "09:00-10:00", 0):
        assert fields_of(await user.put(PATH, {"slots": slots})) == ["slots"], slots
    for slot in (None, [], "Monday", 0):
        assert fields_of(await put(user, slot)) == ["slots.0"], slot


async def test_put_window_with_missing_or_unknown_field_names_it(api: Api) -> None:
    user = api.user("mia")
    assert sorted(fields_of(await put(user, {}))) == [
        "slots.0.dayOfWeek",
        "slots.0.endTime",
        "slots.0.startTime",
    ]
    response = await put(user, window(), window(day=1, id="x", name="y"))
    assert sorted(fields_of(response)) == ["slots.1.id", "slots.1.name"]
    assert fields_of(await put(user, visibility="public", slot=[])) == ["slot", "visibility"]


async def test_put_more_than_500_windows_is_refused(api: Api) -> None:
    user = api.user("mia")
    windows = [
        window(
            f"{minute // 60:02}:{minute % 60:02}", f"{(minute + 1) // 60:02}:{(minute + 1) % 60:02}"
        )
        for minute in range(501)
    ]
    assert len(times(await put(user, *windows[:500]))) == 500
    assert fields_of(await put(user, *windows)) == ["slots"]


async def test_put_many_at_once_stores_one_of_them(api: Api) -> None:
    users = [api.user("mia") for _ in range(12)]
    responses = await asyncio.gather(
        *(
            put(user, window(day=hour % 7), window("20:00", f"20:{hour + 10}", day=hour % 7))
            for hour, user in enumerate(users)
        )
    )
    assert {response.status for response in responses} == {200}
    left = await users[0].ok("GET", PATH)
    assert left in [response.json for response in responses]
    assert len((await api.nobody.get("/mentors")).json) == 1


async def test_put_without_window_of_a_session_keeps_the_session(api: Api) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    session = await api.session(jane, mentor)
    await put(mentor, sessionDuration=30, bufferTime=45)
    found = await jane.ok("GET", f"/sessions/{session['id']}")
    assert (found["status"], found["duration"]) == ("confirmed", 60)
    await put(mentor, *ALWAYS)
    nine = day_after_tomorrow(9)
    day = f"{nine:%Y-%m-%d}"
    slots = (
        await api.nobody.get(f"/mentors/{mentor.id}/availability", startDate=day, endDate=day)
    ).json["slots"]
    starts = [slot["startTime"] for slot in slots]
    # Slots of 30 minutes keep 45 minutes clear of the session from 09:00 to 10:00.
    assert not [start for start in starts if "07:45" < start < "10:45"]
    assert [start for start in starts if "06:30" <= start <= "07:45"]


# Ids of windows -----------------------------------------------------------------------------------


def ids(response: Response) -> list[str]:
    assert response.status == 200, response
    return [slot["id"] for slot in response.json["slots"]]


async def test_put_accepts_its_own_get_and_keeps_the_ids(api: Api) -> None:
    user = api.user("mia")
    await put(user, window(), window(day=1), defaultMeetingLink="https://example.com/room")
    shown = await user.ok("GET", PATH)
    assert await user.ok("PUT", PATH, shown) == shown
    assert await user.ok("GET", PATH) == shown


async def test_put_without_ids_keeps_those_of_unchanged_windows(api: Api) -> None:
    user = api.user("mia")
    first = ids(await put(user, window(), window(day=1), window(day=2)))
    second = ids(await put(user, window(day=2), window(end="10:30", day=1), window(id=None)))
    assert (second[0], second[2]) == (first[0], first[2])
    assert second[1] not in first


async def test_put_with_an_id_changes_that_window(api: Api) -> None:
    user = api.user("mia")
    one, other = ids(await put(user, window(), window(day=1)))
    # The windows swap their times, and a new window gets the old time of the second one.
    moved = await put(
        user,
        window(day=1, id=one.upper()),
        window("12:00", "13:00", day=1, id=other),
        window(),
    )
    new, *kept = ids(moved)
    assert kept == [one, other]
    assert new not in (one, other)
    assert times(moved) == [(0, "09:00", "10:00"), (1, "09:00", "10:00"), (1, "12:00", "13:00")]
    assert (await user.delete(f"{PATH}/{one}")).status == 200


async def test_put_with_the_id_of_another_or_a_gone_window_gives_a_new_one(api: Api) -> None:
    user = api.user("mia")
    (foreign,) = ids(await put(api.user("max"), window()))
    earlier = (await put(user, window(), window(day=1))).json
    await put(user, window("12:00", "13:00"))
    again = ids(await user.put(PATH, earlier))
    assert not set(again) & {slot["id"] for slot in earlier["slots"]}
    assert ids(await put(user, window(day=3, id=foreign))) != [foreign]
    assert ids(await api.user("max").get(PATH)) == [foreign]
    # An unchanged window keeps its id, whatever id it is sent with.
    kept = ids(await put(user, window(day=3)))
    assert ids(await put(user, window(day=3, id=foreign))) == kept


async def test_put_with_one_id_twice_is_refused(api: Api) -> None:
    user = api.user("mia")
    (one,) = ids(await put(user, window()))
    response = await put(user, window(id=one), window(day=1), window(day=2, id=one.upper()))
    assert fields_of(response) == ["slots.2.id"]
    assert ids(await user.get(PATH)) == [one]


async def test_put_with_an_id_that_is_no_uuid_is_refused(api: Api) -> None:
    for bad in ("", "slot-1", 7, "0" * 36, ["x"], f"{'0' * 8}-0000-0000-0000-{'0' * 12}\n"):
        assert fields_of(await put(api.user("mia"), window(id=bad))) == ["slots.0.id"], bad


async def test_put_window_until_00_00_mentions_24_00(api: Api) -> None:
    response = await put(api.user("mia"), window("22:00", "00:00"))
    assert fields_of(response) == ["slots.0.startTime"]
    assert "24:00" in response.json["details"][0]["message"]
    plain = await put(api.user("mia"), window("22:00", "21:00"))
    assert "24:00" not in plain.json["details"][0]["message"]
