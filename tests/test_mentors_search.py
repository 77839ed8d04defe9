"""GET /mentors/search: what is found, and what comes first."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.client import Api, fields_of


async def found(api: Api, q: str | None, **query: Any) -> list[str]:
    answer = await api.nobody.get("/mentors/search", q=q, **query)
    assert answer.status == 200, answer
    return [mentor["userId"] for mentor in answer.json]


async def test_a_find_looks_like_a_mentor_in_the_list(api: Api) -> None:
    await api.rate(await api.mentor("mia", expertise=["Design"], headline="Lead"), 5)
    listed = (await api.nobody.get("/mentors")).json
    answer = await api.nobody.get("/mentors/search", q="design")
    assert answer.json == listed
    assert answer.headers["X-Total-Count"] == "1"


async def test_name_expertise_headline_and_bio_are_searched(api: Api) -> None:
    await api.mentor("name", fullName="Ada Quarkson")
    await api.mentor("expertise", expertise=["Chess", "Quarks"])
    await api.mentor("headline", headline="Physicist of the quark")
    await api.mentor("bio", bio="All about one quark, then another.")
    await api.mentor("elsewhere", location="Quark", links={"quark": "https://example.com/quark"})
    assert sorted(await found(api, "quark")) == ["bio", "expertise", "headline", "name"]


async def test_a_name_from_the_token_is_found(api: Api) -> None:
    user = api.user("u1", name="Zebediah Quux")
    await user.ok("PATCH", "/mentor/me", {})
    assert await found(api, "quux") == ["u1"]


async def test_case_does_not_matter(api: Api) -> None:
    await api.mentor("latin", headline="PostgreSQL Expert")
    await api.mentor("cyrillic", headline="Дизайн Интерфейсов")
    await api.mentor("greek", headline="ΣΧΕΔΙΟ")
    for q in ("postgresql", "POSTGRESQL", "pOsTgReSqL"):
        assert await found(api, q) == ["latin"]
    for q in ("дизайн", "ДИЗАЙН"):
        assert await found(api, q) == ["cyrillic"]
    assert await found(api, "σχεδιο") == ["greek"]


async def test_accents_do_not_matter(api: Api) -> None:
    await api.mentor("renee", fullName="Renée Løvås")
    await api.mentor("strauss", fullName="Jürgen Strauß")
    await api.mentor("orsted", fullName="ØRSTED ÅGE")
    await api.mentor("decomposed", fullName="Zoe\u0308 Ngo\u0302")
    for q, sub in {
        "renee": "renee",
        "RENÉE": "renee",
        "lovas": "renee",
        "jurgen": "strauss",
        "strauss": "strauss",
        "STRAUß": "strauss",
        "orsted": "orsted",
        "ørsted": "orsted",
        "zoe": "decomposed",
        "zoë": "decomposed",
    }.items():
        assert (await found(api, q))[:1] == [sub], q


async def test_a_part_of_a_word_is_enough(api: Api) -> None:
    await api.mentor("mia", headline="Microservices")
    for q in ("micro", "services", "roser", "s", "SERV"):
        assert await found(api, q) == ["mia"], q


async def test_a_slip_of_the_finger_still_finds(api: Api) -> None:
    words = {
        "design": ["desing", "desgin", "desin", "deisgn", "designn", "desigm"],
        "python": ["pyhton", "pythn", "ptyhon", "pythonn"],
        "kubernetes": ["kubernets", "kuberentes", "kubernettes"],
        "marketing": ["markting", "marketting", "makreting"],
    }
    for word in words:
        await api.mentor(word, bio=f"I help people with {word} and much else besides.")
    for word, slips in words.items():
        for slip in slips:
            assert (await found(api, slip))[:1] == [word], slip


async def test_each_of_several_words_must_be_found_in_any_order(api: Api) -> None:
    await api.mentor("both", headline="Career advice", expertise=["Design"])
    await api.mentor("career", headline="Career advice")
    await api.mentor("design", expertise=["Design"])
    for q in (
        "career design",
        "design career",
        "  design \t career\n",
        "DESIGN advice",
        "dezign carer",
    ):
        assert await found(api, q) == ["both"], q


async def test_percent_underscore_and_backslash_are_letters_like_any_other(api: Api) -> None:
    await api.mentor("percent", headline="100% remote")
    await api.mentor("underscore", headline="snake_case")
    await api.mentor("backslash", headline=r"C:\Windows")
    await api.mentor("none", headline="nothing special")
    for q, sub in {
        "%": "percent",
        "100%": "percent",
        "_": "underscore",
        "e_c": "underscore",
        "\\": "backslash",
        r":\w": "backslash",
    }.items():
        assert await found(api, q) == [sub], q
    for q in ("%%", "__", r"\%", r"\_", "%_%", r"\\"):
        assert await found(api, q) == [], q


async def test_quotes_and_operators_are_harmless(api: Api) -> None:
    await api.mentor("mia", headline='O\'Reilly & Sons (Ltd.) | "quoted" * :)')
    for q in ("o'reilly", "&", "(ltd.)", '"quoted"', "*", ":)", "|"):
        assert await found(api, q) == ["mia"], q
    for q in ("'; DROP TABLE mentors; --", "$1", "{0}", "!!"):
        assert (await api.nobody.get("/mentors/search", q=q)).status == 200
    assert await found(api, "") == ["mia"]


async def test_an_empty_query_lists_all_like_the_list(api: Api) -> None:
    for number in range(3):
        await api.mentor(f"mentor{number}")
    await api.rate(await api.mentor("rated"), 5)
    listed = [mentor["userId"] for mentor in (await api.nobody.get("/mentors")).json]
    assert listed[0] == "rated"
    for q in (None, "", " ", "\t\n", "\u3000"):
        assert await found(api, q) == listed, q


async def test_what_matches_nothing_gives_an_empty_list(api: Api) -> None:
    await api.mentor("mia", headline="Design", bio="Twenty years of drawing")
    answer = await api.nobody.get("/mentors/search", q="xylophone")
    assert (answer.status, answer.json) == (200, [])
    assert answer.headers["X-Total-Count"] == "0"
    for q in ("design xylophone", "zzzzzz", "☃", "数学"):
        assert await found(api, q) == [], q


async def test_scripts_without_spaces_and_emoji_are_found(api: Api) -> None:
    await api.mentor("li", fullName="李小龙", expertise=["数学教育"])
    await api.mentor("rocket", headline="To the 🚀 moon")
    assert await found(api, "数学") == ["li"]
    assert await found(api, "小龙") == ["li"]
    assert await found(api, "🚀") == ["rocket"]


async def test_better_matches_come_first(api: Api) -> None:
    await api.mentor("bio", bio="Once I met somebody who did design.")
    await api.mentor("typo", bio="I do desing.")
    await api.mentor("headline", headline="Design lead")
    await api.mentor("expertise", expertise=["Cooking", "Design"])
    await api.mentor("name", fullName="Dessa Design")
    assert await found(api, "design") == ["name", "expertise", "headline", "bio", "typo"]


async def test_a_better_match_beats_a_better_rating(api: Api) -> None:
    await api.rate(await api.mentor("star", bio="I know a little of everything: design too."), 5, 5)
    await api.mentor("exact", fullName="Design")
    assert await found(api, "design") == ["exact", "star"]


async def test_of_equal_matches_the_better_rated_comes_first_and_the_unrated_last(api: Api) -> None:
    for sub, ratings in {"none": [], "three": [3], "five": [5], "four": [4]}.items():
        mentor = await api.mentor(sub, fullName="Somebody", headline="Design")
        await api.rate(mentor, *ratings)
    assert await found(api, "design") == ["five", "four", "three", "none"]


async def test_private_mentors_are_not_found(api: Api) -> None:
    await api.mentor("shy", headline="Design", visibility="private")
    await api.mentor("open", headline="Design")
    for q in ("design", "desing", ""):
        assert await found(api, q) == ["open"], q
    answer = await api.nobody.get("/mentors/search", q="design")
    assert answer.headers["X-Total-Count"] == "1"


async def test_a_changed_profile_is_found_by_its_new_words_only(api: Api) -> None:
    mentor = await api.mentor("mia", headline="Gardening")
    await mentor.ok("PATCH", "/mentor/me", {"headline": "Astronomy"})
    assert await found(api, "astronomy") == ["mia"]
    assert await found(api, "gardening") == []


async def test_finds_are_paged_and_the_next_page_keeps_the_query(api: Api) -> None:
    for number in range(5):
        await api.mentor(f"mentor{number}", headline="R&D für Größe 100%")
    await api.mentor("other", headline="Chess")
    whole = await found(api, "r&d größe")
    assert len(whole) == 5
    answer = await api.nobody.get("/mentors/search", q="r&d größe", limit=2, page=2, other="x")
    assert answer.headers["X-Total-Count"] == "5"
    assert [mentor["userId"] for mentor in answer.json] == whole[2:4]
    target, relation = answer.headers["Link"].split(";")
    assert relation == ' rel="next"'
    query = parse_qs(urlsplit(target.strip("<>")).query)
    assert query["q"] == ["r&d größe"]
    assert (query["page"], query["limit"]) == (["3"], ["2"])
    following = await api.nobody.get(target.strip("<>").removeprefix("/api"))
    assert [mentor["userId"] for mentor in following.json] == whole[4:]


async def test_equal_finds_stay_in_order_across_pages(api: Api) -> None:
    for number in range(6):
        await api.mentor(f"mentor{number}", fullName="Same", headline="Design")
    whole = await found(api, "design")
    paged = [await found(api, "design", limit=1, page=page) for page in range(1, 7)]
    assert [sub for page in paged for sub in page] == whole


async def test_the_query_has_at_most_200_characters(api: Api) -> None:
    assert (await api.nobody.get("/mentors/search", q="é" * 200)).status == 200
    assert fields_of(await api.nobody.get("/mentors/search", q="é" * 201)) == ["q"]


async def test_many_words_are_no_trouble(api: Api) -> None:
    await api.mentor("mia", headline="a b c d e f g h i j k l")
    assert await found(api, " ".join("abcdefghijkl")) == ["mia"]


async def test_of_a_repeated_parameter_the_last_one_counts(api: Api) -> None:
    await api.mentor("mia", headline="Chess")
    answer = await api.nobody.get("/mentors/search?q=xylophone&q=chess")
    assert len(answer.json) == 1


async def test_a_query_that_is_no_text_is_refused(api: Api) -> None:
    for q in ("%FF", "%C3", "caf%E9", "%ED%A0%80", "%00", "a%00b"):
        assert fields_of(await api.nobody.get(f"/mentors/search?q={q}")) == ["q"], q


async def test_signs_are_not_mistaken_for_a_slip(api: Api) -> None:
    await api.mentor("cook", headline="Cooking", bio="A career in the canteen. I can code.")
    await api.mentor("coder", headline="C++ and C#")
    for q in ("c++", "C#", "++"):
        assert await found(api, q) == ["coder"], q


async def test_short_words_are_not_mistaken_for_each_other(api: Api) -> None:
    await api.mentor("mia", headline="The best from the rest")
    for q in ("form", "fro", "bet"):
        assert ("mia" in await found(api, q)) == (q in "The best from the rest"), q
