"""Choose: from what a person wrote to one stored snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from vault.catalog.snapshots import row_of
from vault.clock import format_time
from vault.errors import Corrupt, SnapshotUnknown, TombstoneUnknown, VolumeUnknown
from vault.operations.unit import ReadUnit
from vault.provider import Finding
from vault.repository.snapshot import SnapshotRecord, list_snapshots, read_snapshot

_UNREAD: Final = ("unreadable", "gone", "feature-unknown")


def choose(
    unit: ReadUnit, what: str, *, at: datetime | None = None, settled: bool = False
) -> SnapshotRecord:
    """VOLUME, VOLUME@latest, a snapshot's or a tombstone's id (or a unique prefix of one).

    With `at`, the newest snapshot of the volume that was stored by then. Of a tombstone, the final
    snapshot, or else the newest of its volume. With `settled`, what a restore saved of the state
    that it was to replace is no newest one: the same restore again means the same snapshot.
    Raises SnapshotUnknown, IdAmbiguous, and Corrupt where its object is damaged.
    """
    try:
        key = _key(unit, what.removesuffix("@latest"), at)
    except SnapshotUnknown:
        _insist_undamaged(unit, what)
        raise
    record = read_snapshot(unit.reader, unit.charter, key, unit.tampering)
    if settled and record.header.saved_for and not _is_named(what, record):
        key = _restored_over(unit, record)
        return read_snapshot(unit.reader, unit.charter, key, unit.tampering)
    return record


def unread_since(unit: ReadUnit, what: str, record: SnapshotRecord) -> Iterator[Finding]:
    """Snapshots of the volume that cannot be read and may be newer than the one that was chosen.

    None where that one was asked for by its own name.
    """
    header = record.header
    if _is_named(what, record):
        return
    stem = f"snapshots/{header.volume}/"
    for found in dict.fromkeys(unit.tampering):
        newer = found.key.startswith(stem) and found.key > f"{stem}{header.id}~"
        if newer and found.what in _UNREAD:
            yield Finding("newer-unread", found.key.encode(), found.detail)


def _insist_undamaged(unit: ReadUnit, what: str) -> None:
    """Tell a snapshot that cannot be read from one that is not there. Raises Corrupt.

    Of which environment it is, nobody can say: so only to those who see all of them.
    """
    if not what.startswith("snap_") or unit.catalog.environment:
        return
    for found in unit.tampering:
        place, _, name = found.key.rpartition("/")
        if place.startswith("snapshots/") and name.startswith(what) and found.what in _UNREAD:
            raise Corrupt(
                f"snapshot {name.partition('-')[0]} cannot be read: {found.detail}",
                safe="Nothing was changed; other snapshots of the volume are not concerned.",
                hint="Take another one: vault snapshots; see what else is damaged: vault verify",
            )


def _is_named(what: str, record: SnapshotRecord) -> bool:
    return bool(what) and record.header.id.startswith(what)


def _restored_over(unit: ReadUnit, record: SnapshotRecord) -> str:
    """What was restored over the state that `record` saved; itself where that is gone since."""
    rows = unit.catalog.snapshots.of(record.header.volume)
    return next((row.key for row in rows if row.id == record.header.saved_for), record.key)


def _key(unit: ReadUnit, what: str, at: datetime | None) -> str:
    if what.startswith("snap_"):
        return unit.catalog.snapshots.get(what).key
    if what.startswith("tomb_"):
        tombstone = unit.catalog.tombstones.get(what)
        if tombstone.snapshot and at is None:
            return unit.catalog.snapshots.get(tombstone.snapshot).key
        return _newest(unit, tombstone.volume, what, at)
    try:
        return _newest(unit, unit.catalog.volumes.resolve(what).id, what, at)
    except VolumeUnknown:
        volume = _told_by_snapshots(unit, what)
        return _newest(unit, volume, what, at) if volume else _by_prefix(unit, what)


def _told_by_snapshots(unit: ReadUnit, name: str) -> str:
    """The volume whose snapshots are called so, where the events that tell of it are lost."""
    rows = [] if unit.catalog.environment else unit.catalog.snapshots.all()
    volumes = {row.volume for row in rows if name in (row.volume, row.volume_name)}
    return volumes.pop() if len(volumes) == 1 else ""


def _by_prefix(unit: ReadUnit, what: str) -> str:
    try:
        return unit.catalog.snapshots.get(what).key
    except SnapshotUnknown:
        try:
            tombstone = unit.catalog.tombstones.get(what)
        except TombstoneUnknown:
            raise SnapshotUnknown(
                f"no volume, snapshot or tombstone is called “{what}”",
                safe="Nothing was changed.",
                hint="See what there is: vault volume list, vault snapshots, vault tombstones.",
            ) from None
        return _newest(unit, tombstone.volume, what, None)


def _newest(unit: ReadUnit, volume: str, what: str, at: datetime | None) -> str:
    _look(unit, volume)
    rows = [row for row in unit.catalog.snapshots.of(volume) if at is None or row.stored_at <= at]
    if not rows:
        when = f" stored by {format_time(at)}" if at else ""
        raise SnapshotUnknown(
            f"“{what}” has no snapshot{when}",
            safe="Nothing was changed.",
            hint=f"See what there is: vault snapshots {what}",
        )
    return rows[-1].key


def _look(unit: ReadUnit, volume: str) -> None:
    """Take in what the store holds of a volume and the catalog does not know.

    Another process may have stored it, or the catalog's file may be an older copy of itself.
    """
    known = frozenset(row.key for row in unit.catalog.snapshots.of(volume))
    records = list(list_snapshots(unit.reader, unit.charter, unit.tampering, volume, skip=known))
    if records:
        unit.catalog.snapshots.put_rows(map(row_of, records))
