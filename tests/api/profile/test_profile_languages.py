"""The languages of a profile: BCP 47 tags."""

from __future__ import annotations

import pytest

from tests.client import Api, fields_of


async def test_set_languages_stores_them_once_in_canonical_form(api: Api) -> None:
    mentor = await api.mentor(languages=["pt-br", "EN", "iw", "zh-hant-tw", "pt-BR", "he"])
    expected = ["pt-BR", "en", "he", "zh-Hant-TW"]
    assert (await mentor.ok("GET", "/mentor/me"))["profile"]["languages"] == expected
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).json["languages"] == expected


async def test_set_extended_language_stores_the_language(api: Api) -> None:
    mentor = await api.mentor(languages=["zh-yue", "ZH-CMN-Hans", "sgn-ase", "es-419", "zh-yue-HK"])
    expected = ["yue", "cmn-Hans", "ase", "es-419", "yue-HK"]
    assert (await mentor.ok("GET", "/mentor/me"))["profile"]["languages"] == expected
    response = await api.nobody.get("/mentors", language="zh-yue")
    assert [one["userId"] for one in response.json] == [mentor.sub]
    assert fields_of(await api.nobody.get("/mentors", language="es-999")) == ["language"]


@pytest.mark.parametrize("cleared", [None, []])
async def test_clear_languages_leaves_none(api: Api, cleared: object) -> None:
    mentor = await api.mentor(languages=["en"])
    assert (await mentor.ok("PATCH", "/mentor/me", {"languages": cleared}))["languages"] == []


NO_LANGUAGES = """
    e english xx en_US en- -en en--US 日本語 * en-* x-own i-klingon en-USA de-1 en;q=0.5 en-x-own
    de-DE-u-co-phonebk zh-Han en-AB es-999 en-yue zh-ase zh-yue-hak
    abcdefghi-abcdefghi-abcdefghi-abcdef
"""


@pytest.mark.parametrize("tag", [*NO_LANGUAGES.split(), "", " ", "en US", "en-US\n"])
async def test_set_language_that_is_none_is_refused(api: Api, tag: str) -> None:
    response = await api.user("mia").patch("/mentor/me", {"languages": ["en", tag]})
    assert fields_of(response) == ["languages.1"]


async def test_set_languages_of_the_wrong_kind_is_refused(api: Api) -> None:
    for value in ("en", [1], [None], {"en": 1}, [["en"]]):
        response = await api.user("mia").patch("/mentor/me", {"languages": value})
        assert fields_of(response)[0].startswith("languages"), value


async def test_set_eleven_languages_is_refused(api: Api) -> None:
    tags = ["en", "fr", "de", "es", "pt", "it", "nl", "sv", "da", "fi", "pl"]
    mia = api.user("mia")
    assert fields_of(await mia.patch("/mentor/me", {"languages": tags})) == ["languages"]
    assert (await mia.ok("PATCH", "/mentor/me", {"languages": tags[:10]}))["languages"] == tags[:10]
