"""An outside issuer on loopback: it publishes keys over HTTP, counts who asks, and signs tokens."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault.clock import SystemClock

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def packed(data: bytes) -> str:
    """Base64 as tokens have it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """A number as keys have it."""
    return packed(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def public(key: Private, kid: str) -> dict[str, str]:
    """The published half of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        told = key.public_key().public_numbers()
        return {"kty": "RSA", "kid": kid, "n": number(told.n), "e": number(told.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        x, y = (packed(v.to_bytes(32, "big")) for v in (point.x, point.y))
        return {"kty": "EC", "kid": kid, "crv": "P-256", "x": x, "y": y, "use": "sig"}
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": packed(raw), "alg": "EdDSA"}


def sign(key: Private, message: bytes) -> bytes:
    """As the algorithm of the key's kind does it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        parts = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return b"".join(part.to_bytes(32, "big") for part in parts)
    return key.sign(message)


@dataclass
class Issuer:
    """`keys` are by their id; `document`, if there is one, is published instead of them."""

    url: str
    keys: dict[str, Private] = field(default_factory=dict)
    document: bytes | None = None
    status: int = 200
    asked: int = 0

    def published(self) -> bytes:
        """What is answered to whoever asks for the keys."""
        if self.document is not None:
            return self.document
        return json.dumps({"keys": [public(key, kid) for kid, key in self.keys.items()]}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What it says of `runner`, for ten minutes; None leaves a claim out."""
        now = int(SystemClock().now().timestamp())
        told = {"iss": self.url, "aud": "vault", "sub": "runner", "iat": now, "exp": now + 600}
        return {name: value for name, value in {**told, **changes}.items() if value is not None}

    def token(self, kid: str, algorithm: str, header: Any = None, **changes: Any) -> str:
        """A token by one of its keys."""
        head = {"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}
        shown = ".".join(packed(json.dumps(x).encode()) for x in (head, self.claims(**changes)))
        return f"{shown}.{packed(sign(self.keys[kid], shown.encode()))}"


@contextmanager
def issuing() -> Iterator[Issuer]:
    """One that answers on loopback, with a key of each kind."""
    issuer = Issuer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = issuer.published()
            self.send_response(issuer.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        issuer.keys["rsa"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer.keys["ec"] = ec.generate_private_key(ec.SECP256R1())
        issuer.keys["ed"] = ed25519.Ed25519PrivateKey.generate()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
