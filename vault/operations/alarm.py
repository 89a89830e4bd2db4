"""Alarm: what a check found, or that a purge is near, as an entry of the audit log.

Whoever is to be told is told from there, so that a crash in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from vault.audit.entry import EntryKind
from vault.clock import format_time
from vault.operations.ledger import Place, enter

if TYPE_CHECKING:
    from vault.lifecycle.tombstone import Tombstone
    from vault.operations.items import VerifyReport
    from vault.operations.unit import RecordUnit
    from vault.store.attest import Attestation


def verification(unit: RecordUnit, report: VerifyReport) -> None:
    """Enter it where a look at everything stored has found something."""
    found = [f"{one.what} {one.path}: {one.detail}" for one in report.findings]
    _check(unit, "verification", found)


def attestation(unit: RecordUnit, seen: Attestation) -> None:
    """Enter it where the store let something happen that destroys."""
    accepted = [f"{one.name}: {one.detail}" for one in seen.checks if one.verdict == "accepted"]
    if not seen.passed:
        _check(unit, "attestation", accepted or ["nothing could be tried"])


def purge_due(unit: RecordUnit, tombstone: Tombstone) -> None:
    """Enter that the time in which a delete can be undone for certain ends soon."""
    until = format_time(tombstone.undo_until) if tombstone.undo_until else ""
    body = {
        "tombstone": tombstone.id,
        "volume_name": tombstone.volume_name,
        "undo_until": until,
    }
    enter(unit, EntryKind.PURGE_DUE, body, Place(tombstone.environment, tombstone.volume))


def _check(
    unit: RecordUnit, check: Literal["verification", "attestation"], found: Sequence[str]
) -> None:
    if found:
        body: dict[str, Any] = {"check": check, "findings": len(found), "first": found[0]}
        enter(unit, EntryKind.CHECK_FAILED, body)
