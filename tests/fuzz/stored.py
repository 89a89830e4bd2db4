"""Parsers of what is stored: whole objects, and what is inside them, sealed and signed anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.fuzz import corpus, sealing
from tests.fuzz.mutation import as_json, as_msgpack
from tests.unit.repository.founding import (
    COLLECTOR,
    IDENTITY,
    LOCK,
    ROOT,
    VAULT,
    VOLUME,
    WRITER,
    charter,
)
from vault.catalog.database import Catalog, open_catalog
from vault.codec import compressor, envelope
from vault.codec.cipher import seal_alone, unseal_alone
from vault.codec.envelope import sign
from vault.errors import Corrupt
from vault.lifecycle.due import next_capture
from vault.lifecycle.retention import Keep
from vault.lifecycle.volume import standing
from vault.operations.inspect import with_holes
from vault.operations.render import snapshot_item, tombstone_item
from vault.provider import Finding
from vault.repository.authentic import Tampering
from vault.repository.charter import load_charter
from vault.repository.index import LocalIndex
from vault.repository.index_objects import sync_index
from vault.repository.journal import read_events
from vault.repository.manifest import join_rows
from vault.repository.pack import ChunkRef, open_chunk, read_table
from vault.repository.pages import read_page
from vault.repository.pages import read_table as read_page_table
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import list_snapshots, read_body
from vault.store.memory import MemoryStore
from vault.store.names import named
from vault.testing.clock import START, ManualClock

CHARTER: Final = charter()
AFTER: Final = START + timedelta(hours=1)


def store_of(objects: Iterable[tuple[str, bytes]]) -> MemoryStore:
    """A store that holds these."""
    store = MemoryStore(ManualClock())
    for key, data in objects:
        store.put(key, data, LOCK)
    return store


def known(notes: list[Tampering]) -> None:
    """What was noted can be shown."""
    for note in notes:
        as_json([note.key, note.what, note.detail]).decode()


def run_charter(body: Any) -> Any:
    """A charter that the root signed, with what asks it."""
    data = sign("charter", VAULT, as_json(body), ROOT)
    held = load_charter(store_of([(named("charter/00000001", data), data)]), ROOT.public_hex, [])
    held.allows(WRITER.public_hex, "writer", AFTER)
    held.allows(COLLECTOR.public_hex, "collector", AFTER)
    [held.window(name) for name in (*held.environments, "production", "")]
    Keep().at_least(held.keep)
    return held


def run_session(parts: Any) -> Any:
    """A session's head and sealed part."""
    public, secret = parts if isinstance(parts, list) and len(parts) == 2 else (parts, None)
    store = store_of([sealing.session(as_json(public), as_json(secret))])
    notes: list[Tampering] = []
    keys = SessionRing(store, CHARTER, (IDENTITY,), notes).key(sealing.KEYS.session)
    known(notes)
    return keys


def run_events(bodies: Any) -> Any:
    """Events, folded into a catalog, and shown."""
    bodies = bodies if isinstance(bodies, list) else [bodies]
    objects = []
    for body in bodies:
        terms = body if isinstance(body, Mapping) else {}
        told = terms.get("id")
        name = told if isinstance(told, str) else "evt_x"
        stem = f"events/{VOLUME}/{name[:60]}" if name[:60].isascii() else f"events/{VOLUME}/x"
        key, data = sealing.record("event", stem, as_json(body))
        objects.append((key if _may_be_stored(key) else named(f"events/{VOLUME}/x", data), data))
    notes: list[Tampering] = []
    found = list(read_events(store_of(objects), CHARTER, notes))
    known(notes)
    with_catalog = open_catalog(None)
    try:
        with_catalog.apply(*found)
        return _shown(with_catalog)
    finally:
        with_catalog.close()


def _may_be_stored(key: str) -> bool:
    return len(key) <= 512 and all(c.isalnum() or c in "_.-/" for c in key) and "//" not in key


def _shown(catalog: Catalog) -> Any:
    tombstones = catalog.tombstones.all()
    items = [tombstone_item(tombstone) for tombstone in tombstones]
    for volume in catalog.volumes.all():
        standing(volume, Keep())
        next_capture(volume, AFTER)
    return msgspec.json.encode(items)


def run_snapshot(parts: Any) -> Any:
    """A snapshot's header and body; the row and the item that the header becomes."""
    head, body = parts if isinstance(parts, list) and len(parts) == 2 else (parts, None)
    store = store_of([sealing.snapshot(as_json(head), as_msgpack(body))])
    notes: list[Tampering] = []
    records = list(list_snapshots(store, CHARTER, notes))
    known(notes)
    if not records:
        raise Corrupt("it was noted and left out")
    catalog = open_catalog(None)
    try:
        row = catalog.snapshots.put(records[0])
        ring = SessionRing(store, CHARTER, ())
        ring.add(sealing.KEYS)
        told = read_body(store, records[0], ring, notes)
        return msgspec.json.encode(snapshot_item(row, [Finding(*f) for f in told.findings]))
    finally:
        catalog.close()


