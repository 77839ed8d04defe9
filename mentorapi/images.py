"""Profile images: rendering uploads, and storing the results in a folder or a bucket.

An upload is decoded, scaled down and encoded again. Nothing of the uploaded file is served: not
its bytes, its metadata (phones record where a photo was taken), its type or its name.
"""

import asyncio
import logging
import os
import re
import secrets
import warnings
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Self, TypeAlias

from obstore.exceptions import BaseError
from obstore.store import S3Store
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from mentorapi import errors
from mentorapi.schemas.images import MAX_UPLOAD

log = logging.getLogger(__name__)

CONTENT_TYPE = "image/webp"
MAX_PIXELS = 25_000_000
#: Pixels. A strip of 1 x 25,000,000 takes six times as long as a square with as many pixels.
MAX_UPLOADED_SIDE = 10_000
#: Pixels of a rendered image.
MAX_SIDE = 512
QUALITY = 85

#: An image at the limits takes some 400 MB for up to a second, so one is rendered at a time.
WORKERS = 1
#: Uploads that wait for the worker: at most 40 MiB.
QUEUE_LENGTH = 8
#: Uploads of one user, the waiting ones included. They are rendered one after the other.
MAX_UPLOADS_PER_USER = 5

# Uploads are decoded by these decoders of Pillow only; it has many more.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# A progressive JPEG has about ten scans. One with thousands takes minutes to decode.
_JPEG_SCAN = b"\xff\xda"
_MAX_JPEG_SCANS = 50

_NAME = re.compile(r"[A-Za-z0-9_-]{22}\.webp")

#: Time for one call to a bucket, including one retry.
BUCKET_SECONDS = 10.0

TOO_LARGE = f"Image is too large: at most {MAX_UPLOAD // 1024**2} MiB"
TOO_MANY_PIXELS = f"Image is too large: at most {MAX_PIXELS // 1_000_000} megapixels"
TOO_LONG = f"Image is too large: at most {MAX_UPLOADED_SIDE:,} pixels on each side"
TOO_BUSY = "Too many images at once, please try again"
UNKNOWN_FORMAT = "File is not a JPEG, PNG, WebP or GIF image"

# By default Pillow only warns of images that take gigabytes when decoded.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


