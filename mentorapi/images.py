"""Profile images: what is uploaded is decoded, scaled down and encoded anew, then stored.

Nothing of an uploaded file is ever served: not its bytes, its metadata (a phone writes down where
the photo was taken), its type or its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Protocol

from obstore.exceptions import BaseError
from obstore.store import S3Store
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from mentorapi import errors
from mentorapi.schemas.images import MAX_UPLOAD

log = logging.getLogger(__name__)

CONTENT_TYPE = "image/webp"
MAX_PIXELS = 25_000_000
# A strip of 1 x 25,000,000 pixels takes six times as long as a square of as many pixels.
MAX_UPLOADED_SIDE = 10_000
MAX_SIDE = 512
QUALITY = 85

# An image at the limits takes some 400 MB for up to a second, so one at a time; 40 MiB may wait.
WORKERS = 1
QUEUE_LENGTH = 8
# One user's images are decoded one after the other; so many may be under way, the waiting ones
# included.
MAX_UPLOADS_PER_USER = 5

# Every other decoder of Pillow stays out of reach.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# A progressive JPEG has some ten scans. One with thousands takes minutes to decode.
_JPEG_SCAN = b"\xff\xda"
_MAX_JPEG_SCANS = 50

_NAME = re.compile(r"[A-Za-z0-9_-]{22}\.webp")

#: For one call to a bucket, a repetition included.
BUCKET_SECONDS = 10.0

TOO_LARGE = f"Image is too large: at most {MAX_UPLOAD // 1024**2} MiB"
TOO_MANY_PIXELS = f"Image is too large: at most {MAX_PIXELS // 1_000_000} megapixels"
TOO_LONG = f"Image is too large: at most {MAX_UPLOADED_SIDE:,} pixels on each side"
TOO_BUSY = "Too many images at once, please try again"
UNKNOWN_FORMAT = "File is not a JPEG, PNG, WebP or GIF image"

# By default Pillow only warns of images that take gigabytes once they are decoded.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


def render(data: bytes) -> bytes:
    """The image as a WebP of at most 512 by 512 pixels, upright, in sRGB, without metadata.

    The same bytes give the same result. Of an animation the first frame is taken.
    Raises errors.InvalidImage, whatever the input. Takes up to a second: not for the event loop.
    """
    try:
        return _encode(_decode(data))
    except errors.InvalidImage:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise errors.InvalidImage(TOO_MANY_PIXELS) from None
    except UnidentifiedImageError:
        raise errors.InvalidImage(UNKNOWN_FORMAT) from None
    except Exception as error:
        # Decoders raise anything on malformed files, SyntaxError and struct.error among it.
        log.info("Image refused: %s", type(error).__name__)
        raise errors.InvalidImage from None


def _decode(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise errors.InvalidImage(TOO_MANY_PIXELS)
        if max(image.size) > MAX_UPLOADED_SIDE:
            raise errors.InvalidImage(TOO_LONG)
        if image.format in ("JPEG", "MPO") and data.count(_JPEG_SCAN) > _MAX_JPEG_SCANS:
            raise errors.InvalidImage
        profile = image.info.get("icc_profile")
        return _in_srgb(_upright(_scaled_down(image)), profile)


def _scaled_down(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bit grey: convert() alone would cut off everything above 255.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    # Unconverted images are not loaded yet: a large JPEG is then decoded at a fraction of its size.
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    # thumbnail() leaves small images unread. verify() would let truncated ones pass.
    image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    # A broken EXIF block is no reason to refuse a good picture.
    with contextlib.suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode != "L":
        # Nor is a broken colour profile; the colours are then taken for sRGB.
        with contextlib.suppress(Exception):
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode=mode,
            )
            if converted is not None:
                return converted
    return image.convert(mode)


def _encode(image: Image.Image) -> bytes:
    # Pillow copies what it finds here into the files it writes.
    image.info = {}
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()


class Backend(Protocol):
    """Where images are kept: a folder, or anything that holds bytes under a name.

    Names come from ImageStore and are safe in paths and URLs. A failure of the backend itself is
    an OSError.
    """

    async def write(self, name: str, data: bytes) -> None:
        """All or nothing: after a failure there is nothing under the name."""

    async def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""

    async def delete(self, name: str) -> None:
        """Raises FileNotFoundError, or nothing where the backend cannot tell."""


class Folder:
    """Images in a folder of their own, durable once written. Created if missing (OSError)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)

    async def write(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, name, data)

    async def read(self, name: str) -> bytes:
        return await asyncio.to_thread((self._path / name).read_bytes)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread((self._path / name).unlink)

    def _write(self, name: str, data: bytes) -> None:
        # No name that is handed out starts with a dot, so a half written file is never served.
        unfinished = self._path / f".{name}.tmp"
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path / name)
            self._sync_names()
        except BaseException:
            unfinished.unlink(missing_ok=True)
            (self._path / name).unlink(missing_ok=True)
            raise

    def _sync_names(self) -> None:
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Bucket:
    """Images in a bucket of S3, or of what speaks its protocol, under a prefix.

    Where it is and with which key, obstore reads from the AWS_* variables. Raises OSError.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        with _bucket_errors():
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                # As a client option, it would put all others out of force that come from variables.
                # Not set, an endpoint of http:// fails with words that nobody understands.
                config={"allow_http": True},  # type: ignore[arg-type]
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=BUCKET_SECONDS)},
            )

    async def check(self) -> None:
        """Is it there, and may it be read? Raises OSError.

        To list needs a right of its own (s3:ListBucket); without it, S3 answers 403 for what is not
        there, and a missing image could not be told from a failure.
        """
        with _bucket_errors():
            async with asyncio.timeout(BUCKET_SECONDS):
                async for _ in self._store.list(chunk_size=1):
                    break

    async def write(self, name: str, data: bytes) -> None:
        # What arrived without a confirmation lies under a name that nobody learns.
        with _bucket_errors():
            async with asyncio.timeout(BUCKET_SECONDS):
                await self._store.put_async(name, data, attributes={"Content-Type": CONTENT_TYPE})

    async def read(self, name: str) -> bytes:
        with _bucket_errors():
            async with asyncio.timeout(BUCKET_SECONDS):
                found = await self._store.get_async(name)
                return bytes(await found.bytes_async())

    async def delete(self, name: str) -> None:
        with _bucket_errors():
            async with asyncio.timeout(BUCKET_SECONDS):
                await self._store.delete_async(name)


@contextlib.contextmanager
def _bucket_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except TimeoutError:
        raise OSError(f"no answer within {BUCKET_SECONDS:.0f} seconds") from None
    except BaseError as error:
        raise OSError(_first_words(error)) from None


def _first_words(error: BaseError) -> str:
    """What follows is a dump of the library's insides; the answer of the server may be in it."""
    words = str(error).partition("\n")[0].strip()
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return f"{words.partition('<')[0].strip()} {code[1] if code else ''}".strip()


