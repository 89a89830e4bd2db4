"""Reconcile: what a crash kept out of the audit log is entered, so that no step goes without.

A process that dies, or loses an answer, between an event and its entry leaves the event untold. The
daemon looks when it begins and whenever it verifies, the purger before each pass. A step that is
being entered just then is told twice, which says nothing wrong.
"""

from __future__ import annotations

from vault.operations.amend import enter_amendment
from vault.operations.audit import commit, refresh
from vault.operations.record import as_stored, enter_untold
from vault.operations.unit import RecordUnit
from vault.repository.journal import StoredEvent, read_events


def reconcile(unit: RecordUnit) -> int:
    """Enter the events by this host's key that no entry tells of; returns how many there were.

    On return all that waits is in the store, and what others have entered is known. Raises
    StoreError.
    """
    refresh(unit)
    enter_amendment(unit)
    untold = enter_untold(unit, _read_all(unit))
    commit(unit)
    return untold


def _read_all(unit: RecordUnit) -> tuple[StoredEvent, ...]:
    """Every event; what the catalog has read before is only listed."""
    known = as_stored(unit.catalog.events.all())
    events = tuple(read_events(unit.reader, unit.charter, unit.tampering, known=known))
    unit.catalog.apply(*events)
    return events
