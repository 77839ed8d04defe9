"""The systemd units and the nginx site of deploy/, tried with systemd and with nginx."""

from __future__ import annotations

import asyncio
import http.client
import io
import ipaddress
import json
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

from mentorapi import errors, server
from mentorapi.config import Settings
from mentorapi.http import sockets
from mentorapi.schemas import images, profile
from tests.client import SECRET, Api, Client, phrase
from tests.clock import Clock
from tests.rules import test_journeys
from tests.starting import RUN, free_port, wait_until

DEPLOY = RUN.parent / "deploy"
UNIT = (DEPLOY / "mentorapi.service").read_text()
SOCKET = (DEPLOY / "mentorapi.socket").read_text()
SITE = (DEPLOY / "nginx.conf").read_text()

# Debian installs it in a folder that is not in the PATH of users.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx: apt-get install nginx-light")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Replace patterns. Asserts that the text contains each of them."""
    for pattern, replacement in changes:
        text, times = re.subn(pattern, lambda _, r=replacement: r, text, flags=re.MULTILINE)
        assert times, pattern
    return text


# systemd -----------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the units. They name the programs of this machine: systemd looks for them."""
    (tmp_path / "mentorapi.socket").write_text(SOCKET)
    (tmp_path / "mentorapi.service").write_text(
        replaced(
            UNIT,
            (r"/opt/mentorapi/\.venv/bin/python", sys.executable),
            (r"/opt/mentorapi/run\.py", str(RUN)),
        )
    )
    return tmp_path


def setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(value)


def assert_verified(*units: Path) -> None:
    seen = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (seen.returncode, seen.stdout, seen.stderr) == (0, "", "")


@needs_systemd
def test_verify_units_with_systemd_finds_no_errors(units: Path) -> None:
    assert_verified(units / "mentorapi.socket", units / "mentorapi.service")


@needs_systemd
def test_verify_units_of_several_processes_finds_no_errors(units: Path) -> None:
    (units / "mentorapi.service").rename(units / "mentorapi@.service")
    socket_unit = replaced(SOCKET, (r"^#Service=", "Service="))
    (units / "mentorapi.socket").write_text(socket_unit)
    assert_verified(units / "mentorapi.socket", units / "mentorapi@.service")


@needs_systemd
def test_rate_security_of_unit_finds_little_exposed(units: Path) -> None:
    """At most 2.0 of 10.0; a unit without any hardening has 9.6."""
    unit = units / "mentorapi.service"
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    seen = subprocess.run(command, capture_output=True, text=True)
    assert seen.returncode == 0, seen.stdout + seen.stderr


def test_read_unit_restarts_service_and_keeps_its_socket() -> None:
    assert setting("Restart") == "on-failure"
    assert setting("Sockets") == "mentorapi.socket"


def test_read_unit_waits_longer_than_the_server_needs_to_stop() -> None:
    bound = server.DRAIN_SECONDS + 2 * server.CLOSE_SECONDS
    assert int(setting("TimeoutStopSec")) > bound
    assert setting("KillMode") == "mixed"


def test_read_unit_names_existing_settings_only() -> None:
    named = set(re.findall(r"\bMENTORAPI_([A-Z_]+)", UNIT + SOCKET))
    assert {name.lower() for name in named} <= Settings.__dataclass_fields__.keys()


# nginx -------------------------------------------------------------------------------------------


@pytest.fixture
def settings() -> Settings:
    return Settings(jwt_secret=SECRET, behind_proxy=True, public_url="https://api.example.com")


@dataclass
class Authority:
    """A certificate authority, with a certificate for 127.0.0.1 and api.example.com."""

    folder: Path
    certificate: Path = field(init=False)
    key: Path = field(init=False)

    def __post_init__(self) -> None:
        self.certificate, self.key = self.folder / "fullchain.pem", self.folder / "privkey.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.example.com")])
        names = [
            x509.DNSName("api.example.com"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Nginx:
    """nginx with the site of deploy/. Only ports, files and what the test changes differ."""

    def __init__(
        self, folder: Path, authority: Authority, upstream: int, *changes: tuple[str, str]
    ) -> None:
        self.folder, self.authority = folder, authority
        self.plain, self.tls = free_port(), free_port()
        self.log = folder / "mentorapi.log"
        site = replaced(
            SITE,
            (r"^ +listen \[::\].*\n", ""),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain};"),
            (r"listen 443 ", f"listen 127.0.0.1:{self.tls} "),
            (r"server 127\.0\.0\.1:8000;", f"server 127.0.0.1:{upstream};"),
            (r"/etc/letsencrypt/live/api\.example\.com/fullchain\.pem", str(authority.certificate)),
            (r"/etc/letsencrypt/live/api\.example\.com/privkey\.pem", str(authority.key)),
            (r"/var/log/nginx/mentorapi\.log", str(self.log)),
            *changes,
        )
        (folder / "site.conf").write_text(site)
        temporary = "\n".join(
            f"    {kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.config = folder / "nginx.conf"
        self.config.write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/pid;\n"
            f"error_log {folder}/error.log;\nevents {{}}\n"
            f"http {{\n{temporary}\n    access_log off;\n    include {folder}/site.conf;\n}}\n"
        )

    def command(self, *arguments: str) -> list[str]:
        assert NGINX is not None
        return [NGINX, "-p", str(self.folder), "-c", str(self.config), *arguments]

    def __enter__(self) -> Nginx:
        self._process = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: self._process.poll() is not None or self._responds())
        assert self._process.returncode is None, (self.folder / "error.log").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _responds(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.tls)) == 0

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.tls}"

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> tuple[http.client.HTTPResponse, bytes]:
        def call() -> tuple[http.client.HTTPResponse, bytes]:
            trusting = ssl.create_default_context(cafile=self.authority.certificate)
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.tls, timeout=30, source_address=(source, 0), context=trusting
            )
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
                return response, response.read()
            finally:
                connection.close()

        return await asyncio.to_thread(call)


