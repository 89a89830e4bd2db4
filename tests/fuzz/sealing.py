"""A rogue writer: it holds real keys, and seals and signs whatever it likes (docs/format.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tests.unit.repository.founding import RECIPIENT, SESSION, VAULT, VOLUME, WRITER
from vault.codec.cipher import new_salt, pack_key, seal, seal_alone
from vault.codec.digest import chunk_id, plain_digest, vault_digest
from vault.codec.envelope import sign
from vault.codec.keyring import SessionKeys, wrap
from vault.ids import new_id
from vault.store.names import named
from vault.store.names import pack_key as pack_name
from vault.testing.clock import START

KEYS: Final = SessionKeys(SESSION, WRITER.public_hex, b"d" * 32, b"k" * 32, b"i" * 32)
SNAPSHOT: Final = new_id("snap", START)
TABLE: Final = 2**64 - 1

_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True)
class Sealed:
    """A pack, and what refers to its chunks: head and refs as lists, as MessagePack has them."""

    key: str
    data: bytes
    head: list[Any]
    refs: list[list[Any]]


def bound(salt: bytes, number: int, name: bytes, kind: int) -> bytes:
    """What a chunk is bound to."""
    return struct.pack(">16s32sQ32sB", vault_digest(VAULT), salt, number, name, kind)


def pack(
    chunks: Sequence[tuple[bytes, bytes, int, bool]], *, kind: int, table: bytes | None = None
) -> Sealed:
    """A pack of (content, payload, raw length, compressed), true or not; with its own `table`."""
    salt = new_salt()
    key = pack_key(KEYS.data_key, salt)
    data = struct.pack(">8sH16s31s32s", b"VAULTPCK", 1, vault_digest(VAULT), SESSION.encode(), salt)
    rows: list[list[Any]] = []
    for number, (content, payload, size, compressed) in enumerate(chunks):
        name = chunk_id(KEYS.chunk_id_key, content)
        sealed = seal(key, number, bound(salt, number, name, kind), payload)
        rows.append([name, kind, len(data), len(sealed), size, compressed])
        data += sealed
    plain = msgpack(rows) if table is None else table
    sealed = seal(key, TABLE, bound(salt, TABLE, bytes(32), 255), plain)
    data += sealed + struct.pack(">I8s", len(sealed), b"KCPTLUAV")
    digest = plain_digest(data)
    head = [digest, SESSION, salt]
    refs = [[row[0], head, [digest, number, *row[2:]]] for number, row in enumerate(rows)]
    return Sealed(pack_name(digest.hex()), data, head, refs)


def session(public: bytes, secret: bytes) -> tuple[str, bytes]:
    """Name and record of a session with this head and this sealed part (JSON)."""
    body = _LENGTH.pack(len(public)) + public + wrap(secret, [RECIPIENT])
    return record("session", f"keys/{SESSION}", body)


def snapshot(header: bytes, body: bytes, *, name: str = SNAPSHOT) -> tuple[str, bytes]:
    """Name and record of a snapshot with this header (JSON) and this body (MessagePack)."""
    digest, context = plain_digest(header), "vault 2026-11 snapshot body"
    sealed = seal_alone(KEYS.data_key, context, digest, body)
    return record(
        "snapshot", f"snapshots/{VOLUME}/{name}", _LENGTH.pack(len(header)) + header + sealed
    )


def index(body: bytes) -> tuple[str, bytes]:
    """Name and record of an index object with this body (MessagePack)."""
    stem = f"index/{WRITER.key_id}/{SESSION}-000000"
    associated = vault_digest(VAULT) + stem.encode()
    return record(
        "index", stem, seal_alone(KEYS.index_key, "vault 2026-11 index", associated, body)
    )


def record(kind: str, stem: str, body: bytes) -> tuple[str, bytes]:
    """Name and bytes of a record that the writer signed."""
    data = sign(kind, VAULT, body, WRITER)
    return named(stem, data), data


def msgpack(value: Any) -> bytes:
    """MessagePack."""
    return msgspec.msgpack.encode(value)
