"""Ed25519: signing keys, their public names, and checking."""

from __future__ import annotations

import os
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vault.codec.buffers import Buffer
from vault.codec.digest import plain_digest

SIGNATURE_SIZE: Final = 64
SEED_SIZE: Final = 32

_PUBLIC_HEX: Final = re.compile(r"[0-9a-f]{64}")


class SigningKey:
    """An Ed25519 key made from a 32-byte seed; shows only its public half."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_hex = self._private.public_key().public_bytes_raw().hex()
        self.key_id = key_id(self.public_hex)

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh random key."""
        return cls(os.urandom(SEED_SIZE))

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature of `data`."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


def key_id(public_hex: str) -> str:
    """The short name of a public key: the first 16 hex digits of the BLAKE3 of its 32 bytes."""
    return plain_digest(bytes.fromhex(public_hex)).hex()[:16]


def is_public_hex(text: str) -> bool:
    """Whether `text` has the shape of a public key: 64 hex digits in lower case."""
    return _PUBLIC_HEX.fullmatch(text) is not None


def verify(public_hex: str, signature: bytes, data: Buffer) -> bool:
    """Whether `signature` is that key's over `data`; False also for what is no key at all."""
    if not is_public_hex(public_hex):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
