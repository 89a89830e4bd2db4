"""Audit show and export: the entries as this host knows them, for people and for other tools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from vault.audit.entry import Entry, EntryKind
from vault.audit.ocsf import ocsf_line
from vault.errors import UsageError, VolumeUnknown
from vault.operations.audit_items import AuditEntryItem
from vault.operations.unit import LocalUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries: since a time, by a caller's name, of a volume (name or id), of a kind.

    With `after` only those behind that id.
    """

    since: datetime | None = None
    by: str = ""
    volume: str = ""
    kind: str = ""
    after: str = ""


def show(unit: LocalUnit, wish: AuditFilter) -> Iterator[AuditEntryItem]:
    """The entries that fit, the oldest first; those that wait for the store, too.

    Raises UsageError where there is no such kind.
    """
    for entry, (log, index) in _chosen(unit, wish):
        yield AuditEntryItem(
            id=entry.id,
            at=entry.at,
            kind=entry.kind,
            by=entry.caller.name,
            by_kind=entry.caller.kind,
            environment=entry.environment,
            volume=entry.volume,
            about=entry.about,
            log=log,
            index=index,
            body=entry.body,
        )


def export(unit: LocalUnit, wish: AuditFilter) -> Iterator[str]:
    """The entries that fit, each as one line of OCSF JSON, without its newline."""
    for entry, (log, index) in _chosen(unit, wish):
        yield ocsf_line(entry, log, index)


def _chosen(unit: LocalUnit, wish: AuditFilter) -> Iterator[tuple[Entry, tuple[str, int]]]:
    _insist_kind(wish.kind)
    volumes = _volumes(unit, wish.volume)
    own = {volume.id for volume in unit.catalog.volumes.all()}
    scope = unit.catalog.environment
    found = unit.catalog.audit.all(
        after=wish.after, kind=wish.kind, caller=wish.by, since=wish.since
    )
    for entry, place in found:
        if scope and entry.environment != scope and entry.volume not in own:
            continue  # what is elsewhere is not there
        named = {entry.volume, str(entry.body.get("volume_name", ""))}
        if not volumes or volumes & named:
            yield entry, place


def _insist_kind(kind: str) -> None:
    if kind and kind not in EntryKind.__members__.values():
        raise UsageError(
            f"“{kind}” is not a kind of entry",
            safe="Nothing was changed.",
            hint=f"There are: {', '.join(EntryKind)}.",
        )


def _volumes(unit: LocalUnit, name: str) -> set[str]:
    """A volume by whatever entries may call it; its own word where it is not known here."""
    if not name:
        return set()
    try:
        return {name, unit.catalog.volumes.resolve(name).id}
    except VolumeUnknown:
        return {name}
