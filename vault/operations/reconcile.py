"""Reconcile: what a crash kept out of the audit log is entered, so that no step goes without.

A process that dies, or loses an answer, between an event and its entry leaves the event untold. The
daemon looks when it begins and whenever it verifies, the purger before each pass. A step that is
being entered just then is told twice, which says nothing wrong.
"""

from __future__ import annotations

from vault.audit.entry import EntryKind
from vault.operations.audit import commit, refresh
from vault.operations.ledger import Place, enter
from vault.operations.unit import RecordUnit
from vault.repository.journal import StoredEvent, read_events


def reconcile(unit: RecordUnit) -> int:
    """Enter the events by this host's key that no entry tells of; returns how many there were.

    On return all that waits is in the store, and what others have entered is known. Events from
    before the first entry of all are of a time without a log. Raises StoreError.
    """
    audit = unit.catalog.audit
    refresh(unit)
    first = audit.first()
    if first is None:
        return 0
    told = {str(entry.body.get("event")) for entry in audit.of_kinds([EntryKind.TRANSITION])}
    untold = [s for s in _own_events(unit) if s.key not in told and s.stored_at >= first.at]
    for stored in untold:
        event = stored.event
        body = {"event": stored.key, "type": event.type.value, "tombstone": event.tombstone}
        enter(unit, EntryKind.TRANSITION, body, Place(volume=event.volume))
    commit(unit)
    return len(untold)


def _own_events(unit: RecordUnit) -> list[StoredEvent]:
    """Those that this key has signed; what the catalog has read before is only listed."""
    known = [
        StoredEvent(row.event, row.key, row.version, row.signer_hex, row.role, row.stored_at)
        for row in unit.catalog.events.all()
    ]
    events = tuple(read_events(unit.reader, unit.charter, unit.tampering, known=known))
    unit.catalog.apply(*events)
    return [stored for stored in events if stored.signer_hex == unit.signer.public_hex]
