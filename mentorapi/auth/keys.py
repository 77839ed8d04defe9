"""Keys that verify tokens: from a secret, or from a public key.

Each key has exactly one algorithm. What a token's header claims only selects among the keys, never
how a key is used: ``alg: none`` is refused, and a public key is never used as an HMAC secret.
"""

import os
from dataclasses import dataclass
from typing import TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MIN_SECRET_BYTES = 32
MIN_RSA_BITS = 2048

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class UnusableKey(ValueError):
    """A configured key, secret or key set that cannot be used. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Key:
    algorithm: str
    material: bytes | PublicKey
    kid: str | None = None


def key_from_secret(secret: str) -> Key:
    """Key for HS256. Raises UnusableKey if the secret is short, or a public key by mistake."""
    # os.environ represents bytes that are not UTF-8 as lone surrogates.
    material = os.fsencode(secret)
    if len(material) < MIN_SECRET_BYTES:
        raise UnusableKey(
            f"The signing secret must have at least {MIN_SECRET_BYTES} bytes"
            " (try: openssl rand -base64 48)"
        )
    try:
        return Key("HS256", jwt.get_algorithm_by_name("HS256").prepare_key(material))
    except jwt.InvalidKeyError:
        raise UnusableKey("The signing secret is a public key or certificate") from None


def key_from_pem(pem: str) -> Key:
    """Key from a public RSA, P-256 or Ed25519 key in PEM format. Raises UnusableKey."""
    if "PRIVATE KEY" in pem:
        raise UnusableKey("The key is a private key: configure its public half")
    try:
        public_key = load_pem_public_key(pem.encode())
    except Exception:
        raise UnusableKey("The key is not a public key in PEM format") from None
    return key_from_public_key(public_key)


def key_from_public_key(public_key: object, kid: str | None = None) -> Key:
    """Key with the one algorithm that fits its type. Raises UnusableKey."""
    match public_key:
        case RSAPublicKey():
            if public_key.key_size < MIN_RSA_BITS:
                raise UnusableKey(f"The RSA key must have at least {MIN_RSA_BITS} bits")
            return Key("RS256", public_key, kid)
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return Key("ES256", public_key, kid)
        case Ed25519PublicKey():
            return Key("EdDSA", public_key, kid)
        case _:
            raise UnusableKey("The key must be an RSA, P-256 or Ed25519 key")