@dataclass(slots=True)
class _Turn:
    """Uploads of one user that are under way, and the lock that the rendered one holds."""

    uploads: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ImageStore:
    """Takes uploads in, and hands out images of `CONTENT_TYPE` by name.

    Images are rendered by few threads with a bounded queue, so that uploads cannot take the
    processors and the memory from everything else. A user has one place in that queue. A failure
    of the backend is errors.Unavailable.
    """

    def __init__(
        self, backend: Backend, *, workers: int = WORKERS, queue_length: int = QUEUE_LENGTH
    ) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="images")
        self._places = threading.BoundedSemaphore(workers + queue_length)
        self._turns: dict[str, _Turn] = {}

    async def save(self, user_id: str, data: bytes) -> str:
        """The new image's unguessable name.

        Raises errors.BodyTooLarge, errors.InvalidImage or errors.Unavailable, and stores nothing.
        """
        if len(data) > MAX_UPLOAD:
            raise errors.BodyTooLarge(TOO_LARGE)
        async with self._turn(user_id):
            image = await self._rendered(data)
        name = f"{secrets.token_urlsafe(16)}.webp"
        with _backend_errors():
            await self._backend.write(name, image)
        return name

    async def read(self, name: str) -> bytes:
        """Raises errors.ImageNotFound, also for what never was a name, or errors.Unavailable."""
        if not _NAME.fullmatch(name):
            raise errors.ImageNotFound
        with _backend_errors():
            try:
                return await self._backend.read(name)
            except FileNotFoundError:
                raise errors.ImageNotFound from None

    async def delete(self, name: str) -> None:
        """A missing image is as good as deleted. Raises errors.Unavailable."""
        if _NAME.fullmatch(name):
            with _backend_errors(), contextlib.suppress(FileNotFoundError):
                await self._backend.delete(name)

    async def discard(self, name: str | None) -> None:
        """Delete what nothing points to any more. A failure leaves a file, but fails nothing."""
        if name:
            with contextlib.suppress(errors.Unavailable):
                await self.delete(name)

    async def close(self) -> None:
        """Waits for the images being rendered; those still in the queue are dropped."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    @contextlib.asynccontextmanager
    async def _turn(self, user_id: str) -> AsyncIterator[None]:
        """Wait until no other image of this user is rendered. Raises errors.Unavailable."""
        turn = self._turns.setdefault(user_id, _Turn())
        if turn.uploads >= MAX_UPLOADS_PER_USER:
            raise errors.Unavailable(TOO_BUSY)
        turn.uploads += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.uploads -= 1
            if not turn.uploads:
                del self._turns[user_id]

    async def _rendered(self, data: bytes) -> bytes:
        if not self._places.acquire(blocking=False):
            raise errors.Unavailable(TOO_BUSY)
        job = self._threads.submit(render, data)
        job.add_done_callback(self._leave)
        return await asyncio.wrap_future(job)

    def _leave(self, _job: Future[bytes]) -> None:
        # When the thread is done: the request that waits for it may have been cancelled before.
        self._places.release()


@contextlib.contextmanager
def _backend_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("Image store failed: %s", error)
        raise errors.Unavailable from error
