"""Inspect: look into snapshots without restoring them: ls, cat, diff."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from vault.errors import Corrupt, SnapshotUnknown, UsageError
from vault.governance.request import Verb
from vault.operations.choose import choose
from vault.operations.gate import reading
from vault.operations.items import DiffItem, EntryItem
from vault.operations.render import meant, shown
from vault.operations.unit import ReadUnit
from vault.provider import Entry, Kind, order_key
from vault.repository.manifest import StoredEntry
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing

_KINDS = frozenset(Kind)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def list_entries(unit: ReadUnit, ring: SessionRing, what: str, path: str) -> Iterator[EntryItem]:
    """The entries at and below a path of a snapshot, in order. Raises UsageError: no such path."""
    reader = _open(unit, ring, what)
    # A slip of the pen is not an empty folder.
    place = _find(reader, path).path if path.strip("/") else b""
    for stored in reader.entries(place):
        yield _item(stored.entry)


def read_file(unit: ReadUnit, ring: SessionRing, what: str, path: str) -> Iterator[bytes]:
    """A file's bytes in blocks, each verified before it is handed out; holes read as zeros.

    Raises UsageError; and Denied before the first block.
    """
    reader = _open(unit, ring, what)
    stored = _find(reader, path)
    if stored.entry.link is not None:
        stored = reader.find(stored.entry.link)
    if stored.entry.kind != Kind.FILE:
        raise UsageError(f"“{path}” is no regular file", hint="See what it is with: vault ls")
    return _blocks(unit, reader, stored)


def _blocks(unit: ReadUnit, reader: SnapshotReader, stored: StoredEntry) -> Iterator[bytes]:
    header = reader.record.header
    with reading(unit, Verb.READ, header, f"“{shown(stored.entry.path)}” of {header.id}"):
        yield from with_holes(stored.entry, reader.blocks(stored))


def diff(unit: ReadUnit, ring: SessionRing, pair: tuple[str, str], path: str) -> Iterator[DiffItem]:
    """What changed from one snapshot to another, by one merge of two sorted streams."""
    place = meant(path.strip("/"))
    older, newer = (_open(unit, ring, what).entries(place) for what in pair)
    left, right = next(older, None), next(newer, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _place(left) < _place(right)):
            assert left is not None
            yield DiffItem(change="removed", path=_name(left.entry))
            left = next(older, None)
        elif left is None or _place(right) < _place(left):
            yield DiffItem(change="added", path=_name(right.entry))
            right = next(newer, None)
        else:
            change = _change(left, right, ring)
            if change:
                yield DiffItem(change=change, path=_name(right.entry))
            left, right = next(older, None), next(newer, None)


def previous_of(unit: ReadUnit, what: str) -> tuple[str, str]:
    """A snapshot and the one before it of the same volume, oldest first."""
    newer = choose(unit, what)
    ids = [row.id for row in unit.catalog.snapshots.of(newer.header.volume)]
    place = ids.index(newer.header.id)
    if place == 0:
        raise SnapshotUnknown(
            f"{newer.header.id} is the first snapshot of its volume",
            hint="Name the two snapshots to compare.",
        )
    return ids[place - 1], ids[place]


def with_holes(entry: Entry, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Content as a reader of the file would see it: segments in place, zeros between them."""
    if entry.segments is None:
        yield from blocks
        return
    place, pending = 0, b""
    for start, length in entry.segments:
        if not place <= start <= start + length <= entry.size:
            raise Corrupt(f"“{shown(entry.path)}” has data where it has no room for any")
        yield from _zeros(start - place)
        left = length
        while left > 0:
            block = pending or next(blocks, b"")
            if not block:
                raise Corrupt(f"“{shown(entry.path)}” is shorter than its segments")
            yield block[:left]
            pending = block[left:]
            left -= min(left, len(block))
        place = start + length
    yield from _zeros(entry.size - place)


def _zeros(count: int) -> Iterator[bytes]:
    block = bytes(max(0, min(count, 1 << 20)))
    while count > 0:
        yield block[:count]
        count -= len(block)


def _open(unit: ReadUnit, ring: SessionRing, what: str) -> SnapshotReader:
    return SnapshotReader(unit.reader, ring, choose(unit, what), unit.tampering)


def _find(reader: SnapshotReader, path: str) -> StoredEntry:
    """The entry that is shown so; or else the one whose name has these very letters."""
    text = path.strip("/")
    try:
        return reader.find(meant(text))
    except UsageError:
        return reader.find(text.encode("utf-8", "surrogateescape"))


def _place(stored: StoredEntry) -> bytes:
    return order_key(stored.entry.path)


def _change(left: StoredEntry, right: StoredEntry, ring: SessionRing) -> str:
    old, new = left.entry, right.entry
    if (old.kind, old.size, old.target, old.link) != (new.kind, new.size, new.target, new.link):
        return "changed"
    if left.extents != right.extents and _other_content(left, right, ring):
        return "changed"
    same = (old.mode, old.uid, old.gid, old.mtime_ns, old.xattrs) == (
        new.mode,
        new.uid,
        new.gid,
        new.mtime_ns,
        new.xattrs,
    )
    return "" if same else "metadata"


def _other_content(left: StoredEntry, right: StoredEntry, ring: SessionRing) -> bool:
    """Whether contents differ; writers with keys of their own name the same chunk otherwise."""
    extents = (*left.extents, *right.extents)
    keys = {ring.key(extent.chunk.head.session).chunk_id_key for extent in extents}
    if len(keys) > 1:
        return left.entry.mtime_ns != right.entry.mtime_ns
    return _chunks(left) != _chunks(right)


def _chunks(stored: StoredEntry) -> list[tuple[bytes, int, int]]:
    return [(e.chunk.chunk_id, e.offset, e.length) for e in stored.extents]


def _name(entry: Entry) -> str:
    return shown(entry.path) or "."


def _item(entry: Entry) -> EntryItem:
    return EntryItem(
        path=_name(entry),
        type=Kind(entry.kind).name.lower() if entry.kind in _KINDS else "unknown",
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        modified_at=_EPOCH + timedelta(microseconds=entry.mtime_ns // 1000),
        target=shown(entry.target or entry.link or b""),
    )
