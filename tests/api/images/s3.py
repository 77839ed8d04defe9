"""An S3 server with one bucket: moto's, which keeps everything in memory."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "pictures"


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


class S3:
    def __init__(self) -> None:
        self._answer = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._app, True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        #: Methods that get a 500.
        self.refused: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            self.make(BUCKET)
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def make(self, bucket: str) -> None:
        request = urllib.request.Request(f"{self.url}/{bucket}", method="PUT")
        urllib.request.urlopen(request).close()

    def get(self, path: str) -> tuple[str, bytes]:
        """Return the content type and the bytes of an object."""
        # moto needs a signature, but does not check it.
        signed = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"
        }
        request = urllib.request.Request(f"{self.url}/{BUCKET}/{path}", headers=signed)
        with urllib.request.urlopen(request) as response:
            return response.headers["Content-Type"], response.read()

    def _app(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if environ["REQUEST_METHOD"] in self.refused:
            start("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"out of order"]
        return self._answer(environ, start)