Started = Callable[..., Nginx]


@pytest.fixture
def nginx(tmp_path: Path, authority: Authority) -> Iterator[Started]:
    """A function that starts nginx in front of a port."""
    running: list[Nginx] = []

    def start(upstream: int, *changes: tuple[str, str]) -> Nginx:
        folder = tmp_path / f"nginx-{len(running)}"
        folder.mkdir()
        running.append(Nginx(folder, authority, upstream, *changes).__enter__())
        return running[-1]

    yield start
    for one in running:
        one.__exit__()


@pytest.fixture
def proxied(
    api: Api,
    nginx: Started,
    authority: Authority,
    io_loop: IOLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> Nginx:
    """nginx in front of ``api``, whose clients call it from now on."""

    async def trust() -> None:
        monkeypatch.setitem(AsyncHTTPClient().defaults, "ca_certs", str(authority.certificate))

    io_loop.run_sync(trust)
    site = nginx(port_of(api))
    api.base = site.base
    api.nobody = Client(site.base)
    return site


Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def access_lines() -> Iterator[Lines]:
    """The lines of the access log, with their fields."""
    configuration = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with structlog.testing.capture_logs() as lines:
        yield lines
    structlog.configure(**configuration)


def port_of(api: Api) -> int:
    return int(api.base.rpartition(":")[2])


#: Codes of the responses that nginx sends itself.
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    414: "uri_too_long",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
    504: "gateway_timeout",
}


def is_ours(
    received: tuple[http.client.HTTPResponse, bytes], status: int, message: str
) -> dict[str, Any]:
    """Assert that a response is an error of this API, with its headers; return the headers."""
    response, body = received
    assert response.status == status, body
    assert response.headers["Content-Type"].startswith("application/json")
    told = json.loads(body)
    assert told == {"statusCode": status, "message": message, "error": phrase(status)}
    assert response.headers["X-Error-Code"] == CODES.get(status, response.headers["X-Error-Code"])
    for name in ("X-Request-Id", "X-Error-Code", "Cache-Control", "Strict-Transport-Security"):
        assert len(response.headers.get_all(name, [])) == 1, name
    return dict(response.headers)


@needs_nginx
def test_check_site_with_nginx_finds_no_errors(tmp_path: Path, authority: Authority) -> None:
    site = Nginx(tmp_path, authority, 8000)
    seen = subprocess.run(site.command("-t"), capture_output=True, text=True)
    assert seen.returncode == 0, seen.stderr
    assert "[emerg]" not in seen.stderr


@needs_nginx
async def test_run_journey_through_nginx_succeeds(api: Api, clock: Clock, proxied: Nginx) -> None:
    await test_journeys.test_book_and_complete_session_succeeds_step_by_step(api, clock)
    seen = proxied.log.read_text()
    assert re.search(r"^127\.0\.0\.1 \S+ POST /api/requests 201 ", seen, re.MULTILINE)
    assert "startDate" not in seen


@needs_nginx
async def test_request_through_nginx_to_unix_socket_succeeds(
    api: Api, settings: Settings, nginx: Started, tmp_path: Path, access_lines: Lines
) -> None:
    path = tmp_path / "api.sock"
    (listening,) = sockets.bind(replace(settings, host=f"unix:{path}")).main
    # The workers of nginx run as another user.
    path.chmod(0o666)
    on_socket = server.http_server(api.app, settings)
    on_socket.add_sockets([listening])
    site = nginx(8000, (r"server 127\.0\.0\.1:8000;", f"server unix:{path};"))
    response, _ = await site.call("GET", "/api/mentors", source="127.0.0.2")
    on_socket.stop()
    await on_socket.close_all_connections()
    assert response.status == 200
    (line,) = access_lines
    assert line["client"] == "127.0.0.2"


