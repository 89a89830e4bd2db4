"""A platform authenticator in software: makes passkeys and answers for them as browsers do."""

from __future__ import annotations

import base64
import json
import os
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftAuthenticator:
    """One credential on one device; `flags` are what it says of the person (1 there, 4 verified).

    `origin` is the page that the browser shows.
    """

    origin: str = "https://vault.example.org"
    flags: int = PRESENT | VERIFIED
    counter: int = 0
    credential: bytes = field(default_factory=lambda: os.urandom(16))
    _private: EllipticCurvePrivateKey = field(
        default_factory=lambda: generate_private_key(SECP256R1())
    )

    def create(self, options: str) -> str:
        """What `navigator.credentials.create` gives, as JSON."""
        numbers = self._private.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, **point})
        length = struct.pack(">H", len(self.credential))
        attested = os.urandom(16) + length + self.credential + key
        data = self._data(ATTESTED) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        told = self._client("webauthn.create", json.loads(options))
        return self._answer(clientDataJSON=told, attestationObject=made)

    def get(self, options: str, *, kind: str = "webauthn.get") -> str:
        """What `navigator.credentials.get` gives, as JSON."""
        self.counter += 1
        told, data = self._client(kind, json.loads(options)), self._data(0)
        signature = self._private.sign(data + sha256(told).digest(), ECDSA(SHA256()))
        return self._answer(clientDataJSON=told, authenticatorData=data, signature=signature)

    def _data(self, more: int) -> bytes:
        site = str(urlsplit(self.origin).hostname)
        trailer = struct.pack(">BI", self.flags | more, self.counter)
        return sha256(site.encode()).digest() + trailer

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(told).encode()

    def _answer(self, **response: bytes) -> str:
        own = _text(self.credential)
        parts = {name: _text(value) for name, value in response.items()}
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": parts})


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
