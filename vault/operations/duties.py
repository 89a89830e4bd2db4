"""Duties: what the daemon has to do now, asked of the state, and how each is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from vault import limits
from vault.audit.entry import EntryKind
from vault.clock import format_span, format_time, parse_time
from vault.errors import VaultError
from vault.lifecycle.due import Duty, Facts, Rhythm, Task, due
from vault.lifecycle.tombstone import Tombstone
from vault.operations import alarm, delete, undelete
from vault.operations.capture import CapturePlan, capture
from vault.operations.extend import extend
from vault.operations.finalize import finalize
from vault.operations.identity import owns
from vault.operations.reconcile import reconcile
from vault.operations.record import refresh
from vault.operations.stamp import stamp
from vault.operations.unit import WriteUnit
from vault.operations.uptime import accumulated_uptime
from vault.operations.verify import mend, verify
from vault.operations.watch import watch_tombstone, watch_volume

Attempts: TypeAlias = dict[tuple[Task, str], datetime]
"""When a process last began each duty, by task and volume, tombstone or nothing."""


def due_now(unit: WriteUnit, attempts: Attempts, started_at: datetime) -> tuple[Duty, ...]:
    """Everything that is due, most urgent first; observes the boot clock on the way."""
    accumulated_uptime(unit)
    # What was stored while a clock was ahead does not stand for what was captured since.
    latest = unit.clock.now() + limits.CLOCK_TOLERANCE
    rows = [row for row in unit.catalog.snapshots.all() if row.stored_at <= latest]
    facts = Facts(
        started_at=started_at,
        captured={row.volume: row.stored_at for row in rows},
        attempted=attempts,
        extended_at=_last(unit, Task.EXTEND),
        verified_at=_last(unit, Task.VERIFY),
        stamped_at=_last(unit, Task.STAMP),
        warned=_warned(unit),
    )
    daemon, audit = unit.settings.daemon, unit.settings.audit
    rhythm = Rhythm(
        verify=daemon.verify_every,
        extend=daemon.extend_every,
        stamp=audit.timestamp_every if audit.timestamp_url else None,
    )
    volumes = [volume for volume in unit.catalog.volumes.all() if owns(unit, volume)]
    return tuple(due(volumes, _own_tombstones(unit), facts, rhythm, now=unit.clock.now()))


def perform(unit: WriteUnit, attempts: Attempts, duty: Duty) -> str:
    """Do one duty; says in one line what came of it. Raises VaultError; it is due again later."""
    attempts[duty.task, duty.tombstone or duty.volume] = unit.clock.now()
    return _PERFORM[duty.task](unit, duty)


def resume(unit: WriteUnit) -> tuple[str, ...]:
    """Finish what a crash left half done; run at start, before anything else."""
    lines = []
    for tombstone in _own_tombstones(unit):
        for settle in (delete.settle, undelete.settle):
            try:
                lines.append(settle(unit, unit.catalog.tombstones.get(tombstone.id)))
            except VaultError as error:
                lines.append(f"{tombstone.id}: {error.message}")
    return tuple(line for line in (*lines, _reconcile(unit)) if line)


def _reconcile(unit: WriteUnit) -> str:
    try:
        untold = reconcile(unit)
    except VaultError as error:
        return f"audit log: {error.message}"
    return f"audit log: {untold} steps were entered that it did not tell of" if untold else ""


def _own_tombstones(unit: WriteUnit) -> list[Tombstone]:
    """Those of this host's volumes: what another one set aside is not on these disks."""
    own = {volume.id for volume in unit.catalog.volumes.all() if owns(unit, volume)}
    return [tombstone for tombstone in unit.catalog.tombstones.all() if tombstone.volume in own]


def _resume_one(unit: WriteUnit, duty: Duty) -> str:
    tombstone = unit.catalog.tombstones.get(duty.tombstone)
    return delete.settle(unit, tombstone) or undelete.settle(unit, tombstone)


def _finalize(unit: WriteUnit, duty: Duty) -> str:
    tombstone = unit.catalog.tombstones.get(duty.tombstone)
    return f"final {finalize(unit, tombstone).header.id}"


def _warn(unit: WriteUnit, duty: Duty) -> str:
    tombstone = unit.catalog.tombstones.get(duty.tombstone)
    alarm.purge_due(unit, tombstone)
    return (
        f"“{tombstone.volume_name}” can be undone for less than {format_span(limits.PURGE_NOTICE)}"
    )


def _capture(unit: WriteUnit, duty: Duty) -> str:
    volume = unit.catalog.volumes.resolve(duty.volume)
    record, findings = capture(unit, CapturePlan(volume=volume, location=volume.location))
    return f"{record.header.id}: {record.header.files} files, {len(findings)} findings"


def _look(unit: WriteUnit, duty: Duty) -> str:
    if duty.tombstone:
        refresh(unit, duty.volume)  # the purger records in the store, not here
        return watch_tombstone(unit, unit.catalog.tombstones.get(duty.tombstone))
    return watch_volume(unit, unit.catalog.volumes.resolve(duty.volume))


def _extend(unit: WriteUnit, _duty: Duty) -> str:
    report = extend(unit)
    _note(unit, Task.EXTEND)
    short = f"; SHORT of what they need: {', '.join(report.short)}" if report.short else ""
    return f"{report.extended} snapshots stay locked{short}"


def _verify(unit: WriteUnit, _duty: Duty) -> str:
    reconcile(unit)
    report = verify(unit, deep=False)
    mend(unit, report)
    alarm.verification(unit, report)
    _note(unit, Task.VERIFY)
    return f"{report.snapshots} snapshots, {len(report.findings)} findings"


def _stamp(unit: WriteUnit, _duty: Duty) -> str:
    said = stamp(unit)
    _note(unit, Task.STAMP)
    return said


_PERFORM: Final[dict[Task, Callable[[WriteUnit, Duty], str]]] = {
    Task.RESUME: _resume_one,
    Task.FINALIZE: _finalize,
    Task.WARN: _warn,
    Task.CAPTURE: _capture,
    Task.LOOK: _look,
    Task.EXTEND: _extend,
    Task.STAMP: _stamp,
    Task.VERIFY: _verify,
}


def _warned(unit: WriteUnit) -> frozenset[str]:
    said = unit.catalog.audit.of_kinds((EntryKind.PURGE_DUE,))
    return frozenset(str(entry.body.get("tombstone")) for entry in said)


def _last(unit: WriteUnit, task: Task) -> datetime | None:
    text = unit.catalog.meta.get(f"last_{task}")
    return parse_time(text) if text else None


def _note(unit: WriteUnit, task: Task) -> None:
    unit.catalog.meta.set(f"last_{task}", format_time(unit.clock.now()))
