"""Rehearse: prove a restore without one: every byte read back, decrypted, its id recomputed."""

from __future__ import annotations

from vault.errors import Corrupt, RepositoryError
from vault.operations.choose import choose
from vault.operations.findings import FindingLog
from vault.operations.items import RehearseReport
from vault.operations.render import finding_item
from vault.operations.unit import ReadUnit
from vault.operations.verify import tampering_items
from vault.provider import Kind
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing


def rehearse(unit: ReadUnit, ring: SessionRing, what: str) -> RehearseReport:
    """Read all of a snapshot as a restore would. Damage is a finding, with the files it costs.

    Raises KitWrong, SnapshotUnknown, StoreError.
    """
    record = choose(unit, what)
    reader = SnapshotReader(unit.reader, ring, record, unit.tampering)
    begun = unit.clock.boot_time().seconds
    damaged = FindingLog("damaged")
    files = size = 0
    unit.progress.begin("rehearse", files=record.header.files, size=record.header.bytes)
    try:
        for stored, blocks in reader.contents(reader.entries()):
            entry = stored.entry
            try:
                read = sum(len(block) for block in blocks)
            except RepositoryError as error:
                damaged.add(entry.path, error.message)
                continue
            files += entry.kind == Kind.FILE
            size += read
            unit.progress.advance(files=1, size=read)
    except Corrupt as error:  # a page of the manifest is damaged: all others were read
        damaged.add(b"", error.message)
    unit.progress.end()
    return RehearseReport(
        snapshot=record.header.id,
        volume=record.header.volume_name,
        files=files,
        bytes=size,
        seconds=unit.clock.boot_time().seconds - begun,
        findings=(*map(finding_item, damaged.all()), *tampering_items(unit)),
    )
