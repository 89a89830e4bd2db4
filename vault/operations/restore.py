"""Restore: write a snapshot's entries below a target, verified before a byte is written.

A new target is filled; in place only what differs is written, and where the place is a live volume
its present state is captured first, so that a restore can be undone like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import accumulate
from typing import Final

import msgspec

from vault.errors import (
    Corrupt,
    PathUnsafe,
    RepositoryError,
    SourceReplaced,
    TargetNotEmpty,
    UsageError,
    VolumeTombstoned,
)
from vault.governance.request import Verb
from vault.lifecycle.volume import Volume, VolumeState
from vault.operations.capture import CapturePlan, capture
from vault.operations.choose import choose, unread_since
from vault.operations.enroll import insist_apart
from vault.operations.findings import FindingLog
from vault.operations.gate import admit, admit_reading, question_of
from vault.operations.identity import found_at, is_registered
from vault.operations.items import RestoreReport, RestoreRequest
from vault.operations.render import finding_item, meant, shown
from vault.operations.unit import ReadUnit, WriteUnit
from vault.provider import Entry, Finding, Kind, Restoration
from vault.repository.manifest import StoredEntry
from vault.repository.reader import Gap, SnapshotReader, lies_in
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord

_FILE: Final = Kind.FILE.value


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One restore, decided and without effect."""

    record: SnapshotRecord
    target: str
    in_place: bool
    include: tuple[str, ...]
    doubts: tuple[Finding, ...] = ()


class _Tally(msgspec.Struct):
    """What a restore has done so far."""

    files: int = 0
    bytes: int = 0
    written: int = 0
    skipped: int = 0
    lost: FindingLog = msgspec.field(default_factory=lambda: FindingLog("not-restored"))
    unmatched: set[str] = msgspec.field(default_factory=set)


def plan_restore(unit: ReadUnit, request: RestoreRequest) -> RestorePlan:
    """Decide what goes where. Raises UsageError, SnapshotUnknown, SourceOverlaps."""
    if (request.to is None) == (not request.in_place):
        raise UsageError(
            "a restore needs a place",
            safe="Nothing was written.",
            hint="Give --to DIR, or --in-place to bring the volume itself back to that state.",
        )
    record = choose(unit, request.what, at=request.at, settled=request.in_place)
    target = str(request.to) if request.to else None
    if target is None:
        volume = unit.catalog.volumes.resolve(record.header.volume)
        if volume.state is VolumeState.TOMBSTONED:
            raise VolumeTombstoned(
                f"“{volume.name}” is deleted: there is no place to restore it to",
                safe="Nothing was written; its data wait in quarantine.",
                hint=f"Bring it back with: vault undelete {volume.tombstone}; or give --to DIR.",
            )
        target = volume.location
    insist_apart(unit, unit.provider(record.header.adapter), target)
    return RestorePlan(
        record=record,
        target=target,
        in_place=request.in_place,
        include=request.include,
        doubts=tuple(unread_since(unit, request.what, record)),
    )


def let_overwrite(unit: WriteUnit, plan: RestorePlan) -> None:
    """Ask the gate before a volume's own place is written to. Raises Denied, StoreError."""
    volume = unit.catalog.volumes.resolve(plan.record.header.volume)
    about = f"{plan.record.header.id} in place, at {plan.target}"
    admit(unit, msgspec.structs.replace(question_of(Verb.RESTORE, volume), about=about))


def let_write(unit: ReadUnit, plan: RestorePlan) -> None:
    """Ask the gate before contents are written to another place. Raises Denied."""
    header = plan.record.header
    admit_reading(unit, Verb.RESTORE, header, f"{header.id} to {plan.target}")


def save_present(unit: WriteUnit, plan: RestorePlan) -> str:
    """Capture what a restore in place is about to change, so that it can be undone.

    Returns the snapshot's id, or nothing where the place is empty. Raises SourceReplaced where
    something stands there that no snapshot could hold.
    """
    volume = unit.catalog.volumes.resolve(plan.record.header.volume)
    if volume.state in (VolumeState.ACTIVE, VolumeState.PAUSED) or _is_back(unit, volume):
        saving = CapturePlan(
            volume=volume, location=volume.location, saved_for=plan.record.header.id
        )
        return capture(unit, saving)[0].header.id
    try:
        unit.provider(volume.provider).restoration(volume.location, in_place=False)
    except TargetNotEmpty as error:
        raise SourceReplaced(
            f"what stands at {volume.location} is not “{volume.name}” as it is protected",
            safe="Nothing was written: what is there is in no snapshot.",
            hint="Restore --to DIR; or move away what is there, and restore in place again.",
        ) from error
    return ""


def _is_back(unit: WriteUnit, volume: Volume) -> bool:
    """Whether a lost volume stands in its place again, and nobody has looked since."""
    provider = unit.provider(volume.provider)
    back = is_registered(provider, found_at(provider, volume.location), volume)
    return back and volume.state is not VolumeState.REMOVED


