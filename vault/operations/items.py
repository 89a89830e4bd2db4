"""What operations return: frozen values with the same field names everywhere; doors render them.

What the HTTP interface answers with is a dataclass, which pydantic can read; all else is msgspec's,
which takes a fortieth of the time to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingItem:
    """Something met on the way that a person should know; `what` is a stable word."""

    what: str
    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeItem:
    """A volume as the catalog knows it."""

    id: str
    name: str
    environment: str
    state: str
    path: str
    provider: str
    schedule: str
    keep: str
    created_at: datetime | None
    last_snapshot: str
    last_snapshot_at: datetime | None
    next_snapshot_at: datetime | None


class EnvironmentItem(msgspec.Struct, frozen=True, kw_only=True):
    """An environment: `kind` is protected or ephemeral, `window` how long deletes are undoable."""

    name: str
    kind: str
    window: str
    volumes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotItem:
    """A committed snapshot; `bytes` is the logical size, `bytes_added` what the store grew by."""

    id: str
    volume: str
    environment: str
    state: str
    created_at: datetime
    files: int
    bytes: int
    bytes_added: int
    locked_until: datetime
    parent: str
    final_for: str
    findings: tuple[FindingItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TombstoneItem:
    """A deleted volume; it can be undone until `undo_until` at least."""

    id: str
    volume: str
    environment: str
    state: str
    created_at: datetime | None
    undo_until: datetime | None
    deleted_by: str
    reason: str
    task: str
    snapshot: str
    held: str
    path: str


class EntryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One name in a snapshot; paths are shown with undecodable bytes escaped."""

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    size: int
    modified_at: datetime
    target: str


class DiffItem(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: `change` is added, removed, changed or metadata."""

    change: str
    path: str


class InitResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` made; `kit` is where the recovery kit lies until it is moved offline."""

    home: Path
    store: str
    vault: str
    kit: Path
    notes: tuple[str, ...]


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The 2 a.m. answer: what was deleted lately comes first.

    `vault` and `isolated` are told at the vault itself, and by no daemon.
    """

    vault: str
    store: str
    isolated: bool | None
    notes: tuple[str, ...]
    recent: tuple[TombstoneItem, ...]
    volumes: tuple[VolumeItem, ...]


class CheckItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that doctor looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


class RestoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to restore and where: `to` receives the volume's contents, or `in_place`.

    With an `environment`, an ephemeral one, it is registered there as a volume called `name`.
    """

    what: str
    to: Path | None = None
    in_place: bool = False
    at: datetime | None = None
    include: tuple[str, ...] = ()
    dry_run: bool = False
    kit: Path | None = None
    environment: str = ""
    name: str = ""


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did; `written` and `skipped` count entries.

    `saved` is the snapshot of what stood in the place before, `registered` the id of the volume
    that it has become; each may be empty.
    """

    snapshot: str
    volume: str
    target: str
    files: int
    bytes: int
    written: int
    skipped: int
    dry_run: bool
    saved: str = ""
    findings: tuple[FindingItem, ...]
    registered: str = ""


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What verify looked at and found."""

    snapshots: int
    packs: int
    objects: int
    bytes: int
    findings: tuple[FindingItem, ...]


class RehearseReport(msgspec.Struct, frozen=True, kw_only=True):
    """A restore rehearsed: every byte of a snapshot read back, decrypted and compared."""

    snapshot: str
    volume: str
    files: int
    bytes: int
    seconds: float
    findings: tuple[FindingItem, ...]


class RebuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild brought back from the store."""

    volumes: int
    snapshots: int
    tombstones: int
    findings: tuple[FindingItem, ...]


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recovery kit opens this vault."""

    vault: str
    opens: bool
    detail: str


class ExtendReport(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots whose locks reach far enough, and the ids of those that need what is not there."""

    extended: int
    short: tuple[str, ...]


class PurgeItem(msgspec.Struct, frozen=True, kw_only=True):
    """The purger's verdict on one tombstone: purged, would-purge, refused or restored."""

    tombstone: str
    volume: str
    verdict: str
    reasons: tuple[str, ...]


class PurgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of the purger."""

    items: tuple[PurgeItem, ...]


class CollectReport(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of the collector; `deleted` and `kept` count object versions."""

    deleted: int
    bytes: int
    kept: int
    digest: str
    dry_run: bool
    reasons: tuple[str, ...]