@needs_nginx
async def test_request_with_forged_address_through_nginx_logs_the_real_one(
    api: Api, proxied: Nginx, access_lines: Lines
) -> None:
    lies = ("203.0.113.7", "for=203.0.113.7;proto=http")
    headers = {
        "X-Forwarded-For": f"{lies[0]}, 198.51.100.1",
        "X-Real-IP": lies[0],
        "Forwarded": lies[1],
        "X-Request-Id": "mine",
    }
    response, _ = await proxied.call("GET", "/api/mentors", None, headers, "127.0.0.2")
    assert (response.status, response.headers.get_all("X-Request-Id")) == (200, ["mine"])
    (line,) = access_lines
    assert (line["client"], line["request_id"]) == ("127.0.0.2", "mine")
    wait_until(lambda: " mine\n" in proxied.log.read_text())
    assert proxied.log.read_text().startswith("127.0.0.2 ")


@needs_nginx
async def test_upload_large_image_through_nginx_succeeds(api: Api, proxied: Nginx) -> None:
    picture = io.BytesIO()
    Image.frombytes("RGB", (800, 700), os.urandom(800 * 700 * 3)).save(picture, "PNG")
    assert profile.UPDATE.max_body < picture.tell() < images.UPLOAD.max_body
    form = (
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + picture.getvalue()
        + b"\r\n--cut--\r\n"
    )
    uploaded = await api.user("mia").request(
        "PATCH",
        "/mentor/profile-image",
        body=form,
        headers={
            "Content-Type": "multipart/form-data; boundary=cut",
            "X-Forwarded-Proto": "http",
            "X-Scheme": "http",
        },
    )
    assert uploaded.status == 200
    assert uploaded.json["profileImageUrl"].startswith("https://api.example.com/api/images/")


@needs_nginx
@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("PATCH", "/api/mentor/me", profile.UPDATE.max_body),
        ("PATCH", "/api/mentor/profile-image", images.UPLOAD.max_body),
    ],
)
async def test_send_too_large_body_through_nginx_has_our_error(
    api: Api, proxied: Nginx, method: str, path: str, limit: int
) -> None:
    message = errors.BodyTooLarge.message
    is_ours(await proxied.call(method, path, b"x" * (limit + 1)), 413, message)
    response, _ = await proxied.call(method, path, b"x" * limit)
    assert response.status == 401


@needs_nginx
async def test_request_with_error_through_nginx_keeps_the_response(
    api: Api, proxied: Nginx
) -> None:
    response = await proxied.call("GET", "/api/nowhere")
    is_ours(response, 404, "No such route: /api/nowhere")
    assert (await api.nobody.get("/sessions")).status == 401


@needs_nginx
async def test_get_probes_and_metrics_through_nginx_is_refused(api: Api, proxied: Nginx) -> None:
    for path in ("/readyz", "/livez", "/metrics", "/"):
        is_ours(await proxied.call("GET", path), 404, "No such route")


@needs_nginx
async def test_request_without_tls_redirects_to_https(api: Api, proxied: Nginx) -> None:
    def call() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", proxied.plain, timeout=30)
        connection.request("POST", "/api/requests?a=b", b"{}", {"Host": "api.example.com"})
        response = connection.getresponse()
        connection.close()
        return response.status, response.headers["Location"]

    assert await asyncio.to_thread(call) == (308, "https://api.example.com/api/requests?a=b")


@needs_nginx
async def test_send_many_posts_of_one_address_is_limited(api: Api, nginx: Started) -> None:
    site = nginx(port_of(api), (r"rate=10r/s", "rate=1r/m"), (r"burst=50", "burst=1"))
    for _ in range(2):
        response, _ = await site.call("POST", "/api/requests")
        assert response.status == 401
    headers = is_ours(
        await site.call("POST", "/api/requests"), 429, "Too many requests, please slow down"
    )
    assert headers["Retry-After"] == "1"
    assert (await site.call("GET", "/api/mentors"))[0].status == 200


@needs_nginx
async def test_request_with_server_down_has_the_error_format(
    nginx: Started,
) -> None:
    site = nginx(free_port(), (r'# ("https://app\.example\.com")', '"https://app.example.com"'))
    headers = is_ours(
        await site.call("GET", "/api/mentors", headers={"Origin": "https://app.example.com"}),
        503,
        errors.Unavailable.message,
    )
    assert headers["Retry-After"] == errors.Unavailable.headers["Retry-After"]
    assert headers["Access-Control-Allow-Origin"] == "https://app.example.com"


@needs_nginx
async def test_request_with_silent_server_times_out(nginx: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = nginx(
            silent.getsockname()[1], (r"proxy_read_timeout 60s", "proxy_read_timeout 100ms")
        )
        is_ours(await site.call("GET", "/api/mentors"), 504, "No response in time")
