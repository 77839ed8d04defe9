"""Images in a bucket (MENTORAPI_MEDIA_URL=s3://bucket/prefix), with a real S3 server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import S3Store

from mentorapi import images
from mentorapi.config import Settings
from tests.api.images.s3 import BUCKET, S3
from tests.api.images.test_profile_image import PNG, fetch, image_of, upload
from tests.client import SECRET, Api, is_error
from tests.operations.test_starting_misconfigured import assert_one_line
from tests.starting import run

UNAVAILABLE = "Service temporarily unavailable, please try again"


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    s3 = S3()
    with s3.running():
        yield s3


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.refused.clear()


@pytest.fixture
def settings(s3: S3) -> Settings:
    return Settings(jwt_secret=SECRET, media_url=f"s3://{BUCKET}/faces/of-mentors")


async def test_upload_to_bucket_serves_the_image_from_it(api: Api, s3: S3) -> None:
    profile = (await upload(await api.mentor(), PNG)).json
    url = profile["profileImageUrl"]
    assert url.startswith(f"{api.base}/api/images/")
    name = url.rpartition("/")[2]
    response = await fetch(api, profile)
    assert (response.status, response.headers["Content-Type"]) == (200, "image/webp")
    assert "immutable" in response.headers["Cache-Control"]
    assert (await image_of(api, profile)).size == (300, 200)
    assert s3.get(f"faces/of-mentors/{name}") == ("image/webp", response.body)
    assert not (api.services.settings.data_dir / "images").exists()


async def test_upload_again_to_bucket_replaces_the_image(api: Api) -> None:
    mentor = await api.mentor()
    old, new = (await upload(mentor, PNG)).json, (await upload(mentor, PNG)).json
    assert is_error(await fetch(api, old), 404, "Image not found")
    assert (await fetch(api, new)).status == 200
    await mentor.ok("PATCH", "/mentor/me", {"profileImageUrl": None})
    assert is_error(await fetch(api, new), 404, "Image not found")


async def test_get_unknown_image_from_bucket_is_not_found(api: Api) -> None:
    response = await api.nobody.get(f"/images/{'x' * 22}.webp")
    assert is_error(response, 404, "Image not found")


async def test_upload_to_failing_bucket_keeps_the_old_image(api: Api, s3: S3) -> None:
    mentor = await api.mentor()
    profile = (await upload(mentor, PNG)).json
    s3.refused.add("PUT")
    response = await upload(mentor, PNG)
    assert is_error(response, 503, UNAVAILABLE)
    assert response.headers["Retry-After"] == "1"
    assert (await mentor.ok("GET", "/mentor/me"))["profile"] == profile
    assert (await fetch(api, profile)).status == 200


async def test_upload_with_old_image_undeletable_succeeds(api: Api, s3: S3) -> None:
    mentor = await api.mentor()
    await upload(mentor, PNG)
    s3.refused |= {"POST", "DELETE"}
    profile = (await upload(mentor, PNG)).json
    assert (await mentor.ok("GET", "/mentor/me"))["profile"] == profile
    assert (await fetch(api, profile)).status == 200


async def test_use_bucket_that_does_not_respond_is_unavailable(
    api: Api, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentor = await api.mentor()
    profile = (await upload(mentor, PNG)).json
    s3.refused.add("GET")
    assert is_error(await fetch(api, profile), 503, UNAVAILABLE)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(images, "BUCKET_SECONDS", 0.3)
        bucket = images.ImageBucket(S3Store(BUCKET, config={"allow_http": True}))
        monkeypatch.setattr(api.services.images, "_backend", bucket)
        assert is_error(await fetch(api, profile), 503, UNAVAILABLE)
        assert is_error(await upload(mentor, PNG), 503, UNAVAILABLE)
        assert (await mentor.ok("GET", "/mentor/me"))["profile"] == profile


# The start ---------------------------------------------------------------------------------------


def test_start_with_unreadable_bucket_is_refused(
    s3: S3, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = run(data_dir=data_dir, MEDIA_URL="s3://nowhere/x")
    assert_one_line(ended, 1, "s3://nowhere/x", "MENTORAPI_MEDIA_URL", "NoSuchBucket")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        ended = run(data_dir=data_dir, MEDIA_URL=f"s3://{BUCKET}")
    assert_one_line(ended, 1, f"s3://{BUCKET}", "MENTORAPI_MEDIA_URL", "error sending request")
