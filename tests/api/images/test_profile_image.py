"""PATCH /mentor/profile-image: uploads, the images made of them, and when these are deleted."""

from __future__ import annotations

import asyncio
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from mentorapi.auth.tokens import Verifier
from mentorapi.config import Settings
from tests.client import SECRET, Api, Client, Response, fields_of, is_error
from tests.serving import serve

PATH = "/mentor/profile-image"
BOUNDARY = "----frontier"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

Part = tuple[str, str | None, bytes]


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return replace(Settings(jwt_secret=SECRET), **getattr(request, "param", {}))


def form(*parts: Part) -> bytes:
    """Return a form. A part is a field name, a file name (empty for a plain field) and content."""
    lines = []
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
        head += "Content-Type: application/octet-stream\r\n" if filename else ""
        lines.append(head.encode() + b"\r\n" + content + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


async def send(client: Client, *parts: Part, **headers: str) -> Response:
    return await client.patch(PATH, body=form(*parts), headers=MULTIPART | headers)


async def upload(client: Client, content: bytes, filename: str = "me.jpg") -> Response:
    return await send(client, ("file", filename, content))


async def image_of(api: Api, profile: dict[str, Any]) -> Image.Image:
    response = await fetch(api, profile)
    assert response.status == 200
    image = Image.open(BytesIO(response.body))
    image.load()
    return image


async def fetch(api: Api, profile: dict[str, Any]) -> Response:
    return await api.nobody.get(profile["profileImageUrl"].removeprefix(f"{api.base}/api"))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(width: int = 300, height: int = 200) -> Image.Image:
    """Return an image that is red on the left and blue on the right."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def is_red(pixel: Sequence[int]) -> bool:
    return pixel[0] > 200 > 60 > pixel[2]


def is_blue(pixel: Sequence[int]) -> bool:
    return pixel[2] > 200 > 60 > pixel[0]


PNG = encoded(picture(), "PNG")


def png_of_size(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# The stored image --------------------------------------------------------------------------------


async def test_upload_image_serves_a_webp_without_token(api: Api) -> None:
    mentor = await api.mentor()
    before = (await mentor.ok("GET", "/mentor/me"))["profile"]
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        response = await upload(mentor, encoded(picture(), kind), "me.bin")
        assert response.status == 200
        url = response.json["profileImageUrl"]
        assert response.json == before | {"profileImageUrl": url}
        assert url.startswith(f"{api.base}/api/images/")
        fetched = await fetch(api, response.json)
        assert fetched.status == 200
        assert fetched.headers["Content-Type"] == "image/webp"
        image = await image_of(api, response.json)
        assert (image.format, image.size) == ("WEBP", (300, 200)), kind
        assert is_red(image.getpixel((10, 100)))
        assert is_blue(image.getpixel((290, 100)))


async def test_upload_image_shows_it_everywhere(api: Api) -> None:
    mentor = await api.mentor()
    url = (await upload(mentor, PNG)).json["profileImageUrl"]
    assert (await mentor.ok("GET", "/mentor/me"))["profile"]["profileImageUrl"] == url
    assert (await api.nobody.get("/mentors")).json[0]["profileImageUrl"] == url
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).json["profileImageUrl"] == url
    request = await api.request(api.user("jane"), mentor)
    assert request["mentor"]["avatar"] == url


async def test_upload_first_image_creates_the_profile(api: Api) -> None:
    user = api.user("john", name="John Doe", picture="https://example.com/token.png")
    response = await upload(user, PNG)
    assert response.json["fullName"] == "John Doe"
    assert response.json["profileImageUrl"].startswith(f"{api.base}/api/images/")
    assert (await user.ok("GET", "/mentor/me"))["profileCompleteness"] == 25
    newer = api.user("john", name="John Doe", picture="https://example.com/newer.png")
    shown = (await newer.ok("GET", "/mentor/me"))["profile"]
    assert shown["profileImageUrl"] == response.json["profileImageUrl"]


async def test_upload_image_scales_it_down_but_never_up(api: Api) -> None:
    user = api.user("mia")
    for size, expected in {
        (512, 512): (512, 512),
        (513, 513): (512, 512),
        (2000, 1000): (512, 256),
        (1000, 2000): (256, 512),
        (20, 10): (20, 10),
        (1, 1): (1, 1),
        (5000, 2): (512, 1),
    }.items():
        response = await upload(user, encoded(picture(*size), "PNG"))
        assert (await image_of(api, response.json)).size == expected, size


async def test_upload_rotated_image_turns_it_upright(api: Api) -> None:
    user = api.user("mia")
    red_at = {
        1: (0, 0),
        2: (1, 0),
        3: (1, 1),
        4: (0, 1),
        5: (0, 0),
        6: (1, 0),
        7: (1, 1),
        8: (0, 1),
    }
    corner = Image.new("RGB", (80, 60), (0, 0, 255))
    corner.paste((255, 0, 0), (0, 0, 40, 30))
    for orientation, (right, low) in red_at.items():
        exif = Image.Exif()
        exif[0x112] = orientation
        response = await upload(user, encoded(corner, "JPEG", exif=exif.tobytes(), quality=95))
        image = await image_of(api, response.json)
        assert image.size == ((60, 80) if orientation > 4 else (80, 60)), orientation
        places = [(x, y) for x in (0, 1) for y in (0, 1)]
        red = [
            (x, y)
            for x, y in places
            if is_red(image.getpixel((x * (image.width - 6) + 3, y * (image.height - 6) + 3)))
        ]
        assert red == [(right, low)], orientation


async def test_upload_image_removes_its_metadata(api: Api) -> None:
    user = api.user("mia")
    exif = Image.Exif()
    exif[0x110] = "SecretPhone"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (IFDRational(6), IFDRational(27), IFDRational(11))
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "SecretPlace")
    for content in (
        encoded(picture(), "JPEG", exif=exif, comment=b"SecretPlace"),
        encoded(picture(), "PNG", exif=exif, pnginfo=notes),
        encoded(picture(), "WEBP", exif=exif, xmp=b"<x>SecretPlace</x>"),
    ):
        assert b"Secret" in content
        profile = (await upload(user, content)).json
        fetched = (await fetch(api, profile)).body
        assert b"Secret" not in fetched
        assert b"EXIF" not in fetched
        assert not (await image_of(api, profile)).getexif()


async def test_upload_image_removes_bytes_after_it(api: Api) -> None:
    user = api.user("mia")
    script = b"<html><script>alert(1)</script></html>"
    response = await upload(user, encoded(picture(), "JPEG") + script, "x.html")
    assert response.status == 200
    assert b"script" not in (await fetch(api, response.json)).body


async def test_upload_transparent_image_keeps_transparency(api: Api) -> None:
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (20, 0, 40, 40))
    response = await upload(api.user("mia"), encoded(image, "PNG"))
    found = await image_of(api, response.json)
    assert found.mode == "RGBA"
    assert found.getpixel((2, 20))[3] == 0
    assert found.getpixel((38, 20))[3] == 255


async def test_upload_rare_kind_of_image_succeeds(api: Api) -> None:
    user = api.user("mia")
    kinds = {
        "CMYK": encoded(picture().convert("CMYK"), "JPEG"),
        "grey": encoded(picture().convert("L"), "JPEG"),
        "palette": encoded(picture().convert("P"), "PNG"),
        "one bit": encoded(picture().convert("1"), "PNG"),
        "16 bit": encoded(Image.new("I;16", (30, 20), 30000), "PNG"),
        "animated": encoded(
            picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)]
        ),
        "progressive": encoded(picture(), "JPEG", progressive=True),
    }
    for kind, content in kinds.items():
        response = await upload(user, content)
        assert response.status == 200, kind
        assert (await image_of(api, response.json)).format == "WEBP"


async def test_upload_with_any_file_name_and_type_succeeds(api: Api) -> None:
    user = api.user("mia")
    names = ("../../etc/passwd", "x.php", "ünï.png", "a b;c.svg", "CON", "x" * 500)
    urls = {(await upload(user, PNG, name)).json["profileImageUrl"] for name in names}
    assert len(urls) == len(names)
    for url in urls:
        assert re.fullmatch(r"http://[^/]+/api/images/[A-Za-z0-9_-]{22}\.webp", url)


async def test_get_image_is_cacheable_forever(api: Api) -> None:
    profile = (await upload(api.user("mia"), PNG)).json
    fetched = await fetch(api, profile)
    assert fetched.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in fetched.headers["Content-Security-Policy"]
    path = profile["profileImageUrl"].removeprefix(f"{api.base}/api")
    head = await api.nobody.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == "image/webp"
    assert head.headers["Content-Length"] == str(len(fetched.body))


# The old image -----------------------------------------------------------------------------------


async def test_upload_again_replaces_the_old_file(api: Api) -> None:
    mentor = await api.mentor()
    first = (await upload(mentor, PNG)).json
    second = (await upload(mentor, PNG)).json
    assert first["profileImageUrl"] != second["profileImageUrl"]
    assert is_error(await fetch(api, first), 404, "Image not found")
    assert (await fetch(api, second)).status == 200


@pytest.mark.parametrize("url", ["https://example.com/other.png", None])
async def test_set_or_clear_picture_url_deletes_the_uploaded_file(
    api: Api, url: str | None
) -> None:
    mentor = await api.mentor()
    uploaded = (await upload(mentor, PNG)).json
    profile = await mentor.ok("PATCH", "/mentor/me", {"profileImageUrl": url})
    assert profile["profileImageUrl"] == url
    assert is_error(await fetch(api, uploaded), 404, "Image not found")


async def test_update_other_fields_keeps_the_uploaded_file(api: Api) -> None:
    mentor = await api.mentor()
    uploaded = (await upload(mentor, PNG)).json
    await mentor.ok("PATCH", "/mentor/me", {"headline": "New"})
    await mentor.ok("PUT", "/mentor/availability", {"slots": []})
    assert (await fetch(api, uploaded)).status == 200


async def test_update_profile_with_its_own_values_keeps_the_file(api: Api) -> None:
    mentor = await api.mentor()
    uploaded = (await upload(mentor, PNG)).json
    sent = {"headline": "New", "profileImageUrl": uploaded["profileImageUrl"]}
    profile = await mentor.ok("PATCH", "/mentor/me", sent)
    assert profile == uploaded | sent
    assert (await fetch(api, uploaded)).status == 200

    again = (await upload(mentor, PNG)).json
    assert is_error(await fetch(api, uploaded), 404, "Image not found")
    assert (await fetch(api, again)).status == 200


async def test_upload_refused_file_keeps_the_old_image(api: Api) -> None:
    mentor = await api.mentor()
    uploaded = (await upload(mentor, PNG)).json
    assert (await upload(mentor, b"no image")).status == 400
    assert (await mentor.ok("GET", "/mentor/me"))["profile"] == uploaded
    assert (await fetch(api, uploaded)).status == 200


async def test_upload_refused_file_creates_no_profile(api: Api) -> None:
    user = api.user("john")
    assert (await upload(user, b"no image")).status == 400
    assert (await user.ok("GET", "/mentor/me"))["isProfileCreated"] is False


@pytest.mark.own_server
async def test_upload_that_fails_to_be_stored_leaves_no_file(api: Api) -> None:
    user = api.user("mia")
    await user.ok("GET", "/mentor/me")
    await api.db.execute("ALTER TABLE mentors RENAME TO away")
    assert (await upload(user, PNG)).status == 500
    assert list((api.services.settings.data_dir / "images").iterdir()) == []


async def test_set_url_of_another_users_image_keeps_that_file(api: Api) -> None:
    mentor, thief = await api.mentor("mia"), await api.mentor("max")
    uploaded = (await upload(mentor, PNG)).json
    await thief.ok("PATCH", "/mentor/me", {"profileImageUrl": uploaded["profileImageUrl"]})
    await thief.ok("PATCH", "/mentor/me", {"profileImageUrl": None})
    assert (await fetch(api, uploaded)).status == 200


async def test_upload_many_at_once_leaves_one_image(api: Api) -> None:
    mentor = await api.mentor()
    responses = await asyncio.gather(*(upload(mentor, PNG) for _ in range(5)))
    assert {response.status for response in responses} == {200}
    left = (await mentor.ok("GET", "/mentor/me"))["profile"]
    fetched = [(await fetch(api, response.json)).status for response in responses]
    assert sorted(fetched) == [200, 404, 404, 404, 404]
    assert (await fetch(api, left)).status == 200


# Refused uploads ---------------------------------------------------------------------------------


async def test_upload_unknown_format_is_refused(api: Api) -> None:
    user = api.user("mia")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    contents = {
        "nothing": b"",
        "text": b"hello",
        "svg": svg,
        "html": b"<html></html>",
        "zeros": bytes(1000),
        "bmp": encoded(picture(), "BMP"),
        "tiff": encoded(picture(), "TIFF"),
        "ico": encoded(picture(64, 64), "ICO"),
        "pdf": encoded(picture(), "PDF"),
        "only a signature": b"\x89PNG\r\n\x1a\n",
        "zero size": png_of_size(0, 0),
    }
    for kind, content in contents.items():
        response = await upload(user, content, "me.png")
        assert response.status == 400, kind
        assert "image" in response.message, kind


async def test_upload_truncated_or_corrupt_image_is_refused(api: Api) -> None:
    user = api.user("mia")
    noise = Image.effect_noise((200, 200), 80)
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = encoded(noise.convert("RGB"), kind)
        assert (await upload(user, whole)).status == 200
        assert (await upload(user, whole[: len(whole) // 2])).status == 400, kind
        assert (await upload(user, whole[:30])).status == 400, kind
    png = encoded(picture(), "PNG")
    assert (await upload(user, png[:50] + b"\xff" * 30 + png[80:])).status == 400


async def test_upload_decompression_bomb_is_refused(api: Api) -> None:
    user = api.user("mia")
    row = bytes(6001 // 8 + 1)
    bombs = {
        "36 megapixels in some kilobytes": png_of_size(6000, 6000, row * 6000),
        "claims to be huge": png_of_size(2**31 - 1, 2**31 - 1),
        "claims 400 megapixels": png_of_size(20_000, 20_000),
    }
    for kind, content in bombs.items():
        response = await upload(user, content)
        assert is_error(response, 400, "Image is too large: at most 25 megapixels"), kind
    notes = PngImagePlugin.PngInfo()
    notes.add_text("a", "x" * 50_000_000, zip=True)
    assert (await upload(user, encoded(picture(), "PNG", pnginfo=notes))).status == 400


@pytest.mark.parametrize("size", [(10_001, 1), (1, 10_001), (25_000_000, 1)])
async def test_upload_with_a_side_too_long_is_refused(api: Api, size: tuple[int, int]) -> None:
    content = png_of_size(*size, (b"\0" + bytes(size[0] // 8 + 1)) * size[1])
    response = await upload(api.user("mia"), content)
    assert is_error(response, 400, "Image is too large: at most 10,000 pixels on each side")


async def test_upload_while_another_user_sends_many_succeeds(api: Api) -> None:
    attacker, other = api.user("max"), api.user("mia")
    slow = encoded(Image.new("RGB", (2500, 10_000)), "PNG")
    attack = [asyncio.create_task(upload(attacker, slow)) for _ in range(12)]
    # The first response is a refusal: the uploads of the attacker are at their limit.
    done, _ = await asyncio.wait(attack, return_when=asyncio.FIRST_COMPLETED)
    assert is_error(done.pop().result(), 503, "Too many images at once, please try again")
    assert (await upload(other, PNG)).status == 200
    assert not all(task.done() for task in attack)
    responses = await asyncio.gather(*attack)
    assert sorted(response.status for response in responses) == [200] * 5 + [503] * 7


async def test_upload_jpeg_with_thousands_of_scans_is_refused(api: Api) -> None:
    image = encoded(picture(64, 64), "JPEG", progressive=True)
    scan = image[image.rfind(b"\xff\xda") : -2]
    response = await upload(api.user("mia"), image[:-2] + scan * 5000 + b"\xff\xd9")
    assert is_error(response, 400, "File is not a valid image")


async def test_upload_more_than_5_mib_is_refused(api: Api) -> None:
    user = api.user("mia")
    most = 5 * 1024 * 1024
    assert (await upload(user, PNG + bytes(most - len(PNG)))).status == 200
    response = await upload(user, PNG + bytes(most + 1 - len(PNG)))
    assert is_error(response, 413, "Image is too large: at most 5 MiB")


async def test_upload_much_more_than_5_mib_has_the_error_format(api: Api) -> None:
    for client in (api.user("mia"), api.nobody):
        response = await upload(client, bytes(9 * 1024 * 1024))
        assert response.status == 413


async def test_upload_none_or_two_files_is_refused(api: Api) -> None:
    user = api.user("mia")
    assert fields_of(await send(user)) == ["file"]
    assert fields_of(await send(user, ("file", "a.png", PNG), ("file", "b.png", PNG))) == ["file"]
    assert fields_of(await send(user, ("file", None, PNG))) == ["file"]
    for name in ("image", "File", "file[]"):
        assert fields_of(await send(user, (name, "a.png", PNG))) == [name, "file"]


async def test_upload_with_unknown_field_names_it(api: Api) -> None:
    user = api.user("mia")
    parts: list[Part] = [("file", "a.png", PNG), ("crop", None, b"1"), ("other", "b.png", PNG)]
    assert fields_of(await send(user, *parts)) == ["crop", "other"]
    assert (await user.ok("GET", "/mentor/me"))["isProfileCreated"] is False


async def test_upload_other_content_type_is_refused(api: Api) -> None:
    user = api.user("mia")
    for kind in (
        "image/png",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "multipart/form-dataxyz; boundary=x",
        "",
    ):
        response = await user.patch(PATH, body=PNG, headers={"Content-Type": kind})
        assert is_error(response, 415, "Content-Type must be multipart/form-data"), kind
    assert is_error(await user.patch(PATH), 415, "Content-Type must be multipart/form-data")


BROKEN = {
    "no boundary": ("multipart/form-data", form(("file", "a.png", PNG))),
    "empty boundary": ("multipart/form-data; boundary=", form(("file", "a.png", PNG))),
    "another boundary": ("multipart/form-data; boundary=x", form(("file", "a.png", PNG))),
    "empty": (MULTIPART["Content-Type"], b""),
    "no end": (MULTIPART["Content-Type"], form(("file", "a.png", PNG))[:-10]),
    "garbage": (MULTIPART["Content-Type"], b"\x00\xff" * 100),
    "no name": (MULTIPART["Content-Type"], form(("", "a.png", PNG))),
    "no disposition": (
        MULTIPART["Content-Type"],
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    ),
    "no headers": (MULTIPART["Content-Type"], f"--{BOUNDARY}\r\nx\r\n--{BOUNDARY}--".encode()),
    "name not UTF-8": (
        MULTIPART["Content-Type"],
        form(("file", "a.png", PNG)).replace(b"a.png", b"\xff.png"),
    ),
    "too many parts": (MULTIPART["Content-Type"], form(*[("file", "a", b"")] * 2000)),
    "endless headers": (MULTIPART["Content-Type"], form(("file", "a" * 100_000, PNG))),
}


async def test_upload_malformed_form_is_refused(api: Api) -> None:
    for name, (kind, body) in BROKEN.items():
        response = await api.user("mia").patch(PATH, body=body, headers={"Content-Type": kind})
        assert is_error(response, 400, "Body is not valid multipart/form-data"), name


async def test_upload_malformed_form_without_token_is_unauthorized(api: Api) -> None:
    for kind, body in BROKEN.values():
        response = await api.nobody.patch(PATH, body=body, headers={"Content-Type": kind})
        assert is_error(response, 401, "Missing or invalid token")


async def test_get_image_by_another_name_is_not_found(api: Api) -> None:
    profile = (await upload(api.user("mia"), PNG)).json
    name = profile["profileImageUrl"].rpartition("/")[2]
    (stored,) = (api.services.settings.data_dir / "images").iterdir()
    assert stored.name == name
    for path in (
        "..",
        "%2e%2e",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "..%5C..%5Cwindows",
        f".{name}.tmp",
        f"{name}%00",
        f"{name}%0A",
        f"{name}x",
        f"x{name}",
        f"%20{name}",
        f".%2F{name}",
        f"images%2F{name}",
        name.removesuffix(".webp"),
        name.replace(".webp", ".png"),
        name.swapcase(),
        f"{'x' * 22}.webp",
        f"{'%C3%A9' * 22}.webp",
        "%FF.webp",
        "*",
    ):
        response = await api.nobody.get(f"/images/{path}")
        assert is_error(response, 404, "Image not found"), path
    for path in ("/images", "/images/", f"/images/x/../{name}", f"/images//{name}"):
        assert (await api.nobody.get(path)).status == 404, path
    assert (await api.nobody.get(f"/images/{name}")).status == 200


@pytest.mark.parametrize("host", ["cdn.example.org:8080", "a'onerror=alert(1)"])
async def test_upload_with_another_host_header_ignores_it(api: Api, host: str) -> None:
    mentor = await api.mentor()
    response = await send(mentor, ("file", "a.png", PNG), Host=host)
    url = response.json["profileImageUrl"]
    assert url.startswith(f"{api.base}/api/images/")
    assert (await api.nobody.get(f"/mentors/{mentor.id}")).json["profileImageUrl"] == url


async def test_show_image_after_a_new_public_address_follows_it(
    api: Api, database_url: str, verifier: Verifier, tmp_path: Path
) -> None:
    mentor, jane = await api.mentor(), api.user("jane")
    uploaded = (await upload(mentor, PNG)).json["profileImageUrl"]
    session = await api.completed(jane, mentor)
    await jane.ok("POST", f"/sessions/{session['id']}/review", {"rating": 5})
    moved = Settings(jwt_secret=SECRET, public_url="https://new.example.com")
    running = serve(database_url, moved, verifier, tmp_path)
    there = await anext(running)
    try:
        mentor.base = jane.base = there.base
        url = uploaded.replace(api.base, "https://new.example.com")
        assert (await there.nobody.get("/mentors")).json[0]["profileImageUrl"] == url
        page = (await there.nobody.get(f"/mentors/{mentor.id}")).json
        assert page["profileImageUrl"] == url
        mine = await mentor.ok("GET", "/mentor/me")
        assert (mine["profile"]["profileImageUrl"], mine["profileCompleteness"]) == (url, 35)
        for path in ("/requests", "/sessions", "/mentor/reviews?role=mentor"):
            reader = mentor if "reviews" in path else jane
            for row in await reader.ok("GET", path):
                assert row["mentor"]["avatar"] == url, path

        # A form that was loaded before the move sends the old address.
        kept = await mentor.ok("PATCH", "/mentor/me", {"profileImageUrl": uploaded})
        assert kept["profileImageUrl"] == url
        assert (await there.nobody.get(f"/images/{url.rpartition('/')[2]}")).status == 200
    finally:
        await anext(running, None)


async def test_show_image_in_psql_without_the_setting_is_a_path(api: Api) -> None:
    name = (await upload(api.user("mia"), PNG)).json["profileImageUrl"].rpartition("/")[2]
    row = await api.db.fetchrow("SELECT profile_image_url, image_url(m) FROM mentors AS m")
    assert tuple(row) == (None, f"/api/images/{name}")


@pytest.mark.parametrize(
    "settings", [{"public_url": "https://api.example.com/base"}], indirect=True
)
async def test_upload_with_public_url_returns_urls_that_begin_with_it(api: Api) -> None:
    response = await upload(api.user("mia"), PNG)
    url = response.json["profileImageUrl"]
    assert url.startswith("https://api.example.com/base/api/images/")
    path = url.removeprefix("https://api.example.com/base/api")
    assert (await api.nobody.get(path)).status == 200
