"""Filters and sorting of GET /mentors and /mentors/search, and GET /mentors/facets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from tests.client import Api, fields_of
from tests.conftest import tried

EXPERTISE = ["Go", "System design", "Café culture", "C++", "50%_off\\"]
LANGUAGES = ["en", "pt", "pt-BR", "zh-Hans-CN", "zh"]

#: The public profiles of the shared database, by user. The order is the one of the list.
PEOPLE: dict[str, dict[str, Any]] = {
    f"mentor{number}": {
        "expertise": [one for place, one in enumerate(EXPERTISE) if number >> place & 1],
        "languages": [one for place, one in enumerate(LANGUAGES) if number * 7 >> place & 1],
        "sessionRate": number % 4 * 12.5,
        "sessionCurrency": ["NGN", "EUR"][number % 3 % 2],
        "sessionDuration": [30, 60, 90][number % 3],
        "headline": ["Writes backends", "Paints walls"][number % 2],
    }
    for number in range(24)
}
RATED = {"mentor1": [5], "mentor2": [4, 5], "mentor3": [4], "mentor5": [3], "mentor8": [1]}


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    """One server for all tests, which only read."""
    return shared_api


@pytest.fixture(scope="module", autouse=True)
def cards(api: Api, io_loop: IOLoop) -> list[dict[str, Any]]:
    """Create the mentors; return the public ones as the whole list shows them, best first."""

    async def make() -> list[dict[str, Any]]:
        for sub, profile in PEOPLE.items():
            await api.mentor(sub, [], **profile)
        await api.mentor("shy", [], **PEOPLE["mentor23"], visibility="private")
        for sub, ratings in RATED.items():
            (card,) = (await api.nobody.get("/mentors/search", q=sub)).json[:1]
            mentor = api.user(sub)
            mentor.id = card["id"]  # type: ignore[attr-defined]
            await api.rate(mentor, *ratings)  # type: ignore[arg-type]
        return (await api.nobody.get("/mentors")).json

    return io_loop.run_sync(make)


async def found(api: Api, path: str = "/mentors", **query: Any) -> list[str]:
    """Return the user ids of a list. Without a limit, asserts that their number is the total."""
    response = await api.nobody.get(f"{path}?{urlencode(query, doseq=True)}")
    assert response.status == 200, response
    if "limit" not in query:
        assert response.headers["X-Total-Count"] == str(len(response.json))
    return [one["userId"] for one in response.json]


def having(**filters: Any) -> set[str]:
    return {sub for sub, profile in PEOPLE.items() if passes(sub, profile, filters)}


def passes(sub: str, profile: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Return whether a profile passes the filters."""
    ratings = RATED.get(sub, [0])
    language = filters.get("language", "").lower()
    return (
        set(filters.get("expertise", [])) <= {one.lower() for one in profile["expertise"]}
        and round(sum(ratings) / len(ratings), 1) >= filters.get("minRating", 0)
        and profile["sessionRate"] <= filters.get("maxRate", 10**9)
        and profile["sessionCurrency"] == filters.get("currency", profile["sessionCurrency"])
        and profile["sessionDuration"] == filters.get("duration", profile["sessionDuration"])
        and (not language or any(matches(one.lower(), language) for one in profile["languages"]))
    )


def matches(tag: str, language: str) -> bool:
    """Return whether a range matches a tag (RFC 4647, basic filtering)."""
    return tag == language or tag.startswith(f"{language}-")


# Each filter -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["GO"], ["go"]),
        (["go", "System Design"], ["go", "system design"]),
        (["cafe CULTURE"], ["café culture"]),
        (["c++"], ["c++"]),
        (["50%_off\\"], ["50%_off\\"]),
        (["50_%off\\"], ["of nobody"]),
        (["system"], ["of nobody"]),
        (["go", "of nobody"], ["of nobody"]),
    ],
)
async def test_filter_by_expertise_finds_those_with_all(
    api: Api, asked: list[str], meant: list[str]
) -> None:
    assert set(await found(api, expertise=asked)) == having(expertise=meant)


