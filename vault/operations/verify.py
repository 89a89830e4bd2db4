"""Verify: everything that snapshots refer to is there, authentic, and locked; no kit is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from vault.catalog.snapshots import row_of
from vault.errors import LockRefused, ObjectMissing
from vault.operations.items import FindingItem, VerifyReport
from vault.operations.unit import ReadUnit, WriteUnit
from vault.repository.audit_log import SHELF as AUDIT
from vault.repository.authentic import list_keys
from vault.repository.checker import CheckTerms, check
from vault.repository.index_objects import KIND as INDEX
from vault.repository.journal import read_events
from vault.repository.records import Shelf, read_records
from vault.repository.sessions import KIND as SESSION
from vault.repository.snapshot import list_snapshots
from vault.repository.stamps import SHELF as STAMPS
from vault.store.names import digest_of

_LOST: Final = ("missing", "damaged")
_SHELVES: Final = (Shelf(SESSION, "keys/"), Shelf(INDEX, "index/"), AUDIT, STAMPS)


def verify(unit: ReadUnit, *, deep: bool) -> VerifyReport:
    """Check every stored snapshot; with `deep` every byte is read and hashed. Raises StoreError.

    What the catalog knows and the store no longer shows is a finding unless its lock has lapsed
    (then it was collected, and is forgotten here); tampering is one in any case.
    """
    known = unit.catalog.snapshots.all()  # before the store: a daemon may be adding to both
    scope = unit.catalog.environment
    listed = list_snapshots(unit.reader, unit.charter, unit.tampering)
    records = [record for record in listed if scope in ("", record.header.environment)]
    report = check(
        unit.reader,
        unit.charter,
        records,
        terms=CheckTerms(deep, unit.tampering, unit.progress),
    )
    _look_at_the_rest(unit, deep=deep)
    unit.catalog.snapshots.put_rows(map(row_of, records))  # it may be an older copy of itself
    stored = {record.header.id for record in records}
    now = unit.reader.now()
    gone = [row for row in known if row.id not in stored]
    missing = [row for row in gone if row.locked_until > now]
    unit.catalog.snapshots.forget(row.id for row in gone if row.locked_until <= now)
    findings = [
        *(FindingItem(what=f.what, path=f.key, detail=f.detail) for f in report.findings),
        *(
            FindingItem(what="missing", path=row.key, detail="known here, gone from the store")
            for row in missing
        ),
        *tampering_items(unit),
    ]
    return VerifyReport(
        snapshots=len(records),
        packs=report.packs,
        objects=report.objects,
        bytes=report.bytes,
        findings=tuple(findings),
    )


def mend(unit: WriteUnit, report: VerifyReport) -> None:
    """Do what can be done about findings; the next look tells what it was good for.

    The next snapshots store anew what is gone or damaged, instead of referring to it. What is not
    guarded as it should be is guarded again: its lock is extended to where it is.
    """
    for finding in report.findings:
        digest = digest_of(finding.path)
        if finding.path.startswith("packs/") and digest and finding.what in _LOST:
            unit.index.forget_pack(bytes.fromhex(digest))
        elif finding.what == "unsealed":
            for found in unit.reader.list(finding.path):
                with suppress(ObjectMissing, LockRefused):
                    unit.store.extend(found.key, unit.reader.now(), version=found.version)


def _look_at_the_rest(unit: ReadUnit, *, deep: bool) -> None:
    """Notice what lies over or among records that no snapshot refers to: events, indexes, keys."""
    unit.catalog.apply(*read_events(unit.reader, unit.charter, unit.tampering))
    for shelf in _SHELVES:
        found: Iterator[object] = list_keys(unit.reader, shelf.prefix, unit.tampering)
        if deep:
            found = read_records(unit.reader, unit.charter, shelf, unit.tampering)
        for _ in found:
            pass


def tampering_items(unit: ReadUnit) -> tuple[FindingItem, ...]:
    """What was laid over stored objects, as far as this process has met it; each once."""
    items = (
        FindingItem(what=found.what, path=found.key, detail=found.detail)
        for found in unit.tampering
    )
    return tuple(dict.fromkeys(items))
