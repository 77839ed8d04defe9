"""The parser of a connection: from bytes to requests, one at a time, with llhttp."""

import math
import re

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from mentorapi import errors
from mentorapi.telemetry.metrics import METHODS

# llhttp refuses line feeds without carriage return. They end a head here as well: otherwise the
# client would wait for the refusal until its time is up.
_HEAD_END = re.compile(rb"\n\r?\n")

# llhttp also parses RTSP, ICE, HTTP/0.9 and HTTP/2.0, and several blanks before the target.
_REQUEST_LINE = re.compile(
    rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/1\.([01])\r\n"
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")

# Proxies may send the whole URL as the target (RFC 9112, 3.2.2).
_URL = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)

# RFC 3986, 3.2.2: a name, an IPv4 address, or an IPv6 address in brackets; then the port.
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


class RequestParser:
    """A parser that gives llhttp pieces which end where a head or a chunked body may end.

    So no piece has bytes of two requests, and bytes that follow a request wait unparsed.
    """

    def __init__(self, max_head_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._parser = HttpRequestParser(self)
        #: Bytes that have arrived. The start of a bytearray is removed without a copy of the rest.
        self.unparsed = bytearray()
        self.begin()

    def begin(self) -> None:
        """Expect the next request."""
        self.method = self.target = ""
        #: Names in lower case. Several headers of one name are joined by commas.
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.max_body: float = math.inf
        self.head_received = self.received = False
        self.is_1_1 = False
        #: Whether the connection stays open after the response.
        self.keep_alive = False
        #: Bytes of the body that have not been parsed; None if it is chunked.
        self.missing: int | None = 0
        self._framing_bytes = 0

    def add(self, data: bytes) -> None:
        self.unparsed += data

    @property
    def expects_continue(self) -> bool:
        """Whether the client sends the body only after ``100 Continue``."""
        return self.is_1_1 and self.headers.get("expect", "").lower() == "100-continue"

    def advance(self) -> bool:
        """Parse the next piece. False if more bytes have to arrive first.

        Raises BadRequest, HeadTooLarge and BodyTooLarge. Do not parse further bytes after that.
        """
        end = self._find_end()
        if not end:
            return False
        piece = bytes(self.unparsed[:end])
        del self.unparsed[:end]
        was_in_head, size = not self.head_received, len(self.body)
        try:
            self._parser.feed_data(self._read_request_line(piece) if was_in_head else piece)
        except HttpParserUpgrade:
            # The server does not switch to another protocol.
            pass
        except HttpParserError as error:
            if was_in_head and "Content-Length overflow" in str(error):
                raise errors.BodyTooLarge from None
            raise _not_http() from None
        if was_in_head:
            if self.head_received:
                self._check_head()
        elif self.missing is None:
            # llhttp does not limit the extensions and trailers of chunked bodies.
            self._framing_bytes = 0 if len(self.body) > size else self._framing_bytes + len(piece)
            if self._framing_bytes > self._max_head_bytes:
                raise _not_http()
        if len(self.body) > self.max_body:
            raise errors.BodyTooLarge
        return True

    def _find_end(self) -> int:
        """The end of the next piece; 0 if more bytes have to arrive first."""
        arrived = self.unparsed
        if not self.head_received:
            found = _HEAD_END.search(arrived)
            end = found.end() if found else 0
            if (end or len(arrived)) > self._max_head_bytes:
                raise errors.HeadTooLarge
            return end
        if self.missing is not None:
            return min(self.missing, len(arrived))
        if b"\r\n\r\n" in arrived:
            return arrived.index(b"\r\n\r\n") + 4
        # Last bytes that may begin such an end wait for the rest of it.
        held_back = next((n for n in (3, 2, 1) if arrived.endswith(b"\r\n\r"[:n])), 0)
        return len(arrived) - held_back

    def _read_request_line(self, head: bytes) -> bytes:
        """Read method and version; return the head as llhttp accepts it. Raises BadRequest.

        llhttp refuses unknown methods, which get a 405 here, and bytes above 127 in the target,
        which curl sends as they are typed.
        """
        found = _REQUEST_LINE.match(head)
        if found is None:
            if head.strip(b"\r\n"):
                raise _not_http()
            return head
        self.method, self.is_1_1 = found[1].decode(), found[3] == b"1"
        method = found[1] if self.method in METHODS or self.method == "CONNECT" else b"TRACE"
        target = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], found[2])
        return b"%b %b%b" % (method, target, head[found.end(2) :])

    def _check_head(self) -> None:
        coding = self.headers.get("transfer-encoding")
        length = int(self.headers.get("content-length", 0))
        host = self.headers.get("host", "" if self.is_1_1 else "localhost")
        if (
            not is_valid_host(host)
            or (coding is not None and (coding.lower() != "chunked" or not self.is_1_1))
            # llhttp skips the body of a request that asks for another protocol.
            or (self._parser.should_upgrade() and (coding is not None or length))
        ):
            raise _not_http()
        if not self.target.startswith("/"):
            self._shorten_target()
        self.missing = length if coding is None else None
        self.keep_alive &= self.method in METHODS

    def _shorten_target(self) -> None:
        """Reduce a target that is a URL to its path and query. Its host replaces ``Host``."""
        url = _URL.fullmatch(self.target)
        if url is None:
            return
        if not is_valid_host(url[1]):
            raise _not_http()
        self.headers["host"] = url[1]
        self.target = url[2] if url[2].startswith("/") else f"/{url[2]}"

    # Called by llhttp. It also calls ``on_header`` for trailers, which are ignored.

    def on_url(self, url: bytes) -> None:
        if self.head_received:
            raise ValueError("a piece has bytes of two requests")
        self.target = url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_received:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            known = self.headers.get(key)
            self.headers[key] = text if known is None else f"{known},{text}"

    def on_headers_complete(self) -> None:
        self.head_received = True
        # Read now: llhttp no longer knows it when the request is complete.
        self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        if self.missing is not None:
            self.missing -= len(chunk)
        self.body += chunk

    def on_message_complete(self) -> None:
        self.received = True


def is_valid_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None


def _not_http() -> errors.ApiError:
    return errors.BadRequest("Not a valid HTTP/1.1 request")
