"""Bearer tokens: which are accepted, and that all others are refused."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from mentorapi import errors
from mentorapi.auth import jwks, tokens
from mentorapi.auth.development import make_token
from mentorapi.auth.jwks import KeySet
from mentorapi.auth.keys import key_from_pem, key_from_secret
from mentorapi.auth.tokens import Verifier
from tests.client import SECRET, Api, Client, Response, is_error
from tests.serving import running

PATH = "/mentor/me"
MISSING = "Missing or invalid token"


@functools.cache
def key_of(algorithm: str, which: int = 0) -> Any:
    """Return a private key. ``which`` distinguishes several of one algorithm."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def pem_of(algorithm: str) -> str:
    public = key_of(algorithm).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def verifier(request: pytest.FixtureRequest) -> Verifier:
    """The verifier: of HS256, or the one that an ``indirect`` parameter creates."""
    build: Callable[[], Verifier] = getattr(
        request, "param", lambda: Verifier(key_from_secret(SECRET))
    )
    return build()


def claims(**more: Any) -> dict[str, Any]:
    """Return the claims of a valid token; None leaves one out."""
    found = {"sub": "ada", "exp": int(time.time()) + 60} | more
    return {name: value for name, value in found.items() if value is not None}


def in_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: Any, secret: str = SECRET, **header: Any) -> str:
    """Return an HS256 token with any payload."""
    head = in_base64(json.dumps({"alg": "HS256", "typ": "JWT"} | header).encode())
    text = payload if isinstance(payload, str) else json.dumps(payload)
    body = in_base64(text.encode("utf-8", "surrogatepass"))
    signature = hmac.digest(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{in_base64(signature)}"


#: RFC 6750, section 3.
INVALID = 'Bearer error="invalid_token"'


def unsigned(algorithm: str) -> str:
    head = in_base64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    return f"{head}.{in_base64(json.dumps(claims()).encode())}."


async def ask(api: Api, token: str) -> Response:
    return await Client(api.base, token).get(PATH)


async def is_refused(api: Api, token: str, message: str | None = None) -> bool:
    response = await ask(api, token)
    assert (response.status, response.headers["WWW-Authenticate"]) == (401, INVALID), response
    assert message is None or response.message == message
    return True


# The Authorization header ------------------------------------------------------------------------


async def test_send_token_as_bearer_is_accepted(api: Api) -> None:
    good = make_token(SECRET, sub="ada", ttl_seconds=60)
    for header in (f"Bearer {good}", f"bearer {good}", f"BEARER   {good}"):
        response = await api.nobody.get(PATH, headers={"Authorization": header})
        assert response.status == 200, header


async def test_send_other_authorization_header_is_unauthorized(api: Api) -> None:
    good = make_token(SECRET, sub="ada", ttl_seconds=60)
    headers = [
        "",
        "Bearer",
        "Bearer ",
        good,
        f"Basic {good}",
        f"Bearer{good}",
        f"Token {good}",
        f"Bearer {good} {good}",
        f"Bearer {good},Bearer {good}",
        f'Bearer "{good}"',
        "Basic YWRhOnBhc3N3b3Jk",
    ]
    for header in headers:
        response = await api.nobody.get(PATH, headers={"Authorization": header})
        assert response.status == 401, header
        is_bearer = header.partition(" ")[0] == "Bearer"
        assert response.headers["WWW-Authenticate"] == (INVALID if is_bearer else "Bearer")
    response = await api.nobody.get(PATH)
    assert is_error(response, 401, MISSING)
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_send_token_in_query_or_cookie_is_unauthorized(api: Api) -> None:
    good = make_token(SECRET, sub="ada", ttl_seconds=60)
    assert (await api.nobody.get(PATH, access_token=good, token=good)).status == 401
    cookie = {"Cookie": f"Authorization=Bearer {good}; token={good}"}
    assert (await api.nobody.get(PATH, headers=cookie)).status == 401


# Claims ------------------------------------------------------------------------------------------


async def test_send_sub_with_any_letters_identifies_the_user_exactly(api: Api) -> None:
    subs = ("ada", " ada", "ADA", "auth0|5f7c", "a/b?c#d", "é" * 255, "日本", "42", "<b>", "'--")
    for number, sub in enumerate(subs):
        token = signed(claims(sub=sub, name=f"N{number}"))
        profile = await Client(api.base, token).patch(PATH, {})
        assert profile.json["userId"] == sub
    listed = (await api.nobody.get("/mentors")).json
    assert {mentor["userId"] for mentor in listed} == set(subs)


async def test_send_token_without_sub_or_exp_is_unauthorized(api: Api) -> None:
    for sub in (None, "", " ", 5, True, ["ada"], {"id": "ada"}, "a" * 256, "a\0b", "a\nb", "\x7f"):
        assert await is_refused(api, signed(claims(sub=sub)), "Token has no valid sub"), sub
    assert await is_refused(api, signed({"exp": time.time() + 60, "sub": None}))
    assert await is_refused(api, signed({"sub": "ada"}), "Token has no valid exp")
    for exp in ("soon", str(int(time.time()) + 60), True, [], {}, "inf"):
        assert await is_refused(api, signed(claims(exp=exp)), "Token has no valid exp"), exp


async def test_send_absurd_claims_is_refused_or_ignored(api: Api) -> None:
    for payload in (
        '{"sub":"ada","exp":NaN}',
        '{"sub":"ada","exp":Infinity}',
        '{"sub":"ada","exp":1e999}',
        '{"sub":"ada","exp":-1e999}',
        '{"sub":"ada","exp":1' + "0" * 400 + "}",
        '{"sub":"ada","exp":1' + "0" * 5000 + "}",
        '{"sub":"\\ud800","exp":9999999999}',
        '{"sub":"\ud800","exp":9999999999}',
        '{"sub":"ada","exp":9999999999,"x":' + "[" * 2500 + "]" * 2500 + "}",
        "[1]",
        '"ada"',
        "null",
        "5",
        "{",
        "",
        "\ufeff{}",
    ):
        assert await is_refused(api, signed(payload)), payload[:60]
    odd = claims(name=["x"], email=5, picture="javascript:alert(1)", roles="admin", iss=5, aud=[1])
    assert (await ask(api, signed(odd))).status == 200
    profile = await Client(api.base, signed(odd)).patch(PATH, {})
    assert (profile.json["fullName"], profile.json["profileImageUrl"]) == (None, None)


@pytest.mark.parametrize("text", ["[{}]", '{{"x":{}}}'], ids=["lists", "objects"])
async def test_send_token_nested_too_deeply_is_unauthorized(text: str, api: Api) -> None:
    """The limit is our own, since Python's differs between its versions."""

    def nested(levels: int) -> str:
        value = "1"
        for _ in range(levels):
            value = text.format(value)
        return value

    payload = json.dumps(claims(other=0, roles=0))
    for place in ('"other": 0', '"roles": 0'):
        name = place.partition(":")[0]
        good = payload.replace(place, f"{name}: {nested(63)}")
        assert (await ask(api, signed(good))).status == 200, name
        for levels in (64, 400, 900):
            bad = payload.replace(place, f"{name}: {nested(levels)}")
            assert await is_refused(api, signed(bad)), (name, levels)
    for levels in (64, 400):
        assert await is_refused(api, signed(claims(), extra=json.loads(nested(levels)))), levels


def test_read_key_set_nested_too_deeply_is_refused(issuer: Issuer) -> None:
    document = json.dumps(issuer.document())
    assert jwks.read_key_set(document.encode())
    for levels in (65, 900, 2500, 100_000):
        member = '{"kty":"RSA","x":' + "[" * levels + "]" * levels + "}"
        for text in (
            document.replace("[", f"[{member},", 1),
            document.replace("{", '{"x":' + "[" * levels + "]" * levels + ",", 1),
            "[" * levels + "]" * levels,
        ):
            with pytest.raises(ValueError, match="nested too deeply"):
                jwks.read_key_set(text.encode())


async def test_send_expired_token_is_unauthorized(api: Api) -> None:
    assert await is_refused(api, signed(claims(exp=int(time.time()) - 1)), "Token has expired")
    assert await is_refused(api, signed(claims(exp=0)), "Token has expired")
    assert await is_refused(api, signed(claims(exp=-1)), "Token has expired")
    assert (await ask(api, signed(claims(exp=time.time() + 60.5)))).status == 200


async def test_send_cached_token_after_its_expiry_is_unauthorized(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(claims())
    assert (await ask(api, token)).status == 200
    later = time.time() + 61
    monkeypatch.setattr(tokens.time, "time", lambda: later)
    assert await is_refused(api, token, "Token has expired")
    assert await is_refused(api, token, "Token has expired")


async def test_send_token_before_nbf_or_iat_is_unauthorized(api: Api) -> None:
    now = int(time.time())
    for claim in ("nbf", "iat"):
        late = signed(claims(**{claim: now + 3600}))
        assert await is_refused(api, late, "Token is not valid yet"), claim
        for value in ("tomorrow", True, [], {"at": now}):
            assert await is_refused(api, signed(claims(**{claim: value}))), (claim, value)
        assert (await ask(api, signed(claims(**{claim: now - 3600})))).status == 200
        assert (await ask(api, signed(claims(**{claim: now + 2})))).status == 200


# Signature ---------------------------------------------------------------------------------------


async def test_send_token_of_another_secret_is_unauthorized(api: Api) -> None:
    token = signed(claims(), secret="x" * 40)
    assert await is_refused(api, token, "Token has an invalid signature")


async def test_send_token_with_changed_parts_is_unauthorized(api: Api) -> None:
    head, body, signature = signed(claims()).split(".")
    other = in_base64(json.dumps(claims(sub="eve")).encode())
    assert await is_refused(api, f"{head}.{other}.{signature}", "Token has an invalid signature")
    other = in_base64(b'{"typ":"JWT","alg":"HS256"}')
    assert await is_refused(api, f"{other}.{body}.{signature}", "Token has an invalid signature")
    assert await is_refused(api, f"{head}.{body}.")
    assert await is_refused(api, f"{head}.{body}.{signature[:-4]}AAAA")
    assert await is_refused(api, f"{head}.{body}.{signature}.{signature}")


async def test_send_unsigned_token_is_unauthorized(api: Api) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        assert await is_refused(api, unsigned(algorithm)), algorithm
    for algorithm in (None, [], ["HS256"], {}, 5):
        assert await is_refused(api, signed(claims(), alg=algorithm)), algorithm


async def test_send_token_of_another_hmac_is_unauthorized(api: Api) -> None:
    for algorithm in ("HS384", "HS512"):
        token = jwt.encode(claims(), SECRET * 2, algorithm=algorithm)
        assert await is_refused(api, token), algorithm
        token = jwt.encode(claims(), SECRET.ljust(64, "x"), algorithm=algorithm)
        assert await is_refused(api, token), algorithm


async def test_send_unknown_critical_header_is_unauthorized(api: Api) -> None:
    assert await is_refused(api, signed(claims(), crit=["exp"]))
    assert await is_refused(api, signed(claims(), crit=["b64"], b64=False))


async def test_send_token_with_its_own_key_is_unauthorized(api: Api) -> None:
    own = key_of("RS256", 1)
    jwk = json.loads(RSAAlgorithm.to_jwk(own.public_key()))
    for header in (
        {"jwk": jwk},
        {"jku": "http://127.0.0.1:1/jwks"},
        {"kid": "../../dev/null"},
        {"x5u": "http://127.0.0.1:1/x"},
    ):
        token = jwt.encode(claims(), own, algorithm="RS256", headers=header)
        assert await is_refused(api, token), header
    assert (await ask(api, signed(claims(), kid="' OR 1=1"))).status == 200


async def test_send_malformed_token_is_unauthorized(api: Api) -> None:
    for token in (
        "x",
        "..",
        "a.b.c",
        "....",
        "null",
        "undefined",
        "[object Object]",
        "e30.e30.e30",
        "eyJhbGciOiJIUzI1NiJ9..",
        "a" * 15_000,
        "a.b." + "c" * 15_000,
        in_base64(b"[" * 5000) + ".e30.e30",
        in_base64(b'{"alg":"HS256","kid":5}') + ".e30.e30",
        "%00.%00.%00",
        "é.é.é",
    ):
        response = await api.nobody.get(
            PATH, headers={"Authorization": f"Bearer {token.encode().decode('latin-1')}"}
        )
        assert response.status == 401, token[:40]
        assert response.headers["WWW-Authenticate"] == INVALID


async def test_send_token_above_maximum_length_is_unauthorized(api: Api) -> None:
    assert (await ask(api, signed(claims(x="y" * 5000)))).status == 200
    assert await is_refused(api, signed(claims(x="y" * 8000)))


# Public keys -------------------------------------------------------------------------------------

ALGORITHMS = ("RS256", "ES256", "EdDSA")
OF_PUBLIC_KEYS = pytest.mark.parametrize(
    ("verifier", "algorithm"),
    [
        (lambda algorithm=algorithm: Verifier(key_from_pem(pem_of(algorithm))), algorithm)
        for algorithm in ALGORITHMS
    ],
    indirect=["verifier"],
    ids=ALGORITHMS,
)


@OF_PUBLIC_KEYS
async def test_send_token_of_configured_key_alone_is_accepted(api: Api, algorithm: str) -> None:
    assert (
        await ask(api, jwt.encode(claims(), key_of(algorithm), algorithm=algorithm))
    ).status == 200
    assert await is_refused(
        api,
        jwt.encode(claims(), key_of(algorithm, 1), algorithm=algorithm),
        "Token has an invalid signature",
    )
    for other in ALGORITHMS:
        if other != algorithm:
            assert await is_refused(api, jwt.encode(claims(), key_of(other), algorithm=other)), (
                other
            )


@OF_PUBLIC_KEYS
async def test_send_token_signed_with_public_key_as_secret_is_unauthorized(
    api: Api, algorithm: str
) -> None:
    pem = pem_of(algorithm)
    for secret in (pem, pem.strip(), pem.replace("\n", ""), ""):
        assert await is_refused(api, signed(claims(), secret=secret))
    assert await is_refused(api, make_token(SECRET, sub="ada", ttl_seconds=60))
    assert await is_refused(api, unsigned("none"))
    assert await is_refused(api, unsigned(algorithm))


@pytest.mark.parametrize(
    "verifier", [lambda: Verifier(key_from_pem(pem_of("RS256")))], indirect=True
)
async def test_send_token_of_other_rsa_algorithm_is_unauthorized(api: Api) -> None:
    for algorithm in ("RS384", "RS512", "PS256", "PS512"):
        token = jwt.encode(claims(), key_of("RS256"), algorithm=algorithm)
        assert await is_refused(api, token), algorithm


# Issuer and audience -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verifier",
    [lambda: Verifier(key_from_secret(SECRET), issuer="https://id.example", audience="mentorship")],
    indirect=True,
)
async def test_send_other_issuer_or_audience_is_unauthorized_if_configured(api: Api) -> None:
    right: dict[str, Any] = {"iss": "https://id.example", "aud": "mentorship"}
    assert (await ask(api, signed(claims(**right)))).status == 200
    assert (
        await ask(api, signed(claims(**right | {"aud": ["other", "mentorship"]})))
    ).status == 200
    for issuer in (
        None,
        "",
        "https://id.example/",
        "https://ID.example",
        ["https://id.example"],
        5,
    ):
        assert await is_refused(api, signed(claims(**right | {"iss": issuer}))), issuer
    for audience in (None, "", "Mentorship", "mentorship ", ["other"], [], [["mentorship"]], {}, 5):
        assert await is_refused(api, signed(claims(**right | {"aud": audience}))), audience


async def test_send_any_issuer_or_audience_is_accepted_by_default(api: Api) -> None:
    assert (await ask(api, signed(claims(iss="anybody", aud="anything")))).status == 200


# A published key set -----------------------------------------------------------------------------

JWK = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


class Issuer:
    """An issuer that publishes keys over HTTP. ``hits`` counts the requests for them."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, Any]] = {}
        self.extra: list[Any] = []
        self.hits = 0
        self.status = 200

    def publish(self, kid: str, algorithm: str, which: int = 0) -> None:
        self.keys[kid] = (algorithm, key_of(algorithm, which))

    def token(self, kid: str | None, algorithm: str, which: int = 0, **more: Any) -> str:
        headers = {} if kid is None else {"kid": kid}
        key = key_of(algorithm, which)
        return jwt.encode(claims(**more), key, algorithm=algorithm, headers=headers)

    def document(self) -> dict[str, Any]:
        keys = [
            json.loads(JWK[algorithm].to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
            for kid, (algorithm, key) in self.keys.items()
        ]
        return {"keys": keys + self.extra}


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.publish("r", "RS256")
    issuer.publish("e", "ES256")
    issuer.publish("d", "EdDSA")
    return issuer


async def publishing(issuer: Issuer) -> AsyncIterator[Verifier]:
    class ShowKeys(RequestHandler):
        def get(self) -> None:
            issuer.hits += 1
            self.set_status(issuer.status)
            self.write(issuer.document())

    server = HTTPServer(Application([("/jwks", ShowKeys)]))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    verifier = Verifier(KeySet(f"http://127.0.0.1:{port}/jwks"))
    await verifier.start()
    yield verifier
    verifier.close()
    server.stop()
    await server.close_all_connections()


class TestOfAKeySet:
    @pytest.fixture
    def verifier(
        self, issuer: Issuer, io_loop: IOLoop, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Verifier]:
        monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
        with running(publishing(issuer), io_loop) as verifier:
            yield verifier

    async def test_send_token_of_each_published_key_is_accepted(
        self, api: Api, issuer: Issuer
    ) -> None:
        for kid, algorithm in (("r", "RS256"), ("e", "ES256"), ("d", "EdDSA")):
            assert (await ask(api, issuer.token(kid, algorithm))).status == 200, kid
        assert issuer.hits == 1

    async def test_send_token_with_other_key_id_is_unauthorized(
        self, api: Api, issuer: Issuer
    ) -> None:
        for kid, algorithm in (("r", "ES256"), ("e", "EdDSA"), ("d", "RS256"), (None, "RS256")):
            assert await is_refused(api, issuer.token(kid, algorithm)), kid
        assert await is_refused(
            api, issuer.token("r", "RS256", 1), "Token has an invalid signature"
        )
        assert await is_refused(
            api, issuer.token("x", "RS256"), "Token is signed with an unknown key"
        )
        assert await is_refused(api, signed(claims(), kid="r"))
        assert await is_refused(api, make_token(SECRET, sub="ada", ttl_seconds=60))
        for kid in (5, ["r"], {"r": 1}, True, ""):
            assert await is_refused(api, signed(claims(), kid=kid)), kid

    async def test_change_key_set_accepts_new_key_and_refuses_withdrawn_one(
        self, api: Api, issuer: Issuer
    ) -> None:
        old, new = issuer.token("d", "EdDSA"), issuer.token("new", "EdDSA", 1)
        assert (await ask(api, old)).status == 200
        assert await is_refused(api, new)
        issuer.publish("new", "EdDSA", 1)
        del issuer.keys["d"]
        assert (await ask(api, new)).status == 200
        assert await is_refused(api, old)

    async def test_send_token_of_keys_with_one_id_selects_by_algorithm(
        self, api: Api, issuer: Issuer
    ) -> None:
        issuer.keys.clear()
        for kid in ({"kid": "shared"}, {}):
            for algorithm, which in (("RS256", 0), ("ES256", 0), ("EdDSA", 0), ("ES256", 1)):
                public = key_of(algorithm, which).public_key()
                issuer.extra.append(json.loads(JWK[algorithm].to_jwk(public)) | kid)
        for kid in ("shared", None):
            for algorithm in JWK:
                assert (await ask(api, issuer.token(kid, algorithm))).status == 200, algorithm
                assert await is_refused(api, issuer.token(kid, algorithm, 1))
        assert await is_refused(api, signed(claims(), kid="shared"))

    async def test_fetch_key_set_in_vain_keeps_the_last_keys(
        self, api: Api, issuer: Issuer
    ) -> None:
        issuer.status = 500
        assert await is_refused(api, issuer.token("x", "RS256"))
        assert issuer.hits == 2
        assert (await ask(api, issuer.token("r", "RS256"))).status == 200

    async def test_publish_keys_for_other_uses_ignores_them(self, api: Api, issuer: Issuer) -> None:
        public = json.loads(RSAAlgorithm.to_jwk(key_of("RS256", 1).public_key()))
        issuer.extra = [
            {"kty": "oct", "k": in_base64(SECRET.encode()), "kid": "secret"},
            json.loads(RSAAlgorithm.to_jwk(key_of("RS256", 1)))
            | {"kid": "private", "key_ops": ["verify"]},
            public | {"kid": "encryption", "use": "enc"},
            public | {"kid": "other", "alg": "RS512"},
            public | {"kid": "good"},
            None,
            5,
            {"kty": "RSA", "kid": "broken", "n": "AA"},
        ]
        assert await is_refused(api, signed(claims(), kid="secret"))
        for kid in ("private", "encryption", "other", "broken"):
            assert await is_refused(api, issuer.token(kid, "RS256", 1)), kid
        assert (await ask(api, issuer.token("good", "RS256", 1))).status == 200


async def test_send_many_unknown_key_ids_fetches_the_key_set_once(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 3600)
    running = publishing(issuer)
    verifier = await anext(running)
    for number in range(50):
        with pytest.raises(errors.Unauthorized):
            await verifier.verify(issuer.token(f"made-up-{number}", "EdDSA"))
    assert issuer.hits == 1
    await anext(running, None)
