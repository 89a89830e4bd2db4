"""Signed events: into the store first, then into the catalog, which is their fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from vault.audit.entry import EntryKind
from vault.catalog.events import EventRow
from vault.errors import PurgeRefused
from vault.ids import next_id
from vault.lifecycle.event import Actor, Event, EventType
from vault.operations.amend import record_lock
from vault.operations.ledger import Place, enter
from vault.operations.unit import ReadUnit, RecordUnit
from vault.repository.authentic import TAMPERING_MAX, TamperingLog
from vault.repository.journal import StoredEvent, append_event, read_events
from vault.store.names import digest_of

_DOUBTS: Final = frozenset(("gap", "feature-unknown", "unreadable", "gone"))


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is not yet signed."""

    type: EventType
    volume: str
    tombstone: str = ""
    reason: str = ""
    task: str = ""
    details: dict[str, str] = msgspec.field(default_factory=dict)


def refresh(unit: ReadUnit, volume: str) -> tuple[StoredEvent, ...]:
    """Read a volume's events from the store into the catalog: other processes write there too.

    What the catalog has read before is only listed. A step of this host without an entry has lost
    its answer, its process or the store before that: it is entered now, so that whoever acts upon
    it acknowledges nothing that the audit log does not tell of. Others may have read it into the
    catalog meanwhile, so what is known says nothing of what is entered.

    Where the store has lost every one, gives what was read before: the step that follows names the
    last of these, so that their loss shows, and nothing that can be undone waits for them.
    """
    known = as_stored(unit.catalog.events.of(volume))
    read = read_events(unit.reader, unit.charter, unit.tampering, volume, known=known)
    events = tuple(read)
    unit.catalog.apply(*events)
    if isinstance(unit, RecordUnit):
        enter_untold(unit, events, volume)
    return events or tuple(known)


def as_stored(rows: Iterable[EventRow]) -> list[StoredEvent]:
    """The catalog's rows, as what was read from the store before."""
    return [
        StoredEvent(row.event, row.key, row.version, row.signer_hex, row.role, row.stored_at)
        for row in rows
    ]


def enter_untold(unit: RecordUnit, events: Sequence[StoredEvent], volume: str = "") -> int:
    """Enter those of these events by this host's key that no entry tells of; how many there were.

    All are of `volume`, where one is named. Events from before the first entry of all are of a time
    without a log.
    """
    own = [stored for stored in events if stored.signer_hex == unit.signer.public_hex]
    first = unit.catalog.audit.first() if own else None
    if first is None:
        return 0
    told = {str(entry.body.get("event")) for entry in unit.catalog.audit.transitions(volume)}
    untold = [s for s in own if s.key not in told and s.stored_at >= first.at]
    for stored in untold:
        _enter(unit, stored)
    return len(untold)


def _enter(unit: RecordUnit, stored: StoredEvent) -> None:
    event = stored.event
    body = {"event": stored.key, "type": event.type.value, "tombstone": event.tombstone}
    enter(unit, EntryKind.TRANSITION, body, Place(volume=event.volume))


def doubts(notes: TamperingLog) -> TamperingLog:
    """The notes that say that records are missing or not understood."""
    if len(notes) >= TAMPERING_MAX:  # what came after was not noted
        return notes
    return [note for note in notes if note.what in _DOUBTS]


def insist_complete(unit: ReadUnit) -> None:
    """Refuse to destroy anything while records are missing or not understood. Raises PurgeRefused.

    A hold could be what is missing.
    """
    doubtful = doubts(unit.tampering)
    if doubtful:
        raise PurgeRefused(
            f"{len(doubtful)} record(s) cannot be relied on, the first: {doubtful[0].key}"
            f" ({doubtful[0].what}: {doubtful[0].detail})",
            safe="Nothing was destroyed.",
            hint="Look into it with: vault verify",
        )


def record(unit: RecordUnit, former: StoredEvent | None, draft: Draft) -> StoredEvent:
    """Append one event after `former`; on return it is in the store, locked, and in the catalog.

    Its entry waits for the audit log: whoever acknowledges the step commits that first.

    Raises StoreError: then it must be assumed that the step was not recorded.
    """
    at = unit.reader.now()
    event = Event(
        id=next_id("evt", at, after=former.event.id if former else ""),
        vault=unit.charter.vault,
        type=draft.type,
        volume=draft.volume,
        tombstone=draft.tombstone,
        at=at,
        actor=Actor(kind=unit.principal.kind, name=unit.principal.name),
        reason=draft.reason,
        task=draft.task,
        details=draft.details,
        previous=(digest_of(former.key) or "") if former else "",
    )
    stored = append_event(unit.store, unit.signer, event, record_lock(at), role=unit.role)
    unit.catalog.apply(stored)
    _enter(unit, stored)
    return stored


def record_next(unit: RecordUnit, draft: Draft) -> StoredEvent:
    """Refresh the volume's events, then append one after the newest."""
    events = refresh(unit, draft.volume)
    return record(unit, events[-1] if events else None, draft)
