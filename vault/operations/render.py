"""From what vault knows to the items that doors show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from vault.clock import format_span
from vault.lifecycle.due import next_capture
from vault.lifecycle.volume import VolumeState
from vault.operations.items import (
    EnvironmentItem,
    FindingItem,
    SnapshotItem,
    TombstoneItem,
    VolumeItem,
)
from vault.operations.unit import window_of

if TYPE_CHECKING:
    from vault.catalog.snapshots import SnapshotRow
    from vault.lifecycle.tombstone import Tombstone
    from vault.lifecycle.volume import Volume
    from vault.operations.unit import LocalUnit, ReadUnit
    from vault.provider import Finding

_BYTE: Final = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")
_LIKE_BYTE: Final = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")


def volume_item(unit: LocalUnit, volume: Volume) -> VolumeItem:
    """A volume with its newest snapshot and when the next one is due."""
    rows = unit.catalog.snapshots.of(volume.id)
    newest = rows[-1] if rows else None
    return VolumeItem(
        id=volume.id,
        name=volume.name,
        environment=volume.environment,
        state=volume.state,
        path=volume.location,
        provider=volume.provider,
        schedule=volume.schedule,
        keep=str(volume.keep),
        created_at=volume.created_at,
        last_snapshot=newest.id if newest else "",
        last_snapshot_at=newest.stored_at if newest else None,
        next_snapshot_at=next_capture(volume, newest.stored_at if newest else None),
    )


def environment_item(unit: ReadUnit, name: str) -> EnvironmentItem:
    """An environment as the charter and this host's settings have it."""
    volumes = [v for v in unit.catalog.volumes.all() if v.environment == name]
    return EnvironmentItem(
        name=name,
        kind=unit.charter.environments[name].kind,
        window=format_span(window_of(unit, name)),
        volumes=sum(volume.state is not VolumeState.REMOVED for volume in volumes),
    )


def snapshot_item(row: SnapshotRow, findings: Iterable[Finding] = ()) -> SnapshotItem:
    """A stored snapshot; `findings` where they are at hand."""
    return SnapshotItem(
        id=row.id,
        volume=row.volume_name,
        environment=row.environment,
        state="stored",
        created_at=row.stored_at,
        files=row.files,
        bytes=row.bytes,
        bytes_added=row.bytes_added,
        locked_until=row.locked_until,
        parent=row.parent,
        final_for=row.final_for,
        findings=tuple(finding_item(finding) for finding in findings),
    )


def tombstone_item(tombstone: Tombstone) -> TombstoneItem:
    """A tombstone as people see it; `path` is where the data were, and return to."""
    actor = tombstone.deleted_by
    return TombstoneItem(
        id=tombstone.id,
        volume=tombstone.volume_name,
        environment=tombstone.environment,
        state=tombstone.state,
        created_at=tombstone.created_at,
        undo_until=tombstone.undo_until,
        deleted_by=actor.name if actor else "",
        reason=tombstone.reason,
        task=tombstone.task,
        snapshot=tombstone.snapshot,
        held=tombstone.hold,
        path=tombstone.location,
    )


def finding_item(finding: Finding) -> FindingItem:
    """A finding as it is shown: undecodable bytes of its path escaped."""
    return FindingItem(what=finding.what, path=shown(finding.path), detail=finding.detail)


def shown(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 as `\\xNN`, so that `meant` gives it back.

    A backslash that would read like the begin of such a byte is one, too.
    """
    return _LIKE_BYTE.sub(rb"\\x5c", path).decode("utf-8", "backslashreplace")


def meant(text: str) -> bytes:
    """The path that is shown as this text; its bytes may as well stand in it themselves."""
    path = text.encode("utf-8", "surrogateescape")
    return _BYTE.sub(lambda byte: bytes.fromhex(byte[1].decode()), path)