@pytest.mark.parametrize("language", ["pt", "PT-br", "zh", "zh-hans", "zh-Hans-CN", "en", "yo"])
async def test_filter_by_language_finds_it_and_its_variants(api: Api, language: str) -> None:
    assert set(await found(api, language=language)) == having(language=language)


async def test_filter_by_old_language_tag_finds_the_new_one(api: Api) -> None:
    assert await found(api, language="iw") == await found(api, language="he")


@pytest.mark.parametrize("rating", [0, 1, 3.99, 4, 4.0, 4.5, 4.6, 5])
async def test_filter_by_rating_finds_those_as_good(api: Api, rating: float) -> None:
    assert set(await found(api, minRating=rating)) == having(minRating=rating)


@pytest.mark.parametrize("rate", [0, 12.49, 12.5, 9_999_999_999])
async def test_filter_by_rate_finds_those_as_cheap(api: Api, rate: float) -> None:
    filters: dict[str, Any] = {"maxRate": rate, "currency": "EUR"}
    assert set(await found(api, **filters)) == having(**filters)


async def test_filter_by_currency_or_duration_finds_those(api: Api) -> None:
    assert set(await found(api, currency="EUR")) == having(currency="EUR")
    assert set(await found(api, duration=90)) == having(duration=90)
    assert await found(api, duration=120) == await found(api, currency="USD") == []


# Order ------------------------------------------------------------------------------------------


async def test_sort_list_orders_by_rate_or_newest(api: Api, cards: list[dict[str, Any]]) -> None:
    best = [one["userId"] for one in cards]
    assert await found(api, sort="best") == best
    by_rate = sorted(best, key=lambda sub: PEOPLE[sub]["sessionRate"])
    assert await found(api, sort="rate") == by_rate
    assert await found(api, sort="newest") == [*PEOPLE][::-1]
    half = [sub for sub in by_rate if sub in having(expertise=["go"])]
    pages = [await found(api, sort="rate", expertise="go", limit=5, page=n) for n in (1, 2, 3, 4)]
    assert [sub for page in pages for sub in page] == half


# Wrong input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/mentors", "/mentors/search", "/mentors/facets"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("minRating=", "minRating"),
        ("minRating=-0.1", "minRating"),
        ("minRating=5.1", "minRating"),
        ("minRating=four", "minRating"),
        ("minRating=NaN", "minRating"),
        ("minRating=1e0", "minRating"),
        ("minRating=4&minRating=4", "minRating"),
        ("maxRate=10", "currency"),
        ("maxRate=-1&currency=NGN", "maxRate"),
        ("maxRate=1.001&currency=NGN", "maxRate"),
        ("maxRate=10000000000&currency=NGN", "maxRate"),
        (f"maxRate={'9' * 400}&currency=NGN", "maxRate"),
        ("maxRate=Infinity&currency=NGN", "maxRate"),
        ("currency=ngn", "currency"),
        ("currency=ABC", "currency"),
        ("currency=NGN&currency=EUR", "currency"),
        ("language=english", "language"),
        ("language=*", "language"),
        ("language=en&language=fr", "language"),
        ("duration=45", "duration"),
        ("duration=60.0", "duration"),
        ("expertise=%20", "expertise.0"),
        ("expertise=Go&expertise=a%0Ab", "expertise.1"),
        (f"expertise={'x' * 61}", "expertise.0"),
        ("&".join(["expertise=Go"] * 51), "expertise"),
    ],
)
async def test_filter_by_nonsense_is_refused(api: Api, path: str, query: str, field: str) -> None:
    assert fields_of(await api.nobody.get(f"{path}?{query}")) == [field]


async def test_sort_by_unknown_order_is_refused(api: Api) -> None:
    for path in ("/mentors", "/mentors/search"):
        assert fields_of(await api.nobody.get(f"{path}?sort=worst")) == ["sort"]
    assert (await api.nobody.get("/mentors/facets?sort=worst&limit=0&x=1")).status == 200


