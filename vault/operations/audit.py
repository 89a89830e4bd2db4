"""The audit log's writing: what waits here is committed, what others have committed is taken in.

Order of a commit: the segment is remembered here → it is in the store, under lock → its entries
have their place. A crash in between is finished by the next commit, which stores the very same
segment again: its name is that of its bytes, so nothing forks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from vault.audit.entry import COLLECTORS, Entry, encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import BYTES_TARGET, ENTRIES_MAX, Segment, write_segment
from vault.codec.signing import key_id
from vault.errors import Unauthentic
from vault.operations.amend import record_lock
from vault.operations.unit import ReadUnit, RecordUnit, exclusive
from vault.repository.audit_log import (
    StoredSegment,
    place_of,
    put_segment,
    read_frontier,
    read_segments,
    seal_segment,
    stem,
    unseal_segment,
)
from vault.repository.authentic import Listed


def commit(unit: RecordUnit) -> None:
    """Bring every waiting entry into the store, in order, under lock; on return it is there.

    A collector brings its own kinds alone: of others in its log none would count.
    Whoever waits for another's commit meanwhile finds theirs done by it. Raises StoreError, and
    Unauthentic where this host's key was revoked: then they still wait.
    """
    audit, kinds = unit.catalog.audit, COLLECTORS if unit.role == "collector" else ()
    if not audit.waiting(1, kinds):
        return
    with exclusive(unit.home, "audit"):
        if not audit.waiting(1, kinds):
            return
        now = unit.reader.now()
        _insist_member(unit, now)
        head = _caught_up(unit, now)
        while waiting := audit.waiting(ENTRIES_MAX, kinds):
            leaves = _fitting(waiting)
            body = write_segment(unit.charter.vault, head, leaves, unit.signer)
            record = seal_segment(unit.charter.vault, body, unit.signer)
            audit.attempt(unit.signer.key_id, record)
            head = _store(unit, head, record, now)


def refresh(unit: ReadUnit) -> None:
    """Take in what others have committed to their logs since this host last looked.

    What is known is only listed. Raises StoreError.
    """
    audit = unit.catalog.audit
    heads = audit.heads()

    def is_known(listed: Listed) -> bool:
        log, index = place_of(listed.key)
        return log in heads and index < heads[log].size

    found = read_segments(unit.reader, unit.charter, unit.tampering, skip=is_known)
    for stored in found:
        head = heads.get(stored.log, Frontier())
        if stored.segment.first == head.size:
            heads[stored.log] = head.grown(stored.segment.hashes())
            audit.settle(stored.log, stored.entries(), heads[stored.log])


def hear_writers(unit: RecordUnit) -> None:
    """Take in what other writers have committed: their panics, freezes and tasks hold here, too.

    One listing for each of them, however long their logs are. Raises StoreError.
    """
    logs = {key_id(member.key) for member in unit.charter.members if member.role == "writer"}
    for log in sorted(logs - {unit.signer.key_id}):
        head = unit.catalog.audit.head(log) or Frontier()
        while found := next(_at(unit, log, head.size), None):
            head = head.grown(found.segment.hashes())
            unit.catalog.audit.settle(log, found.segment.sortable(), head)


def _insist_member(unit: RecordUnit, now: datetime) -> None:
    """Refuse to acknowledge what no reader would accept."""
    if not unit.charter.allows(unit.signer.public_hex, unit.role, now):
        raise Unauthentic(
            "this host's key was revoked: nothing that it enters into the audit log counts",
            safe="What it signed before stays good; the entries wait.",
            hint="Join again with a key of its own: vault rebuild --store URL --kit FILE",
        )


def _caught_up(unit: RecordUnit, now: datetime) -> Frontier:
    """The log's tree, after what a crash, or an older copy of the catalog, has left unsettled."""
    log, audit = unit.signer.key_id, unit.catalog.audit
    head = audit.head(log) or Frontier()
    record = audit.attempted(log)
    if record:
        segment = unseal_segment(record, unit.charter.vault)
        head = _store(unit, head, record, now) if segment.first == head.size else head
    while found := next(_at(unit, log, head.size), None):
        head = _settle(unit, head, found.segment)
    return head


def _at(unit: RecordUnit, log: str, index: int) -> Iterator[StoredSegment]:
    """The segments of a log that are in the store at an index, the first stored first."""
    return read_segments(unit.reader, unit.charter, [], f"{stem(log, index)}-")


def _store(unit: RecordUnit, head: Frontier, record: bytes, now: datetime) -> Frontier:
    put_segment(unit.store, unit.signer.key_id, head.size, record, record_lock(now))
    return _settle(unit, head, unseal_segment(record, unit.charter.vault))


def _settle(unit: RecordUnit, head: Frontier, segment: Segment) -> Frontier:
    """Take a segment in that is in the store; the tree after it."""
    log = unit.signer.key_id
    after = head.grown(segment.hashes())
    if after.root() != segment.checkpoint.root:  # what is remembered here is not what is stored
        stored = read_frontier(unit.reader, unit.charter, [], log)
        after = stored if stored.size >= after.size else after
    unit.catalog.audit.settle(log, segment.entries(), after)
    return after


def _fitting(waiting: list[Entry]) -> list[bytes]:
    """The first of them that make a segment of a good size; one at least."""
    leaves: list[bytes] = []
    size = 0
    for entry in waiting:
        leaf = encode_entry(entry)
        size += len(leaf)
        if leaves and size > BYTES_TARGET:
            break
        leaves.append(leaf)
    return leaves
