"""Snapshot objects: a public signed header, and a sealed body that leads to the manifest.

Stored as `snapshots/<volume id>/<snapshot id>-<digest>`, a record of kind `snapshot` whose body is
u32 header length | header (JSON) | sealed body. The body is MessagePack, sealed under a key derived
from the session's data key and bound to the header's digest. Storing it is the commit.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

import msgspec

from vault.codec.cipher import seal_alone, unseal_alone
from vault.codec.decoding import read_json, read_msgpack
from vault.codec.digest import plain_digest
from vault.codec.envelope import parse, require_features, sign
from vault.codec.keyring import SessionKeys
from vault.codec.signing import SigningKey
from vault.errors import Corrupt, FeatureUnknown, RepositoryError
from vault.ids import BELIEVABLE, is_id
from vault.lifecycle.attack import Change
from vault.lifecycle.retention import Keep
from vault.limits import MAX_RECORD
from vault.repository.authentic import TamperingLog, read_data, read_verified
from vault.repository.charter import Charter
from vault.repository.pack import ChunkRef
from vault.repository.records import Record, Shelf, note_refused, open_record, read_records
from vault.repository.sessions import SessionRing
from vault.store.contract import Reader, Receipt, Writer
from vault.store.names import named

KIND: Final = "snapshot"
PREFIX: Final = "snapshots/"
_BODY: Final = "vault 2026-11 snapshot body"
_LENGTH: Final = struct.Struct(">I")
_NAME: Final = re.compile(rf"snapshots/(vol_[0-9a-z]{{26}})/(snap_{BELIEVABLE})-[0-9a-f]{{64}}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What anyone may know of a snapshot. Sizes in bytes, times aware.

    `packs` are the digests (hex) of all packs that it needs and `sessions` the ids of the sessions
    whose keys open them, its own among them. `final_for` is the tombstone whose last capture this
    is, or empty. `saved_for` is the snapshot that was restored in place of what this one holds, or
    empty. `findings` counts; the body lists them. `change` is None where nobody could count.
    """

    vault: str
    id: str
    volume: str
    volume_name: str
    environment: str
    adapter: str
    source: dict[str, str]
    parent: str
    session: str
    started_at: datetime
    finished_at: datetime
    files: int
    bytes: int
    bytes_added: int
    findings: int
    final_for: str
    keep: Keep
    packs: tuple[str, ...]
    sessions: tuple[str, ...]
    retain_until: datetime
    chunker: str
    saved_for: str = ""
    change: Change | None = None
    features: tuple[str, ...] = ()


class SnapshotBody(msgspec.Struct, frozen=True):
    """What only the kit opens: where the page table's chunks are, and what the capture met.

    A finding is (what, path, detail), as in vault.provider.Finding.
    """

    table: tuple[ChunkRef, ...]
    findings: tuple[tuple[str, bytes, str], ...] = ()


class SnapshotRecord(msgspec.Struct, frozen=True):
    """An authentic snapshot; `stored_at` is when the store received its first version."""

    header: SnapshotHeader
    key: str
    version: str
    stored_at: datetime
    signer_hex: str


def store_snapshot(
    store: Writer,
    header: SnapshotHeader,
    body: SnapshotBody,
    *,
    keys: SessionKeys,
    signer: SigningKey,
) -> Receipt:
    """Seal, sign and store a snapshot, locked until `header.retain_until`: the commit.

    Everything that it refers to must be stored and locked before. Raises RepositoryError where the
    record would be too large to be read again.
    """
    head = msgspec.json.encode(header, order="deterministic")
    plain = msgspec.msgpack.encode(body)
    sealed = seal_alone(keys.data_key, _BODY, plain_digest(head), plain)
    record = _LENGTH.pack(len(head)) + head + sealed
    data = sign(KIND, header.vault, record, signer, features=header.features)
    if len(data) > MAX_RECORD:
        raise RepositoryError(
            f"the snapshot's record would take {len(data)} bytes, more than are ever read",
            safe="Nothing was acknowledged; former snapshots stay as they are.",
            hint="Split the volume.",
        )
    key = named(f"{PREFIX}{header.volume}/{header.id}", data)
    return store.put(key, data, header.retain_until)


def snapshot_of(key: str) -> str:
    """The id of the snapshot that lies under a key; empty where that is none's."""
    name = _NAME.fullmatch(key)
    return name[2] if name else ""


def list_snapshots(
    reader: Reader,
    charter: Charter,
    tampering: TamperingLog,
    volume: str | None = None,
    *,
    skip: Collection[str] = (),
) -> Iterator[SnapshotRecord]:
    """Every authentic snapshot (of one volume), by volume and id. What is not is noted, left out.

    Keys in `skip` are not read.

    A note `feature-unknown` stands for an authentic snapshot that only a newer vault can read, and
    `unreadable` for one that may be: whoever collects must then collect nothing.
    """
    prefix = PREFIX if volume is None else f"{PREFIX}{volume}/"
    shelf = Shelf(KIND, prefix, skip=lambda listed: listed.key in skip)
    for record in read_records(reader, charter, shelf, tampering):
        try:
            yield _read(record, charter.vault)
        except (Corrupt, FeatureUnknown) as error:
            note_refused(tampering, record.key, error)


def read_snapshot(
    reader: Reader, charter: Charter, key: str, tampering: TamperingLog
) -> SnapshotRecord:
    """Read one. Raises ObjectMissing, Corrupt, Unauthentic, FeatureUnknown."""
    record = open_record(charter, read_verified(reader, key, tampering), KIND)
    return _read(record, charter.vault)


def read_body(
    reader: Reader, record: SnapshotRecord, ring: SessionRing, tampering: TamperingLog
) -> SnapshotBody:
    """Open the sealed part. Raises KitMissing, KitWrong, Unauthentic, Corrupt, ObjectMissing."""
    keys = ring.key(record.header.session, writer=record.signer_hex)
    envelope = parse(read_data(reader, record.key, tampering))
    head, sealed = _split(envelope.require(KIND, record.header.vault), record.key)
    plain = unseal_alone(keys.data_key, _BODY, plain_digest(head), sealed)
    return read_msgpack(SnapshotBody, plain, f"the body of {record.key}")


def _read(record: Record, vault: str) -> SnapshotRecord:
    head, _ = _split(record.body, record.key)
    header = read_json(SnapshotHeader, head, f"the header of {record.key}")
    require_features(header.features, record.key)
    name = _NAME.fullmatch(record.key)
    times = (header.started_at, header.finished_at, header.retain_until)
    if (
        name is None
        or (header.vault, header.volume, header.id) != (vault, name[1], name[2])
        or any(at.tzinfo is None for at in times)
        or not all(map(_DIGEST.fullmatch, header.packs))
        or not all(is_id(session, "sess") for session in header.sessions)
    ):
        raise Corrupt(f"{record.key} is not the snapshot that its name says")
    return SnapshotRecord(header, record.key, record.version, record.stored_at, record.signer_hex)


def _split(body: bytes, key: str) -> tuple[bytes, bytes]:
    length = _LENGTH.unpack_from(body)[0] if len(body) >= _LENGTH.size else len(body)
    if _LENGTH.size + length > len(body):
        raise Corrupt(f"{key} is cut short")
    return body[_LENGTH.size : _LENGTH.size + length], body[_LENGTH.size + length :]