# Random filters ---------------------------------------------------------------------------------


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "expertise": st.lists(st.sampled_from([e.lower() for e in EXPERTISE]), max_size=3),
        "minRating": st.sampled_from([0, 1, 3, 4, 4.5, 5]),
        "language": st.sampled_from([*LANGUAGES, "fr"]),
        "duration": st.sampled_from([30, 60, 90, 120]),
        "q": st.sampled_from(["backends", "walls", "mentor1", "go", "xyzzy"]),
    },
)
PRICES = st.sampled_from(
    [{}, {"currency": "EUR"}, {"currency": "NGN", "maxRate": 12.5}, {"currency": "USD"}]
)


def test_combine_filters_agrees_with_their_meaning(
    api: Api, io_loop: IOLoop, cards: list[dict[str, Any]]
) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(FILTERS, PRICES, st.integers(1, 7), st.sampled_from(["best", "rate", "newest"]))
    def compare(filters: dict[str, Any], price: dict[str, Any], limit: int, sort: str) -> None:
        tried["combinations of filters"] += 1
        io_loop.run_sync(lambda: check(api, cards, filters | price, limit, sort))

    compare()


async def check(
    api: Api, cards: list[dict[str, Any]], query: dict[str, Any], limit: int, sort: str
) -> None:
    filters = {name: value for name, value in query.items() if name != "q"}
    everybody = await found(api, "/mentors/search", sort=sort, **query)
    searched = await found(api, "/mentors/search", sort=sort, q=query.get("q", ""))
    assert everybody == [sub for sub in searched if sub in having(**filters)]
    if "q" not in query:
        assert everybody == await found(api, sort=sort, **query)
    pages = range(1, len(everybody) // limit + 2)
    paged = [
        await found(api, "/mentors/search", sort=sort, limit=limit, page=page, **query)
        for page in pages
    ]
    assert [sub for page in paged for sub in page] == everybody

    facets = (await api.nobody.get(f"/mentors/facets?{urlencode(query, doseq=True)}")).json
    of = [PEOPLE[sub] for sub in everybody]
    assert counts(facets["expertise"]) == Counter(e for one in of for e in one["expertise"])
    assert counts(facets["currencies"]) == Counter(one["sessionCurrency"] for one in of)
    assert counts(facets["languages"]).keys() == {e for one in of for e in one["languages"]}
    for facet, name in (("expertise", "expertise"), ("languages", "language")):
        assert [-one["count"] for one in facets[facet]] == sorted(
            -one["count"] for one in facets[facet]
        )
        totals = await asyncio.gather(*(total(api, query, name, one) for one in facets[facet]))
        assert totals == [one["count"] for one in facets[facet]]


def counts(facet: Iterable[dict[str, Any]]) -> dict[str, int]:
    return {one["value"]: one["count"] for one in facet}


async def total(api: Api, query: dict[str, Any], name: str, facet: dict[str, Any]) -> int:
    """Count what the search finds with one more filter; it replaces a filter that occurs once."""
    if name == "expertise":
        narrowed = query | {name: [*query.get(name, []), facet["value"]]}
        return len(await found(api, "/mentors/search", **narrowed))
    subs = await found(api, "/mentors/search", **query)
    return len(set(subs) & set(await found(api, "/mentors/search", **{name: facet["value"]})))


async def test_count_facets_of_spellings_shows_the_most_frequent(api: Api) -> None:
    facets = (await api.nobody.get("/mentors/facets", expertise="GO", language="zh")).json
    assert "Go" in counts(facets["expertise"])
    assert "go" not in counts(facets["expertise"])


async def test_filter_by_expertise_ignores_blanks(api: Api) -> None:
    await api.mentor("blanks", [], expertise=["  Blank \u00a0 verse "])
    try:
        for asked in ("blank verse", " BLANK  VERSE ", "Blank\u3000verse"):
            assert await found(api, expertise=asked) == ["blanks"], asked
        facets = (await api.nobody.get("/mentors/facets", expertise="blank verse")).json
        assert counts(facets["expertise"]) == {"Blank \u00a0 verse": 1}
    finally:
        await api.user("blanks").ok("PATCH", "/mentor/me", {"visibility": "private"})