def run_index(body: Any) -> Any:
    """An index object, loaded into a local index."""
    store, notes = store_of([sealing.index(as_msgpack(body))]), list[Tampering]()
    local = LocalIndex(Path(":memory:"))
    try:
        count = sync_index(local, store, CHARTER, keys=corpus.WRITER_KEYS, tampering=notes)
        known(notes)
        for number in range(3):
            local.find(bytes([number]) * 32, 0)
        return count, local.locked_until(b"p" * 32), local.version(b"p" * 32)
    finally:
        local.close()


def run_pack(data: bytes) -> Any:
    """A whole pack's table of contents."""
    return read_table(data, VAULT, lambda session: sealing.KEYS)


def run_table(rows: Any) -> Any:
    """A table of contents that its writer made up."""
    return read_table(
        sealing.pack([(b"x", b"x", 1, False)], kind=0, table=as_msgpack(rows)).data,
        VAULT,
        lambda session: sealing.KEYS,
    )


def run_chunk(parts: Any) -> Any:
    """A sealed chunk: [payload, raw length, compressed, content], told as its writer likes."""
    match parts:
        case [bytes(payload), int(size), bool(compressed), bytes(content)] if _fits(size):
            sealed = sealing.pack([(content, payload, size, compressed)], kind=0)
        case _:
            raise Corrupt("no chunk")
    _, (chunk,) = read_table(sealed.data, VAULT, lambda session: sealing.KEYS)
    place = chunk.place
    ref = msgspec.convert(sealed.refs[0], ChunkRef)
    piece = sealed.data[place.offset : place.offset + place.length]
    return open_chunk(sealing.KEYS, VAULT, ref, kind=0, ciphertext=piece)


def _fits(size: int) -> bool:
    return -(2**63) <= size < 2**64


def run_page(data: bytes) -> Any:
    """A page: its entries joined, shown, and their contents laid out."""
    entries = list(join_rows(read_page(data)))
    for stored in entries[:50]:
        blocks = (bytes(8) for _ in stored.extents)
        if 0 <= stored.entry.size < 1 << 20:
            b"".join(with_holes(stored.entry, blocks))
    return entries


def run_page_value(value: Any) -> Any:
    """The same, of a page in MessagePack that is whole."""
    return run_page(as_msgpack(value))


def run_page_table(data: bytes) -> Any:
    """A part of the page table."""
    return read_page_table(data)


def run_sealed(data: bytes) -> Any:
    """What is sealed alone."""
    return unseal_alone(b"i" * 32, "vault 2026-11 index", b"", data)


def run_zstd(data: bytes) -> Any:
    """A compressed chunk that should hold a thousand bytes."""
    return compressor.decompress(data, 1000)


def _records() -> list[bytes]:
    return [
        data for kind, all_ in corpus.stored().objects.items() if kind != "packs" for data in all_
    ]


def _packs() -> list[bytes]:
    return [
        sealing.pack([(b"content", b"content", 7, False)] * count, kind=0).data for count in (0, 3)
    ]


def _compressed() -> list[bytes]:
    return [bytes(compressor.compress(b"text " * 200)[1])]


TARGETS: Final = (
    ("envelope", _records, envelope.parse),
    ("charter", corpus.charters, run_charter),
    ("session", corpus.sessions, run_session),
    ("events", corpus.events, run_events),
    ("snapshot", corpus.snapshots, run_snapshot),
    ("index object", corpus.indexes, run_index),
    ("pack", _packs, run_pack),
    ("table of contents", lambda: [[[b"c" * 32, 0, 89, 17, 1, False]]], run_table),
    (
        "chunk",
        lambda: [
            [b"content", 7, False, b"content"],
            [_compressed()[0], 1000, True, b"text " * 200],
        ],
        run_chunk,
    ),
    ("page", lambda: [as_msgpack(page) for page in corpus.pages()], run_page),
    ("page, as a value", corpus.pages, run_page_value),
    ("page table", lambda: [as_msgpack(part) for part in corpus.table_parts()], run_page_table),
    (
        "sealed alone",
        lambda: [seal_alone(b"i" * 32, "vault 2026-11 index", b"", b"x")],
        run_sealed,
    ),
    ("zstd", _compressed, run_zstd),
)
