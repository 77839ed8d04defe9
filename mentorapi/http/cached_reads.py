"""Public reads: sent from the cache while they are current, else read from the database."""

from collections.abc import Mapping
from math import inf
from typing import Any

from mentorapi.cache.responses import LISTS, Load, Response
from mentorapi.http.base import ApiHandler
from mentorapi.http.request import Request


class CachedReadHandler(ApiHandler):
    """A read from the database that keeps its response in the cache, under the request's URL."""

    load: Load | None = None
    response: Response | None = None
    #: Seconds for which the response is true if nothing changes. Free slots expire.
    seconds_valid = inf
    #: The topic of a response whose path has no id. The topic of the others is their id.
    TOPIC: str = LISTS

    @staticmethod
    def is_cacheable(request: Request) -> bool:
        return request.method in ("GET", "HEAD") and not request.has_body

    async def prepare(self) -> None:
        if self.is_cacheable(self.request):
            cache, url = self.services.cache, self.request.uri
            response = await cache.join(url)
            if response is not None:
                self.write_response(response)
                self.finish()
                return
            self.load = cache.begin(url, self.path_args[0] if self.path_args else self.TOPIC)
        await super().prepare()

    def write_json(self, text: str, status: int = 200, headers: Mapping[str, str] = {}) -> None:
        headers = {"Cache-Control": self.spec.cache_control, **headers}
        self.response = Response(text.encode(), headers)
        self.write_response(self.response)

    def finish(self, chunk: Any = None) -> Any:
        if self.load is not None:
            response = None if self.failure else self.response
            self.services.cache.end(self.load, response, self.seconds_valid)
            self.load = None
        return super().finish(chunk)
