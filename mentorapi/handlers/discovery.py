"""Public reads, answered from memory while what they show stays as it is."""

from __future__ import annotations

from typing import Any

from mentorapi.cache import LISTS, Answer, Reading
from mentorapi.handlers.base import ApiHandler, as_id

#: Bytes. Smaller answers are not worth compressing.
COMPRESSED_FROM = 1024


class WholeAnswerHandler(ApiHandler):
    """Writes answers that are there already, compressed where that is asked for."""

    answer: Answer | None = None

    def write_answer(self, answer: Answer) -> None:
        self.answer = answer
        self.set_header("Cache-Control", self.spec().cache_control)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        body = answer.body
        if len(body) >= COMPRESSED_FROM and "gzip" in self.request.headers.get(
            "Accept-Encoding", ""
        ):
            self.set_header("Content-Encoding", "gzip")
            body = answer.gzipped
        self.write(body)

    def compute_etag(self) -> str | None:
        return self.answer.etag if self.answer else None


class DiscoveryHandler(WholeAnswerHandler):
    """Asks the cache before anything else; what it doesn't have is kept there on the way out.

    What is kept is the body and the headers that the method wrote, under the URL as it came.
    """

    reading: Reading | None = None

    async def prepare(self) -> None:
        if self.request.method in ("GET", "HEAD"):
            cache, url = self.services.cache, self.request.uri or ""
            kept = cache.find(url)
            if kept is not None:
                self.write_answer(kept)
                self.finish()
                return
            self.reading = cache.begin(url, as_id(self.path_args[0]) if self.path_args else LISTS)
        await super().prepare()

    def finish(self, chunk: Any = None) -> Any:
        if self.reading is not None and self.get_status() == 200:
            names = ("X-Total-Count", "Link")
            headers = {name: self._headers[name] for name in names if name in self._headers}
            self.answer = Answer(b"".join(self._write_buffer), headers)
            self.services.cache.keep(self.reading, self.answer)
        return super().finish(chunk)

    def on_finish(self) -> None:
        if self.reading is not None:
            self.services.cache.abandon(self.reading)
