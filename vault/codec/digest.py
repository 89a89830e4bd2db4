"""BLAKE3 in its three modes: plain (names), keyed (chunk ids, page cuts), key derivation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from blake3 import blake3

from vault.codec.buffers import Buffer

KEY_SIZE: Final = 32
VAULT_DIGEST_SIZE: Final = 16


def plain_digest(data: Buffer) -> bytes:
    """The BLAKE3 of `data`, 32 bytes: what the name of a stored object carries in hex."""
    return blake3(data).digest()


def plain_digest_of(pieces: Iterable[Buffer]) -> bytes:
    """The same of bytes that come in pieces."""
    digest = blake3()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def chunk_id(key: bytes, data: Buffer) -> bytes:
    """BLAKE3 of `data` keyed with 32 bytes: reveals nothing to who lacks the key."""
    return blake3(data, key=key).digest()


def derive_key(context: str, material: bytes) -> bytes:
    """A 32-byte key for one purpose; `context` names the purpose, `material` holds the secret."""
    return blake3(material, derive_key_context=context).digest()


def vault_digest(vault: str) -> bytes:
    """The first 16 bytes of the BLAKE3 of a vault's id: how sealed bytes name their vault."""
    return blake3(vault.encode()).digest(length=VAULT_DIGEST_SIZE)
