"""PATCH /mentor/me: a merge patch, within limits."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from tests.client import Api, User, fields_of, is_error

PATH = "/mentor/me"

FILLED: dict[str, Any] = {
    "fullName": "John Doe",
    "headline": "Senior Software Engineer",
    "bio": "10+ years in software development…",
    "expertise": ["Mentoring", "Career guidance"],
    "languages": ["en", "yo"],
    "location": "Lagos, Nigeria",
    "profileImageUrl": "https://example.com/john.png",
    "links": {"linkedin": "https://linkedin.com/in/johndoe", "web": "http://john.example"},
    "sessionRate": 5000,
    "sessionCurrency": "USD",
    "visibility": "private",
}

BAD_URLS = [
    " ",
    "example.com/john.png",
    "/john.png",
    "//example.com/john.png",
    "javascript:alert(1)",
    "JavaScript:alert(1)//https://example.com",
    "data:image/png;base64,AAAA",
    "ftp://example.com/john.png",
    "file:///etc/passwd",
    "vbscript:x",
    "https:",
    "https://",
    "https:///x",
    "https://?x",
    "https://:443/",
    "https://exa mple.com/",
    "https://example.com/a b",
    " https://example.com/",
    "https://example.com/ ",
    "https://example.com/\n",
    "https://example.com/\r\nX-Evil: 1",
    "https://example.com/\ta",
    'https://example.com/"onload="x',
    "https://example.com/<script>",
    "https://example.com\\@evil.example",
    "https://example.com:port/",
    "https://example.com:65536/",
    "https://[::1/",
    "https://[nonsense]/",
    "h\u0131ttps://example.com",
]


async def patch(user: User, **changes: Any) -> dict[str, Any]:
    return await user.ok("PATCH", PATH, changes)


async def refused(user: User, **changes: Any) -> list[str]:
    return sorted(set(fields_of(await user.patch(PATH, changes))))


# Merge patch -------------------------------------------------------------------------------------


async def test_patch_first_time_creates_the_profile(api: Api) -> None:
    user = api.user("john", name="Token Name", picture="https://example.com/token.png")
    profile = await patch(user, headline="Engineer")
    assert profile["userId"] == "john"
    assert profile["headline"] == "Engineer"
    assert profile["fullName"] == "Token Name"
    assert profile["profileImageUrl"] == "https://example.com/token.png"
    shown = await user.ok("GET", PATH)
    assert shown["isProfileCreated"] is True
    assert shown["profile"] == profile


async def test_patch_without_fields_creates_profile_or_changes_nothing(api: Api) -> None:
    user = api.user("john")
    made = await patch(user)
    assert await patch(user) == made


async def test_patch_every_field_returns_each(api: Api) -> None:
    profile = await patch(api.user("john"), **FILLED)
    assert {name: profile[name] for name in FILLED} == FILLED


async def test_patch_one_field_keeps_the_others(api: Api) -> None:
    user = api.user("john")
    profile = await patch(user, **FILLED)
    news = {
        "fullName": "Johnny",
        "headline": "Retired",
        "bio": "Gone fishing",
        "expertise": ["Fishing"],
        "languages": ["pcm"],
        "location": "Abuja",
        "profileImageUrl": "https://example.com/new.png",
        "links": {"web": "https://fish.example"},
        "sessionRate": 0,
        "sessionCurrency": "EUR",
        "visibility": "public",
    }
    assert news.keys() == FILLED.keys()
    for name, value in news.items():
        # Links are merged: those that are not named stay.
        expected = profile | {name: profile[name] | value if name == "links" else value}
        profile = await patch(user, **{name: value})
        assert profile == expected
        assert (await user.ok("GET", PATH))["profile"] == expected


async def test_patch_null_clears_optional_fields(api: Api) -> None:
    user = api.user("john")
    emptied = {"fullName": "John", "headline": None, "bio": None, "location": None}
    emptied |= {"profileImageUrl": None, "expertise": [], "links": {}}
    for name, empty in emptied.items():
        before = await patch(user, **FILLED)
        assert await patch(user, **{name: None}) == before | {name: empty}
        assert (await user.ok("GET", PATH))["profile"][name] == empty


async def test_patch_null_for_required_value_is_refused(api: Api) -> None:
    user = api.user("john")
    before = await patch(user, **FILLED)
    for name in ("sessionRate", "sessionCurrency", "visibility"):
        assert await refused(user, **{name: None}) == [name]
    assert (await user.ok("GET", PATH))["profile"] == before


async def test_update_expertise_replaces_it_as_a_whole(api: Api) -> None:
    user = api.user("john")
    await patch(user, **FILLED)
    assert (await patch(user, expertise=["One"]))["expertise"] == ["One"]


async def test_update_links_merges_them(api: Api) -> None:
    """RFC 7396: a link that is not named stays; null removes it, also if there was none."""
    user = api.user("john")
    a, b, c = (f"https://{name}.example" for name in "abc")
    for links, merged in (
        ({"a": a, "b": b}, {"a": a, "b": b}),
        ({"c": c}, {"a": a, "b": b, "c": c}),
        ({"b": None, "a": c, "other": None}, {"a": c, "c": c}),
        ({}, {"a": c, "c": c}),
        (None, {}),
        ({"a": a}, {"a": a}),
    ):
        assert (await patch(user, links=links))["links"] == merged
        assert (await user.ok("GET", PATH))["profile"]["links"] == merged


async def test_update_links_concurrently_loses_none(api: Api) -> None:
    user = api.user("john")
    await patch(user)
    links = {f"link{number}": f"https://example.com/{number}" for number in range(15)}
    await asyncio.gather(*(patch(user, links={name: url}) for name, url in links.items()))
    assert (await user.ok("GET", PATH))["profile"]["links"] == links


async def test_patch_refused_values_changes_nothing(api: Api) -> None:
    user = api.user("john")
    before = await patch(user, **FILLED)
    response = await user.patch(PATH, {"headline": "New", "bio": "New", "visibility": "secret"})
    assert fields_of(response) == ["visibility"]
    assert (await user.ok("GET", PATH))["profile"] == before

    newcomer = api.user("max")
    await newcomer.patch(PATH, {"headline": "New", "visibility": "secret"})
    assert (await newcomer.ok("GET", PATH))["isProfileCreated"] is False


async def test_patch_many_wrong_values_names_each(api: Api) -> None:
    user = api.user("john")
    wrong = {"fullName": 1, "sessionRate": -1, "expertise": ["x", ""], "links": {"a": "b"}}
    assert await refused(user, **wrong) == ["expertise.1", "fullName", "links.a", "sessionRate"]


async def test_patch_unknown_fields_names_each(api: Api) -> None:
    user = api.user("john")
    assert await refused(user, fullname="John", nickname="J") == ["fullname", "nickname"]
    for name in ("id", "userId", "sessionDuration", "bufferTime", "timezone", "rating", "slots"):
        assert await refused(user, **{name: 1}) == [name]
    for name in ("__proto__", "constructor", "full_name", "profileImageFile", "$1", ""):
        assert await refused(user, **{name: None}) == [name]


async def test_patch_first_time_at_once_creates_one_profile(api: Api) -> None:
    clients = [api.user("john") for _ in range(15)]
    responses = await asyncio.gather(
        *(client.patch(PATH, {"headline": f"{n}"}) for n, client in enumerate(clients))
    )
    assert {response.status for response in responses} == {200}
    assert len({response.json["id"] for response in responses}) == 1


async def test_patch_different_fields_at_once_keeps_all(api: Api) -> None:
    client = api.user("john")
    await patch(client)
    changes = [{name: value} for name, value in FILLED.items()]
    await asyncio.gather(*(client.ok("PATCH", PATH, change) for change in changes))
    profile = (await client.ok("GET", PATH))["profile"]
    assert {name: profile[name] for name in FILLED} == FILLED


# The name and the picture of the token -----------------------------------------------------------


async def test_send_new_token_updates_name_and_picture_until_set(api: Api) -> None:
    await patch(api.user("john", name="John", picture="https://example.com/1.png"))
    newer = api.user("john", name="Johnny", picture="https://example.com/2.png")
    profile = (await newer.ok("GET", PATH))["profile"]
    assert profile["fullName"] == "Johnny"
    assert profile["profileImageUrl"] == "https://example.com/2.png"

    await patch(newer, fullName="Dr. Doe")
    newest = api.user("john", name="Jack", picture="https://example.com/3.png")
    profile = (await newest.ok("GET", PATH))["profile"]
    assert profile["fullName"] == "Dr. Doe"
    assert profile["profileImageUrl"] == "https://example.com/3.png"

    await patch(newest, profileImageUrl="https://example.com/own.png")
    last = api.user("john", name="Jim", picture="https://example.com/4.png")
    profile = (await last.ok("GET", PATH))["profile"]
    assert profile["fullName"] == "Dr. Doe"
    assert profile["profileImageUrl"] == "https://example.com/own.png"


async def test_send_name_later_with_token_fills_empty_profile(api: Api) -> None:
    await patch(api.user("john", name=None))
    named = api.user("john", name="John")
    assert (await named.ok("GET", PATH))["profile"]["fullName"] == "John"
    (listed,) = (await api.nobody.get("/mentors")).json
    assert listed["fullName"] == "John"


async def test_send_token_without_name_keeps_it(api: Api) -> None:
    await patch(api.user("john", name="John", picture="https://example.com/1.png"))
    profile = (await api.user("john", name=None).ok("GET", PATH))["profile"]
    assert profile["fullName"] == "John"
    assert profile["profileImageUrl"] == "https://example.com/1.png"


async def test_patch_name_equal_to_tokens_keeps_it_later(
    api: Api,
) -> None:
    user = api.user("john", name="John", picture="https://example.com/1.png")
    await patch(user, fullName="John", profileImageUrl="https://example.com/1.png")
    newer = api.user("john", name="Johnny", picture="https://example.com/2.png")
    profile = (await newer.ok("GET", PATH))["profile"]
    assert profile["fullName"] == "John"
    assert profile["profileImageUrl"] == "https://example.com/1.png"


async def test_update_name_to_null_goes_back_to_the_tokens_name(api: Api) -> None:
    user = api.user("john", name="John")
    await patch(user, fullName="Dr. Doe")
    assert (await patch(user, fullName=None))["fullName"] == "John"
    newer = api.user("john", name="Johnny")
    assert (await newer.ok("GET", PATH))["profile"]["fullName"] == "Johnny"


async def test_send_new_token_keeps_cleared_picture(api: Api) -> None:
    user = api.user("john", picture="https://example.com/1.png")
    await patch(user, profileImageUrl=None)
    assert (await user.ok("GET", PATH))["profile"]["profileImageUrl"] is None
    newer = api.user("john", picture="https://example.com/2.png")
    assert (await newer.ok("GET", PATH))["profile"]["profileImageUrl"] is None


# Limits ------------------------------------------------------------------------------------------


async def test_patch_too_long_text_is_refused(api: Api) -> None:
    user = api.user("john")
    for name, most in {"fullName": 120, "headline": 200, "bio": 5000, "location": 200}.items():
        for letter in ("x", "é", "漢", "🚀"):
            assert (await patch(user, **{name: letter * most}))[name] == letter * most
            assert await refused(user, **{name: letter * (most + 1)}) == [name]
        for value in (1, 1.5, True, [], {}, ["x"]):
            assert await refused(user, **{name: value}) == [name], value


async def test_patch_text_returns_it_unchanged(api: Api) -> None:
    user = api.user("john")
    for text in (
        "  spaces  ",
        "line\nbreak\r\n\ttab",
        "<b>bold</b> & \"quoted\" 'text' \\ / % _ $1 {} ;--",
        "\u202eright to left\u202c \u200b \ufeff",
        "e\u0301 is not \u00e9",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\x01\x7f\u2028\u2029\uffff\U0010ffff",
    ):
        assert (await patch(user, bio=text))["bio"] == text, text
        # One line has no control characters.
        line = re.sub(r"[\x00-\x1f\x7f]", "", text)
        await patch(user, headline=line)
        assert (await user.ok("GET", PATH))["profile"]["headline"] == line


async def test_patch_blank_name_is_refused(api: Api) -> None:
    user = api.user("john")
    for value in ("", " ", "\t\n", "\u3000"):
        assert await refused(user, fullName=value) == ["fullName"], value
    for name, empty in (("headline", ""), ("bio", ""), ("location", None)):
        assert (await patch(user, **{name: ""}))[name] == empty


async def test_patch_more_expertise_than_allowed_is_refused(api: Api) -> None:
    user = api.user("john")
    most = ["é" * 60] * 50
    assert (await patch(user, expertise=most))["expertise"] == most
    assert await refused(user, expertise=["x"] * 51) == ["expertise"]
    assert await refused(user, expertise=["x", "y" * 61]) == ["expertise.1"]
    for entry in ("", " ", 1, None, ["x"], {}):
        assert await refused(user, expertise=["x", entry]) == ["expertise.1"], entry
    for value in ("Mentoring", {}, 1, {"0": "x"}):
        assert await refused(user, expertise=value) == ["expertise"], value
    odd = ['"', "\\", "{a,b}", "NULL", "null", ",", "a b", "'"]
    assert (await patch(user, expertise=odd))["expertise"] == odd
    assert (await patch(user, expertise=[]))["expertise"] == []


async def test_patch_more_than_20_links_is_refused(api: Api) -> None:
    user = api.user("john")
    links = {f"link{number}": f"https://example.com/{number}" for number in range(20)}
    assert (await patch(user, links=links))["links"] == links
    for more in (links | {"more": "https://example.com"}, {"more": "https://example.com"}):
        assert await refused(user, links=more, headline="Not kept") == ["links"]
    assert (await user.ok("GET", PATH))["profile"]["headline"] is None
    replaced = dict.fromkeys(links) | {f"new {name}": url for name, url in links.items()}
    assert len((await patch(user, links=replaced))["links"]) == 20
    assert (await patch(user, links=None))["links"] == {}
    for value in ([], "https://example.com", 1, [["a", "https://example.com"]]):
        assert await refused(user, links=value) == ["links"], value
    odd = {
        "my site": "https://example.com/a",
        "Größe": "https://example.com/b",
        "a.b": "http://c.d",
    }
    assert (await patch(user, links=odd))["links"] == odd


async def test_patch_url_of_other_scheme_is_refused(api: Api) -> None:
    user = api.user("john")
    for url in (
        "http://example.com",
        "HTTPS://EXAMPLE.COM/X",
        "https://user@example.com:8443/a/b?c=d&e=%20#f",
        "http://localhost:3000",
        "http://[::1]:80/",
        "https://münchen.example/straße",
        "https://e.com/" + "x" * 2034,
    ):
        profile = await patch(user, profileImageUrl=url, links={"x": url})
        assert (profile["profileImageUrl"], profile["links"]["x"]) == (url, url)
    for url in [*BAD_URLS, "https://e.com/" + "x" * 2035, 1, True, [], {}]:
        assert await refused(user, profileImageUrl=url) == ["profileImageUrl"], url
        assert await refused(user, links={"x": url}) == ["links.x"], url


async def test_patch_rate_that_is_no_amount_is_refused(api: Api) -> None:
    user = api.user("john")
    for rate in (0, 1, 0.01, 0.1, 19.99, 5000, 5000.5, 1e3, 9999999999):
        assert (await patch(user, sessionRate=rate))["sessionRate"] == rate
    for rate in (-0.01, -1, 0.001, 19.999, 1e10, 10**12, "5000", True, [], {}):
        assert await refused(user, sessionRate=rate) == ["sessionRate"], rate
    for number in ("0.10", "1.0", "5e3", "5E+3", "0.0", "-0", "-0.0", "12.340"):
        response = await user.patch(PATH, body=f'{{"sessionRate": {number}}}')
        assert (response.status, response.json["sessionRate"]) == (200, float(number)), number
    for number in ("1e400", "1e-400", "9" * 400, "1e99999999999", "0.1e-9", "-1e-9"):
        response = await user.patch(PATH, body=f'{{"sessionRate": {number}}}')
        assert response.status == 400, number


async def test_patch_unknown_currency_is_refused(api: Api) -> None:
    user = api.user("john")
    for code in ("NGN", "USD", "EUR", "GBP", "JPY", "KES", "XOF", "ZWG"):
        assert (await patch(user, sessionCurrency=code))["sessionCurrency"] == code
    for code in (
        "",
        "ngn",
        "Ngn",
        "NG",
        "NGNN",
        "N1N",
        "NGN\n",
        " NGN",
        "€",
        "ÄÖÜ",
        "ABC",
        "QQQ",
        566,
    ):
        assert await refused(user, sessionCurrency=code) == ["sessionCurrency"], code


async def test_patch_other_visibility_is_refused(api: Api) -> None:
    user = api.user("john")
    for visibility in ("private", "public"):
        assert (await patch(user, visibility=visibility))["visibility"] == visibility
    for visibility in ("", "Public", "hidden", True, 0, ["public"]):
        assert await refused(user, visibility=visibility) == ["visibility"], visibility


async def test_patch_as_merge_patch_json_succeeds(api: Api) -> None:
    user = api.user("john")
    for kind in (
        "application/merge-patch+json",
        "application/json; charset=utf-8",
        "Application/JSON",
    ):
        response = await user.patch(PATH, {"bio": kind}, headers={"Content-Type": kind})
        assert (response.status, response.json["bio"]) == (200, kind)
    response = await user.patch(PATH, {"bio": "x"}, headers={"Content-Type": "text/plain"})
    assert is_error(response, 415, "Content-Type must be application/json")
