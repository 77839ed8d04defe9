"""Requests that two programs may read differently: where one ends, and whether it is one at all.

Each is followed by a second request on the same connection. ``@`` in a target becomes the number of
the case, so that each request can be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

BODY = b"abc"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


def post(*fields: bytes, body: bytes = BODY, version: bytes = b"HTTP/1.1") -> bytes:
    lines = (b"POST /@ " + version, b"Host: a", *fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


LENGTHS = (
    b"3~03~003~+3~-3~3 ~ 3~\t3~3\t~3,3~3, 3~3,4~3;3~0x3~3.0~3e0~three~~'3'~\"3\"~3 3~-0~+0~0~"
    b"00~1_0~3\x00~3\x0b~\x0c3~3\xa0~\xef\xbc\x93~18446744073709551619~4294967299~2~4~1000000~"
    b"999999999999999999999999999999"
).split(b"~")
LENGTH_NAMES = (
    b"content-length~CONTENT-LENGTH~Content-Length ~Content-Length\t~Content_Length~"
    b" Content-Length~\tContent-Length~Content-Length\x0b~Content-Length\x00~Content Length~"
    b"X:\r\n Content-Length~X\r\nContent-Length~X: y\nContent-Length~X: y\rContent-Length~"
    b"Content-Length:~Content-Length: 3\r\nX~\xefContent-Length~Contentlength"
).split(b"~")
CODINGS = (
    b"chunked~Chunked~cHuNkEd~ chunked~chunked ~chunked\t~chunked,~,chunked~chunked, chunked~"
    b"gzip, chunked~chunked, gzip~gzip~identity~identity, chunked~chunked;q=1~x-chunked~"
    b'chunke~\x0bchunked~"chunked"~chunked\x00~~chunked chunked~chunked\r\n x~x\r\n chunked~'
    b"\r\n chunked~ch\xc3\xbcnked~chunked\x0b~trailers, chunked"
).split(b"~")
CODING_NAMES = (
    b"transfer-encoding~Transfer_Encoding~Transfer-Encoding ~ Transfer-Encoding~TE~"
    b"Transfer-Encoding\t~Transfer Encoding~Transfer-Encoding\x00~X: y\nTransfer-Encoding~"
    b"X: y\rTransfer-Encoding~Transfer-Encoding:~TransferEncoding~X:\r\n Transfer-Encoding"
).split(b"~")
SIZES = (
    b'3~03~000003~3 ~ 3~+3~-3~0x3~3;a~3;a=b~3;a="b"~3; a~3 ;a~3;~3,~3\t~g~~3_~3.0~3;\x00~'
    b"3;a\n~3;a\r~4~2~10000000000000003~ffffffffffffffff~fffffffffffffffff~"
    b"3;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~"
    b'0003;;;~\xef\xbc\x93~3\x0b~3;a="\r\n"~A'
).split(b"~")
LAST_SIZES = (b"0~00~0;x~0;x=y~-0~+0~0x0~0 ~ 0~0000000000000000000000000000000000000000~").split(
    b"~"
)
TRAILERS = (
    b"X: y\r\n~Content-Length: 5\r\n~Transfer-Encoding: chunked\r\n~Host: b\r\n~broken\r\n~"
    b" fold: y\r\n~X : y\r\n~X: y\n~: y\r\n~X: \x00\r\n~X: y\r\n z\r\n~GET / HTTP/1.1\r\n"
).split(b"~")
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b""]
REQUEST_LINES = (
    b"GET  /@ HTTP/1.1~GET\t/@ HTTP/1.1~GET /@  HTTP/1.1~GET /@ HTTP/1.1 ~ GET /@ HTTP/1.1~"
    b"GET /@~GET /@ HTTP/1.2~GET /@ HTTP/1.10~GET /@ HTTP/01.1~GET /@ http/1.1~"
    b"GET /@ HTTP/2.0~GET /@ HTTP/0.9~GET /@ HTTP/1.1x~GET /@ HTTP/1.~GET /@ HTTP/1~"
    b"GET /@ HTTP / 1.1~GET /@ RTSP/1.0~GET /@ ICE/1.0~GET /@HTTP/1.1~get /@ HTTP/1.1~"
    b"GeT /@ HTTP/1.1~FOO /@ HTTP/1.1~G:T /@ HTTP/1.1~GET http://a/@ HTTP/1.1~"
    b"GET http://b/@ HTTP/1.1~GET HTTPS://a:1/@?b=http://c/d HTTP/1.1~GET http://a?@ HTTP/1.1~"
    b"GET http:///@ HTTP/1.1~GET http://a@b/@ HTTP/1.1~GET http://a,b/@ HTTP/1.1~"
    b"GET //a/@ HTTP/1.1~GET @ HTTP/1.1~GET /@#x HTTP/1.1~"
    b"GET /@\xc3\xa9 HTTP/1.1~GET /@\x00 HTTP/1.1~GET /@\x01 HTTP/1.1~GET /@\x7f HTTP/1.1~"
    b'GET /@ x HTTP/1.1~GET /@?a b HTTP/1.1~GET /@?"<>\\^`{|} HTTP/1.1~GET /@%00 HTTP/1.1~'
    b"GET /@%0d%0aX HTTP/1.1~PRI * HTTP/2.0~CONNECT a:1 HTTP/1.1~OPTIONS * HTTP/1.1~"
    b"GET /@ HTTP/1.1\rX: y~GET /@ HTTP/1.1\nX: y~\xffGET /@ HTTP/1.1"
).split(b"~")
HOSTS = (
    b"~Host:~Host: a b~Host: a,b~Host: a@b~Host: a/b~Host: a:80~Host: a:x~Host: [::1]~"
    b"Host: a\r\nHost: a~Host: a\r\nHost: b~Host: a\r\n b~Host : a~ Host: a~Host: a\tb~"
    b"Host: a\x00~host: a~Host:a~Host: \xff~Host: a#b~Host: a?b~Host: :80~Host: a:80:80~"
    b"X: y\nHost: a"
).split(b"~")
FIELDS = (
    b"broken~: y~ : y~X y: z~X\t: y~X: \x01~X: \x00~X: \x7f~X: y\r\n z~X: y\r\n\tz~X: y\rz~"
    b"X: y\nz~X: y\r\n ~\xc3\xa9: y~X: \xc3\xa9~X(: y~X@: y~X: y\r\n\r~ ~\t~"
    b"Connection: close, keep-alive~Connection: Content-Length~Connection: Transfer-Encoding~"
    b"Upgrade: h2c~Connection: Upgrade\r\nUpgrade: h2c~"
    b"Connection: upgrade\r\nUpgrade: websocket~Expect: 100-continue~Expect: x"
).split(b"~")


def fields() -> Iterator[bytes]:
    """Yield lengths and codings, alone and together."""
    for value in LENGTHS:
        yield post(b"Content-Length: " + value)
        yield post(b"Content-Length:" + value, version=b"HTTP/1.0")
    for name in LENGTH_NAMES:
        yield post(name + b": 3")
        yield post(name + b": 3", b"Content-Length: 0")
    for one, other in product((b"3", b"03", b"4", b"0", b""), repeat=2):
        yield post(b"Content-Length: " + one, b"Content-Length: " + other)
    for value in CODINGS:
        for version in (b"HTTP/1.1", b"HTTP/1.0"):
            yield post(b"Transfer-Encoding: " + value, body=CHUNKS, version=version)
        yield post(b"Transfer-Encoding: " + value, b"Content-Length: 3", body=CHUNKS)
        yield post(b"Content-Length: 13", b"Transfer-Encoding: " + value, body=CHUNKS)
        yield post(b"Transfer-Encoding: " + value, b"Transfer-Encoding: chunked", body=CHUNKS)
    for name in CODING_NAMES:
        yield post(name + b": chunked", body=CHUNKS)
        yield post(name + b": chunked", b"Content-Length: 13", body=CHUNKS)
    for field in FIELDS:
        yield post(field, b"Content-Length: 3")
        yield post(b"Content-Length: 3", field)
        yield post(field, b"Transfer-Encoding: chunked", body=CHUNKS)


def bodies() -> Iterator[bytes]:
    """Yield chunked bodies."""
    for size in SIZES:
        yield chunked(size + b"\r\nabc\r\n0\r\n\r\n")
    for size in LAST_SIZES:
        yield chunked(b"3\r\nabc\r\n" + size + b"\r\n\r\n")
    for trailer in TRAILERS:
        yield chunked(b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n")
    for end in ENDS:
        yield chunked(b"3" + end + b"abc\r\n0\r\n\r\n")
        yield chunked(b"3;a=b" + end + b"abc\r\n0\r\n\r\n")
        yield chunked(b"3\r\nabc" + end + b"0\r\n\r\n")
        yield chunked(b"3\r\nabc\r\n0" + end + b"\r\n")
        yield chunked(b"3\r\nabc\r\n0\r\n" + end)
        yield chunked(b"3\r\nabc\r\n0\r\nX: y" + end + b"\r\n")


def heads() -> Iterator[bytes]:
    for line in REQUEST_LINES:
        yield line + b"\r\nHost: a\r\n\r\n"
    for host in HOSTS:
        for version in (b"1.1", b"1.0"):
            yield b"GET /@ HTTP/" + version + b"\r\n" + (host and host + b"\r\n") + b"\r\n"
    for field in FIELDS:
        yield b"GET /@ HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"
    for end in ENDS:
        yield b"GET /@ HTTP/1.1" + end + b"Host: a\r\n\r\n"
        yield b"GET /@ HTTP/1.1\r\nHost: a" + end + b"\r\n"
        yield b"GET /@ HTTP/1.1\r\nHost: a\r\n" + end
        yield end + b"GET /@ HTTP/1.1\r\nHost: a\r\n\r\n"
        yield b"GET /@ HTTP/1.1" + end + b"Host: a" + end + end


#: The bytes that a client sends on one connection.
CASES = [
    raw.replace(b"@", b"%d" % number)
    + b"GET /%d/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % number
    for number, raw in enumerate([*fields(), *bodies(), *heads()], 1000)
]