def execute_restore(
    unit: ReadUnit, ring: SessionRing, plan: RestorePlan, *, dry_run: bool
) -> RestoreReport:
    """Write, or with `dry_run` only count. One damaged file does not stop the others.

    Raises TargetNotEmpty, DiskFull, KitWrong, StoreError; what was written before stays.
    """
    header = plan.record.header
    reader = SnapshotReader(unit.reader, ring, plan.record, unit.tampering)
    provider = unit.provider(header.adapter)
    restoration = provider.restoration(plan.target, in_place=plan.in_place)
    tally, gaps = _Tally(unmatched=set(plan.include)), list[Gap]()
    unit.progress.begin("restore", files=header.files, size=header.bytes)
    try:
        chosen = reader.walk(b"", gaps)
        if plan.include:
            selected = _selected(chosen, plan.include, tally.unmatched)
            chosen = _with_contents(selected, reader, plan.include)
        missing = _differing(chosen, reader, restoration, tally) if plan.in_place else chosen
        try:
            if dry_run:
                for stored in missing:
                    _count(tally, stored.entry)
            else:
                _write(unit, reader.contents(missing), restoration, tally)
        except Corrupt as error:  # a page of the manifest is damaged: all others were read
            tally.lost.add(b"", error.message)
        if not dry_run:
            restoration.finish()
    finally:
        unit.progress.end()
    # What the patterns leave out is no extra.
    found = [f for f in restoration.findings if not (plan.include and f.what == "extra")]
    met = [_as_known(finding, gaps) for finding in found]
    findings = [*plan.doubts, *map(_unmatched, sorted(tally.unmatched)), *tally.lost.all(), *met]
    return RestoreReport(
        snapshot=header.id,
        volume=header.volume_name,
        target=plan.target,
        files=tally.files,
        bytes=tally.bytes,
        written=tally.written,
        skipped=tally.skipped,
        dry_run=dry_run,
        findings=tuple(finding_item(finding) for finding in findings),
    )


def _as_known(finding: Finding, gaps: Sequence[Gap]) -> Finding:
    """What stands in place where entries are lost may be in the snapshot: it is called no extra."""
    if finding.what != "extra" or not lies_in(finding.path, gaps):
        return finding
    return Finding(
        "unknown",
        finding.path,
        "whether it is in the snapshot is not known, as entries are lost here; left as it is",
    )


def _unmatched(pattern: str) -> Finding:
    return Finding("unmatched", meant(pattern), "fits nothing in this snapshot")


def _selected(
    entries: Iterable[StoredEntry], include: tuple[str, ...], unmatched: set[str]
) -> Iterator[StoredEntry]:
    """What the patterns ask for, each preceded by the directories above it.

    Patterns that fit something are taken out of `unmatched`: the others are slips of the pen.
    """
    above: list[StoredEntry] = []
    for stored in entries:
        path = stored.entry.path
        while above and above[-1].entry.path and not path.startswith(above[-1].entry.path + b"/"):
            above.pop()
        if fitting := _fitting(path, include):
            unmatched.difference_update(fitting)
            yield from above
            above.clear()
            yield stored
        elif stored.entry.kind == Kind.DIRECTORY:
            above.append(stored)


def _with_contents(
    chosen: Iterable[StoredEntry], reader: SnapshotReader, include: tuple[str, ...]
) -> Iterator[StoredEntry]:
    """Give a hard-linked name its content where the first name of the file is left out."""
    first: dict[bytes, bytes] = {}
    for stored in chosen:
        entry = stored.entry
        if entry.link is None or _fitting(entry.link, include):
            yield stored
        elif entry.link in first:
            link = first[entry.link]
            yield StoredEntry(msgspec.structs.replace(entry, link=link), stored.extents)
        else:
            yield _in_its_place(stored, entry.link, reader)
            first[entry.link] = entry.path


def _in_its_place(stored: StoredEntry, link: bytes, reader: SnapshotReader) -> StoredEntry:
    try:
        source = reader.find(link)
    except (Corrupt, UsageError):
        return stored  # the first name is lost: writing the link will say so
    return StoredEntry(msgspec.structs.replace(source.entry, path=stored.path), source.extents)


def _fitting(path: bytes, include: tuple[str, ...]) -> list[str]:
    """Those of the patterns that fit a path or one above it, by its bytes or as it is shown."""
    texts = {path.decode("utf-8", "surrogateescape"), shown(path)}
    heads = {head for text in texts for head in accumulate(text.split("/"), "{}/{}".format)}
    return [p for p in include if any(fnmatchcase(head, p.strip("/")) for head in heads)]


def _differing(
    chosen: Iterable[StoredEntry], reader: SnapshotReader, restoration: Restoration, tally: _Tally
) -> Iterator[StoredEntry]:
    for stored in chosen:
        if _differs(stored, reader, restoration):
            yield stored
        else:
            tally.skipped += 1


def _differs(stored: StoredEntry, reader: SnapshotReader, restoration: Restoration) -> bool:
    try:
        return restoration.differs(stored.entry, partial(reader.blocks, stored))
    except (RepositoryError, PathUnsafe):
        return True  # its content is damaged, or it leads elsewhere: writing it will say so


def _write(
    unit: ReadUnit,
    contents: Iterable[tuple[StoredEntry, Iterable[bytes | memoryview]]],
    restoration: Restoration,
    tally: _Tally,
) -> None:
    for stored, blocks in contents:
        entry = stored.entry
        try:
            restoration.write(entry, blocks)
        except (RepositoryError, PathUnsafe) as error:
            tally.lost.add(entry.path, error.message)
            continue
        _count(tally, entry)
        unit.progress.advance(files=1, size=entry.size)


def _count(tally: _Tally, entry: Entry) -> None:
    tally.written += 1
    if entry.kind == _FILE:
        tally.files += 1
        tally.bytes += entry.size
