"""Status: the 2 a.m. question first: what was deleted, by whom, how long it can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from vault import operations
from vault.audit.entry import EntryKind
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import OPEN, Tombstone
from vault.lifecycle.volume import Volume, VolumeState
from vault.operations import homes
from vault.operations.isolation import reachable
from vault.operations.items import StatusReport
from vault.operations.render import tombstone_item, volume_item
from vault.operations.unit import LocalUnit

_RECENT: Final = timedelta(days=7)
_RULES_CHANGED: Final = EntryKind.POLICY_CHANGED


def status(unit: LocalUnit) -> StatusReport:
    """What was deleted lately; the volumes; what a person should see to.

    Read from the catalog alone: it answers with the store out of reach, too.
    """
    since = unit.clock.now() - _RECENT
    recent = [t for t in unit.catalog.tombstones.all() if _is_recent(t, since)]
    recent.sort(key=lambda t: t.created_at, reverse=True)
    volumes = [v for v in unit.catalog.volumes.all() if v.state is not VolumeState.REMOVED]
    return StatusReport(
        vault=homes.read_vault_id(unit.home),
        store=unit.settings.store_url,
        isolated=not reachable(unit.home, unit.settings),
        notes=tuple(_notes(unit)),
        recent=tuple(tombstone_item(t) for t in recent),
        volumes=tuple(volume_item(unit, v) for v in volumes),
    )


def _is_recent(tombstone: Tombstone, since: datetime) -> bool:
    return tombstone.state in OPEN or (tombstone.closed_at or tombstone.created_at) >= since


def _notes(unit: LocalUnit) -> Iterator[str]:
    kit = homes.default_kit(unit.home)
    if kit is not None:
        yield f"The recovery kit is still on this host: move {kit} offline."
    if (unit.home / homes.RULES).exists() or unit.catalog.audit.of_kinds((_RULES_CHANGED,)):
        amiss = operations.policy.complaint(unit)  # loaded where there is something to look at
        if amiss:
            yield f"{amiss}. Look at it with: vault policy check {unit.home / homes.RULES}"
    for volume in unit.catalog.volumes.all():
        if volume.alarm == "attacked":
            yield _attacked(unit, volume)
        elif volume.alarm:
            yield (
                f"“{volume.name}” {_ALARMS[volume.alarm]} outside of vault; nothing of it expires."
                f" Look at {volume.location}, then: vault volume acknowledge {volume.name}"
            )
        elif volume.state is VolumeState.ACTIVE and not unit.catalog.snapshots.of(volume.id):
            yield f"“{volume.name}” has no snapshot yet: vault snapshot {volume.name}"


def _attacked(unit: LocalUnit, volume: Volume) -> str:
    """Why, and where the contents are as they were before."""
    events = unit.catalog.events.of(volume.id)
    told = next(e.event for e in reversed(events) if e.event.type is EventType.ATTACK_SUSPECTED)
    return (
        f"“{volume.name}” looks attacked: {told.reason}. Nothing of it expires; as it was before:"
        f" {told.details.get('before') or 'its older snapshots'}. Look at {volume.location}, then:"
        f" vault volume acknowledge {volume.name}"
    )


_ALARMS: Final = {
    "vanished": "vanished",
    "replaced": "became another source",
    "destroyed": "was destroyed while in quarantine,",
}
