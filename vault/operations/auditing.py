"""Audit verify and prove: what the store holds of every log, judged from there alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from vault.audit.entry import ADMINISTRATIVE, Entry, EntryKind
from vault.audit.line import Line
from vault.audit.merkle import leaf_hash
from vault.audit.proof import Proof, check_proof, make_proof, with_former
from vault.errors import Corrupt, UsageError
from vault.ids import match_prefix
from vault.operations import stamp
from vault.operations.audit_items import AuditLogItem, AuditProof, AuditReport
from vault.operations.items import FindingItem
from vault.operations.stamp import Stamps
from vault.operations.unit import ReadUnit
from vault.repository.audit_log import PREFIX, StoredSegment, read_line, read_segments
from vault.repository.authentic import TamperingLog
from vault.repository.charter import read_chain
from vault.repository.journal import StoredEvent, read_events
from vault.repository.stamps import read_stamps

_SETTLING: Final = timedelta(minutes=1)
"""So young an event may still wait for its entry: its host is about to commit it."""


@dataclass(slots=True)
class _Log:
    """What is known of one log, while its segments are read."""

    line: Line
    signer_hex: str
    role: str
    begun: datetime
    transitions: dict[str, datetime] = field(default_factory=dict)
    charters: dict[str, datetime] = field(default_factory=dict)


def verify(unit: ReadUnit, roots: Path | None = None) -> AuditReport:
    """Look at every entry of every log in the store, and at what should have one.

    Findings name what was removed, changed, reordered or forked; what this host has seen before is
    compared, where it has seen anything. `roots` are the certificates (PEM) that time stamps have
    to lead to. Raises StoreError, SettingsError.
    """
    trusted = stamp.trusted_for(unit, roots)
    now = unit.reader.now()
    tampering: TamperingLog = []
    events = list(read_events(unit.reader, unit.charter, tampering))  # before the logs: they follow
    stamps = list(read_stamps(unit.reader, unit.charter, tampering))
    logs = _read_logs(unit, tampering)
    stamped = stamp.check(stamps, trusted, {name: log.line.root_at for name, log in logs.items()})
    found = [FindingItem(what=n.what, path=n.key, detail=n.detail) for n in tampering]
    found += _charter_findings(unit)
    for log in logs.values():
        faults = log.line.faults
        found += [FindingItem(what=f.what, path=f.key, detail=f.detail) for f in faults]
    found += _unlogged(events, logs, now - _SETTLING)
    found += _amended(unit, logs, now - _SETTLING)
    found += _missing(events, logs, now - _SETTLING)
    found += _compared(unit, logs)
    found += [*stamped.findings, *stamp.gone(unit, stamps)]
    return AuditReport(
        entries=sum(log.line.size for log in logs.values()),
        logs=tuple(_log_item(unit, log, stamped) for log in logs.values()),
        findings=tuple(dict.fromkeys(found)),
    )


def prove(unit: ReadUnit, entry: str, *, former: int = 0) -> AuditProof:
    """Prove that an entry (its id, or a prefix) is in its log as the newest checkpoint has it.

    With `former` also that the log has only grown since it had so many entries. Raises UsageError,
    Corrupt where the store's log proves nothing.
    """
    places = unit.catalog.audit.placed()
    identifier = match_prefix(entry, places)
    if identifier is None:
        raise UsageError(
            f"no entry of the audit log in the store is called “{entry}”",
            safe="Nothing was changed.",
            hint="List them with: vault audit show",
        )
    log, index = places[identifier]
    proof = _proof(unit, log, index, former)
    checkpoint = check_proof(proof)
    return AuditProof(
        entry=identifier,
        log=log,
        index=index,
        entries=checkpoint.size,
        proof=msgspec.json.encode(proof).decode(),
    )


def check(text: str) -> AuditProof:
    """Check a proof that `prove` gave, without a store. Raises Corrupt where it proves nothing."""
    try:
        proof = msgspec.json.decode(text, type=Proof)
        entry = msgspec.json.decode(proof.entry, type=Entry)
    except (msgspec.DecodeError, ValueError) as error:
        raise Corrupt(f"this is not a proof of the audit log: {error}") from error
    checkpoint = check_proof(proof)
    log = checkpoint.origin.rpartition("/")[2]
    return AuditProof(
        entry=entry.id, log=log, index=proof.index, entries=checkpoint.size, proof=text
    )


def _proof(unit: ReadUnit, log: str, index: int, former: int) -> Proof:
    hashes: list[bytes] = []
    leaf, note, signer = b"", "", ""
    for stored in read_line(unit.reader, unit.charter, unit.tampering, log):
        segment = stored.segment
        if segment.first <= index < segment.end:
            leaf = segment.leaves[index - segment.first]
        hashes += segment.hashes()
        note, signer = segment.note, stored.signer_hex
    if not leaf or former > len(hashes):
        raise Corrupt(f"the store's log {log} ends at {len(hashes)}: something of it is gone")
    proof = make_proof(unit.charter.vault, signer, hashes, note, (index, leaf))
    return with_former(proof, hashes, former) if former else proof


def _read_logs(unit: ReadUnit, tampering: TamperingLog) -> dict[str, _Log]:
    logs: dict[str, _Log] = {}
    unit.progress.begin("audit")
    for stored in read_segments(unit.reader, unit.charter, tampering):
        log = logs.get(stored.log)
        if log is None:
            log = logs[stored.log] = _begin(stored)
        for entry in log.line.add(stored.key, stored.segment):
            log.begun = min(log.begun, entry.at)
            event = entry.body.get("event")
            if entry.kind is EntryKind.TRANSITION and isinstance(event, str):
                log.transitions[event] = entry.at
            elif entry.kind in ADMINISTRATIVE and entry.body.get("charter"):
                log.charters[str(entry.body["charter"])] = entry.at
        unit.progress.advance(files=1)
    unit.progress.end()
    return logs


def _begin(stored: StoredSegment) -> _Log:
    return _Log(Line(stored.log), stored.signer_hex, stored.role, stored.stored_at)


def _charter_findings(unit: ReadUnit) -> Iterator[FindingItem]:
    """What was noticed of the charter when the vault was opened: it says whose logs count."""
    for noted in unit.tampering:
        if noted.key.startswith(("charter/", PREFIX)):
            yield FindingItem(what=noted.what, path=noted.key, detail=noted.detail)


def _unlogged(
    events: Iterable[StoredEvent], logs: dict[str, _Log], before: datetime
) -> Iterator[FindingItem]:
    """Events that no log tells of, though one was kept when they were stored."""
    told = {event for log in logs.values() for event in log.transitions}
    begun = {log.signer_hex: log.begun for log in logs.values()}
    first = min(begun.values(), default=before)
    for stored in events:
        since = begun.get(stored.signer_hex, first)
        if stored.key not in told and since < stored.stored_at < before:
            detail = f"no entry of the audit log tells of this {stored.event.type}"
            yield FindingItem(what="unlogged", path=stored.key, detail=detail)


def _amended(unit: ReadUnit, logs: dict[str, _Log], before: datetime) -> Iterator[FindingItem]:
    """Changes of the charter that no log tells of, since the first one that any tells of."""
    told = {key: at for log in logs.values() for key, at in log.charters.items()}
    first = min(told.values(), default=before)
    for link in read_chain(unit.reader, unit.charter.root, []).values():
        if link.key not in told and first < link.modified < before:
            detail = "no entry of the audit log tells of this change of the charter"
            yield FindingItem(what="unlogged", path=link.key, detail=detail)


def _missing(
    events: Iterable[StoredEvent], logs: dict[str, _Log], before: datetime
) -> Iterator[FindingItem]:
    """Events that a log tells of and the journal does not hold."""
    there = {stored.key for stored in events}
    for log in logs.values():
        for event, at in log.transitions.items():
            if event not in there and at < before:
                detail = f"the audit log {log.line.log} tells of it, and it is gone"
                yield FindingItem(what="missing", path=event, detail=detail)


def _compared(unit: ReadUnit, logs: dict[str, _Log]) -> Iterator[FindingItem]:
    """What this host has seen of the logs, beside what the store shows now."""
    audit = unit.catalog.audit
    for name, seen in audit.heads().items():
        place = f"{PREFIX}{name}/"
        line = logs[name].line if name in logs else Line(name)
        if line.size < seen.size:
            detail = f"this host has seen {seen.size} entries, the store shows {line.size}"
            yield FindingItem(what="cut", path=place, detail=detail)
        elif line.root_at(seen.size) not in (None, seen.root()):
            detail = f"its first {seen.size} entries are others than this host has seen"
            yield FindingItem(what="rewritten", path=place, detail=detail)
        for index, body in audit.leaves(name):
            known = line.hash_at(index)
            missing = not known and index < max(line.size, seen.size)  # which was said
            if leaf_hash(body) != known and not missing:
                detail = f"entry {index} of this host's catalog is not the store's"
                yield FindingItem(what="local", path=place, detail=detail)


def _log_item(unit: ReadUnit, log: _Log, stamped: Stamps) -> AuditLogItem:
    names = [m.name for m in unit.charter.members if m.key == log.signer_hex]
    root = log.line.root_at(log.line.size)
    covered, at = stamped.covered.get(log.line.log, (0, None))
    return AuditLogItem(
        log=log.line.log,
        member=names[0] if names else "",
        role=log.role,
        entries=log.line.size,
        root=root.hex() if root is not None else "",
        checkpoint=log.line.note,
        stamped=covered,
        stamped_at=at,
    )
