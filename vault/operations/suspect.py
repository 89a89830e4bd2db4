"""Suspect: raise the alarm over a volume whose newest snapshot looks like an attack from inside.

The snapshot is stored before anybody judges it, and whatever fails here fails no snapshot: the
next one judges the same day again. From the alarm on nothing of the volume expires.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vault.catalog.events import EventRow
from vault.catalog.snapshots import SnapshotRow
from vault.errors import VaultError
from vault.lifecycle.attack import Counts, Suspicion, suspect
from vault.lifecycle.event import EventType
from vault.lifecycle.volume import VOLUME_TABLE, VolumeState
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive
from vault.provider import Finding
from vault.repository.journal import StoredEvent

_SUSPECTED: Final = "attack-suspected"


def look_for_attack(unit: WriteUnit, volume: str) -> tuple[Finding, ...]:
    """Judge a volume (its id) by its newest snapshot; says so where the alarm was raised."""
    try:
        if _judge(unit, volume, unit.catalog.events.of(volume)) is None:
            return ()
    except VaultError as error:
        detail = f"whether it looks like an attack could not be told: {error.message}"
        return (Finding("not-judged", b"", detail),)
    try:
        with exclusive(unit.home, f"volume-{volume}"):
            events = refresh(unit, volume)
            found = _judge(unit, volume, events)
            if found is None or not _record(unit, volume, events[-1], found):
                return ()
    except VaultError as error:
        return (Finding(_SUSPECTED, b"", f"the alarm is not on record yet: {error.message}"),)
    return (Finding(_SUSPECTED, b"", f"{in_words(found)}; nothing of it expires"),)


def in_words(found: Suspicion) -> str:
    """Every reason, with its numbers."""
    return "; ".join(sign.says for sign in found.signs)


def _judge(
    unit: WriteUnit, volume: str, events: Iterable[StoredEvent | EventRow]
) -> Suspicion | None:
    acknowledged = max(
        (told.stored_at for told in events if told.event.type is EventType.SOURCE_ACKNOWLEDGED),
        default=None,
    )
    return suspect([_counts(row) for row in unit.catalog.snapshots.of(volume)], acknowledged)


def _counts(row: SnapshotRow) -> Counts:
    return Counts(stored_at=row.stored_at, parent=row.parent, change=row.change)


def _record(unit: WriteUnit, volume: str, last: StoredEvent, found: Suspicion) -> bool:
    """Put the alarm on record; False where the volume has one, or none can be raised over it."""
    present = unit.catalog.volumes.resolve(volume)
    kind = EventType.ATTACK_SUSPECTED
    if present.alarm or (present.state, kind) not in VOLUME_TABLE:
        return False
    draft = Draft(
        type=kind,
        volume=volume,
        tombstone=present.tombstone if present.state is VolumeState.TOMBSTONED else "",
        reason=in_words(found),
        details={
            "snapshot": unit.catalog.snapshots.of(volume)[-1].id,
            "before": found.before,
            **{sign.name: f"{sign.number:.3f}" for sign in found.signs},
        },
    )
    record(unit, last, draft)
    return True
