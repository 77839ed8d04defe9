"""GET /mentors/search: the mentors that are found, and their order."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.client import Api, fields_of


async def found(api: Api, q: str | None, **query: Any) -> list[str]:
    response = await api.nobody.get("/mentors/search", q=q, **query)
    assert response.status == 200, response
    return [mentor["userId"] for mentor in response.json]


async def test_search_returns_mentors_as_the_list_does(api: Api) -> None:
    await api.rate(await api.mentor("mia", expertise=["Design"], headline="Lead"), 5)
    listed = (await api.nobody.get("/mentors")).json
    response = await api.nobody.get("/mentors/search", q="design")
    assert response.json == listed
    assert response.headers["X-Total-Count"] == "1"


async def test_search_finds_name_expertise_headline_and_bio(api: Api) -> None:
    await api.mentor("name", fullName="Ada Quarkson")
    await api.mentor("expertise", expertise=["Chess", "Quarks"])
    await api.mentor("headline", headline="Physicist of the quark")
    await api.mentor("bio", bio="All about one quark, then another.")
    await api.mentor("elsewhere", location="Quark", links={"quark": "https://example.com/quark"})
    assert sorted(await found(api, "quark")) == ["bio", "expertise", "headline", "name"]


async def test_search_finds_name_of_the_token(api: Api) -> None:
    user = api.user("u1", name="Zebediah Quux")
    await user.ok("PATCH", "/mentor/me", {})
    assert await found(api, "quux") == ["u1"]


async def test_search_ignores_case(api: Api) -> None:
    await api.mentor("latin", headline="PostgreSQL Expert")
    await api.mentor("cyrillic", headline="Дизайн Интерфейсов")
    await api.mentor("greek", headline="ΣΧΕΔΙΟ")
    for q in ("postgresql", "POSTGRESQL", "pOsTgReSqL"):
        assert await found(api, q) == ["latin"]
    for q in ("дизайн", "ДИЗАЙН"):
        assert await found(api, q) == ["cyrillic"]
    assert await found(api, "σχεδιο") == ["greek"]


async def test_search_ignores_accents(api: Api) -> None:
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


async def test_search_part_of_a_word_finds_it(api: Api) -> None:
    await api.mentor("mia", headline="Microservices")
    for q in ("micro", "services", "roser", "s", "SERV"):
        assert await found(api, q) == ["mia"], q


async def test_search_misspelled_word_finds_it(api: Api) -> None:
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


async def test_search_several_words_requires_all_in_any_order(api: Api) -> None:
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


async def test_search_pattern_characters_takes_them_literally(api: Api) -> None:
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


async def test_search_quotes_and_operators_succeeds(api: Api) -> None:
    await api.mentor("mia", headline='O\'Reilly & Sons (Ltd.) | "quoted" * :)')
    for q in ("o'reilly", "&", "(ltd.)", '"quoted"', "*", ":)", "|"):
        assert await found(api, q) == ["mia"], q
    for q in ("'; DROP TABLE mentors; --", "$1", "{0}", "!!"):
        assert (await api.nobody.get("/mentors/search", q=q)).status == 200
    assert await found(api, "") == ["mia"]


async def test_search_empty_query_returns_the_whole_list(api: Api) -> None:
    for number in range(3):
        await api.mentor(f"mentor{number}")
    await api.rate(await api.mentor("rated"), 5)
    listed = [mentor["userId"] for mentor in (await api.nobody.get("/mentors")).json]
    assert listed[0] == "rated"
    for q in (None, "", " ", "\t\n", "\u3000"):
        assert await found(api, q) == listed, q


async def test_search_without_matches_is_empty(api: Api) -> None:
    await api.mentor("mia", headline="Design", bio="Twenty years of drawing")
    response = await api.nobody.get("/mentors/search", q="xylophone")
    assert (response.status, response.json) == (200, [])
    assert response.headers["X-Total-Count"] == "0"
    for q in ("design xylophone", "zzzzzz", "☃", "数学"):
        assert await found(api, q) == [], q


async def test_search_other_scripts_and_emoji_finds_them(api: Api) -> None:
    await api.mentor("li", fullName="李小龙", expertise=["数学教育"])
    await api.mentor("rocket", headline="To the 🚀 moon")
    assert await found(api, "数学") == ["li"]
    assert await found(api, "小龙") == ["li"]
    assert await found(api, "🚀") == ["rocket"]


async def test_search_orders_better_fields_first(api: Api) -> None:
    await api.mentor("bio", bio="Once I met somebody who did design.")
    await api.mentor("typo", bio="I do desing.")
    await api.mentor("headline", headline="Design lead")
    await api.rate(await api.mentor("expertise", expertise=["Cooking", "Design"]), 4)
    await api.rate(await api.mentor("name", fullName="Dessa Design"), 5)
    await api.rate(await api.mentor("skill", expertise=["Design"]), 3)
    assert await found(api, "design") == [
        *("name", "expertise", "skill"),
        *("headline", "bio", "typo"),
    ]


async def test_search_orders_whole_words_before_parts_of_words(api: Api) -> None:
    await api.rate(await api.mentor("likeness", fullName="Gerd Goat"), 5)
    await api.rate(await api.mentor("part", fullName="Bagoath Bagoa"), 5)
    await api.rate(await api.mentor("beginning", fullName="Gordon Goathe"), 5)
    await api.mentor("bio", bio="I once was a goath.")
    await api.mentor("headline", headline="Goath")
    await api.mentor("expertise", expertise=["Cooking", "Goath"])
    assert await found(api, "goath") == [
        *("expertise", "headline", "bio"),
        *("beginning", "part", "likeness"),
    ]


async def test_search_orders_by_match_before_rating(api: Api) -> None:
    await api.rate(await api.mentor("star", bio="I know a little of everything: design too."), 5, 5)
    await api.mentor("exact", fullName="Design")
    assert await found(api, "design") == ["exact", "star"]


async def test_search_orders_equal_matches_by_rating(api: Api) -> None:
    for sub, ratings in {"none": [], "three": [3], "five": [5], "four": [4]}.items():
        mentor = await api.mentor(sub, fullName="Somebody", headline="Design")
        await api.rate(mentor, *ratings)
    assert await found(api, "design") == ["five", "four", "three", "none"]


async def test_search_leaves_out_private_mentors(api: Api) -> None:
    await api.mentor("shy", headline="Design", visibility="private")
    await api.mentor("open", headline="Design")
    for q in ("design", "desing", ""):
        assert await found(api, q) == ["open"], q
    response = await api.nobody.get("/mentors/search", q="design")
    assert response.headers["X-Total-Count"] == "1"


async def test_search_after_changed_profile_finds_new_words_only(api: Api) -> None:
    mentor = await api.mentor("mia", headline="Gardening")
    await mentor.ok("PATCH", "/mentor/me", {"headline": "Astronomy"})
    assert await found(api, "astronomy") == ["mia"]
    assert await found(api, "gardening") == []


async def test_search_in_pages_keeps_the_query_in_links(api: Api) -> None:
    for number in range(5):
        await api.mentor(f"mentor{number}", headline="R&D für Größe 100%")
    await api.mentor("other", headline="Chess")
    whole = await found(api, "r&d größe")
    assert len(whole) == 5
    response = await api.nobody.get("/mentors/search", q="r&d größe", limit=2, page=2, other="x")
    assert response.headers["X-Total-Count"] == "5"
    assert [mentor["userId"] for mentor in response.json] == whole[2:4]
    target, relation = response.headers["Link"].split(";")
    assert relation == ' rel="next"'
    query = parse_qs(urlsplit(target.strip("<>")).query)
    assert query["q"] == ["r&d größe"]
    assert (query["page"], query["limit"]) == (["3"], ["2"])
    following = await api.nobody.get(target.strip("<>").removeprefix("/api"))
    assert [mentor["userId"] for mentor in following.json] == whole[4:]


async def test_search_in_pages_keeps_order_of_equal_matches(api: Api) -> None:
    for number in range(6):
        await api.mentor(f"mentor{number}", fullName="Same", headline="Design")
    whole = await found(api, "design")
    paged = [await found(api, "design", limit=1, page=page) for page in range(1, 7)]
    assert [sub for page in paged for sub in page] == whole


async def test_search_more_than_200_characters_is_refused(api: Api) -> None:
    assert (await api.nobody.get("/mentors/search", q="é" * 200)).status == 200
    assert fields_of(await api.nobody.get("/mentors/search", q="é" * 201)) == ["q"]


async def test_search_many_words_succeeds(api: Api) -> None:
    await api.mentor("mia", headline="a b c d e f g h i j k l")
    assert await found(api, " ".join("abcdefghijkl")) == ["mia"]


async def test_search_with_a_repeated_parameter_is_refused(api: Api) -> None:
    assert fields_of(await api.nobody.get("/mentors/search?q=xylophone&q=chess")) == ["q"]


async def test_search_query_that_is_no_text_is_refused(api: Api) -> None:
    for q in ("%FF", "%C3", "caf%E9", "%ED%A0%80", "%00", "a%00b"):
        assert fields_of(await api.nobody.get(f"/mentors/search?q={q}")) == ["q"], q


async def test_search_signs_matches_them_exactly(api: Api) -> None:
    await api.mentor("cook", headline="Cooking", bio="A career in the canteen. I can code.")
    await api.mentor("coder", headline="C++ and C#")
    for q in ("c++", "C#", "++"):
        assert await found(api, q) == ["coder"], q


async def test_search_word_of_three_letters_tolerates_no_slip(api: Api) -> None:
    await api.mentor("mia", headline="The cat")
    for q in ("cta", "cot", "ct", "caat", "hte"):
        assert await found(api, q) == [], q


async def test_search_every_single_slip_finds_the_word(api: Api) -> None:
    words = ("rust", "ça-va", "figma", "c++17", "accessibility", "математика")
    for word in words:
        await api.mentor(word, headline=word)
    for word in words:
        for i in range(len(word)):
            before, letter, after = word[:i], word[i], word[i + 1 :]
            slips = {
                "wrong": f"{before}ø{after}",
                "missing": before + after,
                "too many": f"{before}{letter}q{after}",
                "in front": f"{before}q{letter}{after}",
                "swapped": f"{before}{after[:1]}{letter}{after[1:]}",
            }
            for kind, slip in slips.items():
                assert word in await found(api, slip), f"{kind}: {slip}"


async def test_search_part_of_a_word_finds_all_that_contain_it(api: Api) -> None:
    """Three letters also find words of four letters with a typing error, which come last."""
    chance = random.Random(8)
    texts = {}
    for number in range(30):
        words = ["".join(chance.choices("abcdé€", k=chance.randint(1, 6))) for _ in range(9)]
        profile = {
            "fullName": " ".join(words[:2]),
            "expertise": words[2:4],
            "headline": " ".join(words[4:6]),
            "bio": "\n".join(words[6:]),
        }
        await api.mentor(f"mentor{number}", **profile)
        texts[f"mentor{number}"] = " ".join(words).replace("é", "e")
    parts = ["".join(chance.choices("abcde€", k=length)) for length in (1, 1, 2, 2, 2, 3, 3, 3)]
    for part in [*parts, f"{parts[0]} {parts[2]}", f"{parts[3]} {parts[5]} {parts[1]}"]:
        response = await api.nobody.get("/mentors/search", q=part, limit=100)
        having = {sub for sub, text in texts.items() if all(word in text for word in part.split())}
        subs = [mentor["userId"] for mentor in response.json]
        assert set(subs[: len(having)]) == having, part
        assert len(subs) == len(having) or any(len(word) > 2 for word in part.split()), part
        assert response.headers["X-Total-Count"] == str(len(subs)), part


async def test_search_orders_phrase_before_scattered_words(api: Api) -> None:
    await api.rate(await api.mentor("swapped", fullName="Mei Ravi"), 5)
    await api.mentor("name", fullName="Ravi Mei")
    await api.mentor("skills", expertise=["System design"])
    await api.rate(await api.mentor("apart", expertise=["Design", "Operating system"]), 5)
    assert await found(api, "ravi mei") == ["name", "swapped"]
    assert await found(api, "mei ravi") == ["swapped", "name"]
    assert await found(api, "system design") == ["skills", "apart"]


async def test_search_several_words_ranks_by_the_weakest(api: Api) -> None:
    await api.rate(await api.mentor("mixed", fullName="Design", bio="Python"), 5)
    await api.mentor("both", expertise=["Python", "Design"])
    assert await found(api, "python design") == ["both", "mixed"]


async def test_search_misspelled_orders_expertise_before_bio(api: Api) -> None:
    await api.rate(await api.mentor("bio", bio="I know people in design."), 5)
    await api.mentor("expertise", expertise=["Design"])
    assert await found(api, "desing") == ["expertise", "bio"]


async def many(api: Api, count: int) -> None:
    """Insert ``count`` mentors, all with `lead` in one of four fields, odd ones with `design`."""
    await api.db.execute(
        """
        INSERT INTO users (id) SELECT 'm' || n FROM generate_series(1, $1::integer) AS n
        """,
        count,
    )
    await api.db.execute(
        """
        INSERT INTO mentors (user_id, own_name, full_name, expertise, headline, bio)
        SELECT
            'm' || n,
            TRUE,
            CASE n % 4 WHEN 0 THEN 'Lead' END,
            CASE n % 4 WHEN 1 THEN ARRAY['Leader'] ELSE '{}' END,
            CASE n % 4 WHEN 2 THEN 'The lead' END,
            CASE n % 4 WHEN 3 THEN 'I lead. ' ELSE '' END
            || CASE n % 2 WHEN 1 THEN 'design' ELSE '' END
        FROM generate_series(1, $1::integer) AS n
        """,
        count,
    )


async def test_search_in_pages_has_each_match_once(api: Api) -> None:
    """Pages have one order, whether their mentors are sorted or read from the index of the list."""
    await many(api, 240)
    for number in random.Random(5).sample(range(1, 241), 60):
        mentor = api.user(f"m{number}")
        mentor.id = (await mentor.ok("GET", "/mentor/me"))["profile"]["id"]
        await api.rate(mentor, *[number % 5 + 1] * (1 + number % 3))
    listed = [sub for page in (1, 2, 3) for sub in await found_in_list(api, page)]
    # Four tiers, `Leader` last; within each, the order of the list.
    expected = [sub for tier in (0, 2, 3, 1) for sub in listed if int(sub[1:]) % 4 == tier]
    for limit in (2, 15, 100):
        paged = [
            sub
            for page in range(1, 240 // limit + 2)
            for sub in await found(api, "lead", limit=limit, page=page)
        ]
        assert paged == expected, limit
    beyond = await api.nobody.get("/mentors/search", q="lead", limit=20, page=13)
    assert (beyond.json, beyond.headers["X-Total-Count"]) == ([], "240")


async def found_in_list(api: Api, page: int = 1) -> list[str]:
    response = await api.nobody.get("/mentors", limit=100, page=page)
    return [mentor["userId"] for mentor in response.json]


async def test_search_two_common_words_finds_those_with_both(api: Api) -> None:
    await many(api, 4100)
    response = await api.nobody.get("/mentors/search", q="design lead", limit=100)
    assert response.headers["X-Total-Count"] == "2050"
    assert len(response.json) == 100
    last = await api.nobody.get("/mentors/search", q="lead design", limit=100, page=21)
    assert len(last.json) == 50
    assert {mentor["userId"] for mentor in last.json}.isdisjoint(
        mentor["userId"] for mentor in response.json
    )


async def test_search_finds_mentors_of_distant_numbers(api: Api) -> None:
    """Bits are kept in blocks of 16,384."""
    for number in (1, 16_382, 16_383, 16_384, 50_000):
        await api.db.execute("SELECT setval('mentors_number_seq', $1, false)", number)
        await api.mentor(f"m{number}", expertise=["Chess"], fullName="A B" if number % 2 else "A")
    everybody = ["m1", "m16382", "m16383", "m16384", "m50000"]
    assert await found(api, "chess") == await found_in_list(api)
    assert sorted(await found(api, "ches")) == everybody
    assert sorted(await found(api, "chess a")) == everybody
    assert sorted(await found(api, "b chess")) == ["m1", "m16383"]
    for page, sub in enumerate(await found_in_list(api), 1):
        assert await found(api, "chess", limit=1, page=page) == [sub]


async def test_search_after_bulk_change_finds_new_words(api: Api) -> None:
    await many(api, 40)
    await api.db.execute("UPDATE mentors SET headline = 'Astronomy', bio = bio || ' by night'")
    assert len(await found(api, "astronomy night", limit=100)) == 40
    assert len(await found(api, "the", limit=100)) == 0
    await api.db.execute("UPDATE mentors SET visibility = 'private' WHERE full_name = 'Lead'")
    assert len(await found(api, "astronomy", limit=100)) == 30
    await api.db.execute("DELETE FROM mentors WHERE bio LIKE '%design%'")
    assert len(await found(api, "astronomy", limit=100)) == 10
    await api.db.execute("UPDATE mentors SET visibility = 'public'")
    assert len(await found(api, "astronomy", limit=100)) == 20


async def test_search_after_concurrent_updates_finds_all(api: Api) -> None:
    mentors = [await api.mentor(f"m{number}") for number in range(20)]
    for words in ("alpha beta gamma delta", "delta gamma beta epsilon", "omega"):
        await asyncio.gather(
            *(
                mentor.ok("PATCH", "/mentor/me", {"bio": f"{words} {mentor.sub}"})
                for mentor in mentors
            )
        )
        assert len(await found(api, words, limit=100)) == 20
    assert await found(api, "delta") == []


async def test_update_profiles_beside_an_open_transaction_succeeds(api: Api) -> None:
    """The profiles share words with the profile that the transaction has changed, also new ones."""
    mia, tom, ann = [await api.mentor(name, bio="Chess") for name in ("mia", "tom", "ann")]
    reworded = {"bio": "Astronomy at night", "languages": ["de"]}
    for ending in ("COMMIT", "ROLLBACK"):
        async with api.db.acquire() as connection:
            await connection.execute("BEGIN")
            await connection.execute(
                "UPDATE mentors SET bio = 'Astronomy at night', languages = '{de}'"
                " WHERE user_id = 'mia'"
            )
            # A writer that waited would get a 503 after five seconds.
            await tom.ok("PATCH", "/mentor/me", reworded)
            assert await found(api, "astronomy", language="de") == ["tom"]
            assert sorted(await found(api, "chess")) == ["ann", "mia"]
            await ann.ok("PATCH", "/mentor/me", reworded)
            await connection.execute(ending)
        everybody = ["ann", "mia", "tom"] if ending == "COMMIT" else ["ann", "tom"]
        assert sorted(await found(api, "night", language="de")) == everybody
        for mentor in (mia, tom, ann):
            await mentor.ok("PATCH", "/mentor/me", {"bio": "Chess", "languages": []})
        assert await found(api, "night") == await found(api, "", language="de") == []
        assert len(await found(api, "chess")) == 3


async def test_update_profile_often_keeps_its_search_number(api: Api) -> None:
    mentor = await api.mentor("mia")
    for bio in ("One", "Two", "Three"):
        await mentor.ok("PATCH", "/mentor/me", {"bio": bio})
    await api.mentor("tom")
    numbers = await api.db.fetch("SELECT number FROM mentors ORDER BY number")
    assert numbers[1]["number"] - numbers[0]["number"] == 1


async def test_rebuild_search_index_finds_the_same(api: Api) -> None:
    await api.mentor("mia", bio="Chess")
    await api.db.execute("DELETE FROM search_postings")
    await api.db.execute("DELETE FROM search_vocabulary")
    assert await found(api, "chess") == []
    await api.db.execute("SELECT search_rebuild()")
    assert await found(api, "ches") == ["mia"]


async def test_search_separators_finds_those_who_have_them(api: Api) -> None:
    await api.mentor("plain", headline="Design", expertise=["Go", "Chess"])
    marks = '"(),/;<>[]{}|'
    for number, mark in enumerate(marks):
        await api.mentor(f"mentor{number}", headline=f"Writes {mark} here")
    for number, mark in enumerate(marks):
        assert await found(api, mark) == [f"mentor{number}"], mark
    for q in ("()", "<->", " ( | ", "\u00b4", "¨", "\u0301", "「"):
        assert await found(api, q) == [], q
    facets = (await api.nobody.get("/mentors/facets", q="\u00b4")).json
    assert facets == {"expertise": [], "languages": [], "currencies": []}


async def test_search_dots_and_marks_around_words_ignores_them(api: Api) -> None:
    await api.mentor("kotlin", expertise=["Kotlin", "React"])
    for q in (
        *("kotlin...", "kotlin…", "kotlin....", "...kotlin", "kotlin...react", "kotlin .. react"),
        *("kotlin - react", "kotlin ?", "kotlin :::", "kotlin…!", "kotlin . react"),
    ):
        assert await found(api, q) == ["kotlin"], q
    await api.mentor("dots", bio="And then... nothing")
    assert await found(api, "...") == await found(api, "…") == ["dots"]
    assert await found(api, "then nothing") == ["dots"]


async def test_search_slip_at_sharp_s_finds_the_word(api: Api) -> None:
    await api.mentor("strasse", headline="Straße")
    await api.mentor("grosse", bio="GROẞE Pläne")
    for word, sub in {"straße": "strasse", "große": "grosse"}.items():
        for i in range(len(word)):
            before, letter, after = word[:i], word[i], word[i + 1 :]
            for slip in (
                before + after,
                f"{before}q{after}",
                f"{before}{letter}q{after}",
                f"{before}{after[:1]}{letter}{after[1:]}",
            ):
                assert sub in await found(api, slip), slip
    assert await found(api, "strasse") == await found(api, "STRAẞE") == ["strasse"]


async def test_search_compound_finds_each_spelling(api: Api) -> None:
    apart = ("Machine learning", "Machine\u2014learning", "Machine, learning")
    compound = ("machine-learning", "machine_learning", "machine\u2011learning", "Machine.Learning")
    for number, spelling in enumerate((*apart, *compound)):
        await api.mentor(f"m{number}", headline=spelling)
    await api.mentor("go", expertise=["Go-to-market", "Node.js"])
    await api.mentor("net", expertise=["ASP .NET", "C++ & C# & CI-CD", "E-commerce"])
    for q in (*apart, *compound):
        assert len(await found(api, q)) == 7, q
        facets = (await api.nobody.get("/mentors/facets", q=q)).json
        assert facets["currencies"] == [{"value": "NGN", "count": 7}], q
    for q in ("go to market", "gotomarket", "nodejs", "node-js", "node js"):
        assert await found(api, q) == ["go"], q
    for q in ("asp.net", "ci/cd", "cicd", "ecommerce", "c++", "c#", ".net"):
        assert await found(api, q) == ["net"], q
    for q in ("c-sharp", "machine-cooking", "go-learning", "f#"):
        assert await found(api, q) == [], q


async def test_search_compound_orders_it_before_scattered_words(api: Api) -> None:
    await api.rate(await api.mentor("scattered", expertise=["End", "Front"]), 5)
    await api.mentor("apart", expertise=["Front end"])
    await api.mentor("compound", expertise=["Front-end"])
    for q in ("front-end", "Front_End", "front.end"):
        assert sorted((await found(api, q))[:2]) == ["apart", "compound"], q
        assert (await found(api, q))[2:] == ["scattered"], q


async def test_search_without_the_slash_finds_joined_words(api: Api) -> None:
    await api.mentor("both", expertise=["CI/CD", "TCP/IP"])
    for q in ("cicd", "tcpip", "ci/cd", "ci", "tcp", "CICD tcpip"):
        assert await found(api, q) == ["both"], q
