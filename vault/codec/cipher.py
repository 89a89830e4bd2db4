"""AES-256-GCM with counted nonces: a key seals each number once.

The nonce is the number, 12 bytes big-endian. Keys are derived from a longer-lived secret and a
random salt, so that a number never meets the same key twice.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.codec.buffers import Buffer
from vault.codec.digest import KEY_SIZE, derive_key
from vault.errors import Corrupt

SALT_SIZE: Final = 32
TAG_SIZE: Final = 16

_PACK: Final = "vault 2026-11 pack key"


def new_key() -> bytes:
    """A fresh random key, 32 bytes."""
    return os.urandom(KEY_SIZE)


def new_salt() -> bytes:
    """A fresh random salt, 32 bytes."""
    return os.urandom(SALT_SIZE)


def pack_key(session_key: bytes, salt: bytes) -> bytes:
    """The key of one pack."""
    return derive_key(_PACK, session_key + salt)


def seal(key: bytes, number: int, associated: bytes, data: Buffer) -> bytes:
    """Encrypt and authenticate; 16 bytes longer than `data`. A (key, number) is used once."""
    return AESGCM(key).encrypt(number.to_bytes(12, "big"), data, associated)


def seal_into(key: bytes, number: int, associated: bytes, data: Buffer, out: memoryview) -> None:
    """`seal` into `out`, which is 16 bytes longer than `data`: no copy, and other threads run."""
    AESGCM(key).encrypt_into(number.to_bytes(12, "big"), data, associated, out)


def unseal(key: bytes, number: int, associated: bytes, data: Buffer) -> bytes:
    """Undo `seal`. Raises Corrupt where key, number, associated data or bytes differ."""
    if len(data) < TAG_SIZE:
        raise Corrupt("sealed data are shorter than a seal")
    try:
        return AESGCM(key).decrypt(number.to_bytes(12, "big"), data, associated)
    except InvalidTag as error:
        raise _broken() from error


def unseal_into(key: bytes, number: int, associated: bytes, data: Buffer, out: memoryview) -> None:
    """`unseal` into `out`, which is 16 bytes shorter than `data`. Raises Corrupt."""
    try:
        AESGCM(key).decrypt_into(number.to_bytes(12, "big"), data, associated, out)
    except InvalidTag as error:
        raise _broken() from error


def _broken() -> Corrupt:
    return Corrupt("sealed data do not open: they, or what they are bound to, differ")


def seal_alone(secret: bytes, context: str, associated: bytes, data: Buffer) -> bytes:
    """Seal one thing under a key of its own: salt | ciphertext. `context` names the purpose."""
    salt = new_salt()
    return salt + seal(derive_key(context, secret + salt), 0, associated, data)


def unseal_alone(secret: bytes, context: str, associated: bytes, data: bytes) -> bytes:
    """Undo `seal_alone`. Raises Corrupt."""
    salt, sealed = data[:SALT_SIZE], memoryview(data)[SALT_SIZE:]
    return unseal(derive_key(context, secret + salt), 0, associated, sealed)