def render(data: bytes) -> bytes:
    """The image as a WebP of at most 512 by 512 pixels, upright, in sRGB, without metadata.

    The same bytes give the same result; an animation gives its first frame. Takes up to a second:
    call it in a thread. Raises errors.InvalidImage for every other input.
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
        # Decoders raise many errors on malformed files, SyntaxError and struct.error among them.
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
        # 16-bit grey: convert() alone would cut off all values above 255.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    # An image that was not converted is not loaded yet: a large JPEG is decoded at a smaller size.
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    # thumbnail() does not load small images, and verify() accepts truncated ones.
    image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    # A malformed EXIF block is ignored.
    with suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode != "L":
        # A malformed colour profile is ignored: the image is treated as sRGB.
        with suppress(Exception):
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
    # Pillow writes this metadata into the file otherwise.
    image.info = {}
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()


class ImageFolder:
    """A folder of images, created if missing. Each image is synced to disk when written."""

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
        # An unfinished file is never served: no row and no client knows its name yet.
        path = self._path / name
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            folder = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


class ImageBucket:
    """Images in a bucket of S3, or of a compatible service, under a prefix. Raises OSError."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open ``s3://bucket/prefix``, and check that the bucket can be listed.

        obstore reads the endpoint and the credentials from the AWS_* variables. Without the
        permission to list (s3:ListBucket), S3 sends a 403 for a missing object, which cannot be
        distinguished from a failure.
        """
        name, _, prefix = url.removeprefix("s3://").partition("/")
        async with _bucket_call():
            store = S3Store(
                name,
                prefix=prefix or None,
                # Without it, an http:// endpoint fails with an unclear message. As a client option,
                # it would disable the client options that come from the variables.
                config={"allow_http": True},  # type: ignore[arg-type]
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=BUCKET_SECONDS)},
            )
            async for _ in store.list(chunk_size=1):
                break
        return cls(store)

    async def write(self, name: str, data: bytes) -> None:
        # An object that was stored without a confirmation has a name that no row refers to.
        async with _bucket_call():
            await self._store.put_async(name, data, attributes={"Content-Type": CONTENT_TYPE})

    async def read(self, name: str) -> bytes:
        async with _bucket_call():
            found = await self._store.get_async(name)
            return bytes(await found.bytes_async())

    async def delete(self, name: str) -> None:
        """S3 does not report a missing name."""
        async with _bucket_call():
            await self._store.delete_async(name)


#: Where images are kept by name. A failure is an OSError; for a missing name, a FileNotFoundError.
#: After a failed `write` the name does not exist. Names from ImageStore are safe in paths and URLs.
Backend: TypeAlias = ImageFolder | ImageBucket


@asynccontextmanager
async def _bucket_call() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(BUCKET_SECONDS):
            yield
    except TimeoutError:
        raise OSError(f"no response within {BUCKET_SECONDS:.0f} seconds") from None
    except BaseError as error:
        # The first line and the server's error code; the rest is a dump of the library's state.
        first_line = str(error).partition("\n")[0].partition("<")[0].strip()
        code = re.search(r"<Code>(\w+)</Code>", str(error))
        raise OSError(f"{first_line} {code[1] if code else ''}".strip()) from None


@dataclass(slots=True)
class _UserUploads:
    """Number of one user's uploads, and the lock that the upload being rendered holds."""

    count: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ImageStore:
    """The store that renders and keeps uploads, and reads images of `CONTENT_TYPE` by name.

    A thread with a bounded queue renders the images, so that uploads leave processors and memory
    to the rest of the server. Each user has one place in that queue. When the backend fails, the
    methods raise errors.Unavailable.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="images")
        #: Images that are rendered, or wait for it.
        self._rendering = 0
        self._uploads: dict[str, _UserUploads] = {}

    @asynccontextmanager
    async def saved(self, user_id: str, data: bytes) -> AsyncIterator[str]:
        """Render and store an upload, and yield its name, which cannot be guessed.

        Deletes it again if the block fails. Raises errors.BodyTooLarge, errors.InvalidImage or
        errors.Unavailable.
        """
        if len(data) > MAX_UPLOAD:
            raise errors.BodyTooLarge(TOO_LARGE)
        async with self._one_at_a_time(user_id):
            image = await self._render(data)
        name = f"{secrets.token_urlsafe(16)}.webp"
        with _backend_errors():
            await self._backend.write(name, image)
        try:
            yield name
        except Exception:
            await self.discard(name)
            raise

    async def read(self, name: str) -> bytes:
        """The bytes of an image. Raises errors.ImageNotFound and errors.Unavailable."""
        if not _NAME.fullmatch(name):
            raise errors.ImageNotFound
        with _backend_errors():
            try:
                return await self._backend.read(name)
            except FileNotFoundError:
                raise errors.ImageNotFound from None

    async def discard(self, name: str | None) -> None:
        """Delete an image that is no longer used. A failure leaves it there and is logged."""
        if name and _NAME.fullmatch(name):
            with suppress(errors.Unavailable), _backend_errors(), suppress(FileNotFoundError):
                await self._backend.delete(name)

    async def close(self) -> None:
        """Wait for the images being rendered; drop those in the queue."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    @asynccontextmanager
    async def _one_at_a_time(self, user_id: str) -> AsyncIterator[None]:
        """Wait until no other image of this user is rendered. Raises errors.Unavailable."""
        uploads = self._uploads.setdefault(user_id, _UserUploads())
        if uploads.count >= MAX_UPLOADS_PER_USER:
            raise errors.Unavailable(TOO_BUSY)
        uploads.count += 1
        try:
            async with uploads.lock:
                yield
        finally:
            uploads.count -= 1
            if not uploads.count:
                del self._uploads[user_id]

    async def _render(self, data: bytes) -> bytes:
        if self._rendering >= WORKERS + QUEUE_LENGTH:
            raise errors.Unavailable(TOO_BUSY)
        self._rendering += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, render, data)
        finally:
            self._rendering -= 1


@contextmanager
def _backend_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("Image store failed: %s", error)
        raise errors.Unavailable from error
