"""The audit log in the store: for each member key one log, in segments that follow each other.

Stored as `audit/<log>/<first index, 12 digits>-<digest>`, a record of kind `audit` whose body is a
segment (vault.audit.segment). A log is named by the id of its key, and only that key writes there:
hosts need not agree about anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from vault.audit.entry import COLLECTORS, Entry
from vault.audit.merkle import Frontier
from vault.audit.segment import Segment, read_segment
from vault.codec.envelope import parse, sign
from vault.codec.signing import SigningKey, key_id
from vault.errors import Corrupt, FeatureUnknown, Unauthentic
from vault.repository.authentic import Listed, TamperingLog, note, read_all
from vault.repository.charter import Charter
from vault.repository.records import Shelf, note_refused, open_record
from vault.store.contract import Reader, Receipt, RecordingStore
from vault.store.names import named

KIND: Final = "audit"
PREFIX: Final = "audit/"

SHELF: Final = Shelf(KIND, PREFIX, roles=("writer", "purger", "collector"))
_NAME: Final = re.compile(r"audit/([0-9a-f]{16})/([0-9]{12})-[0-9a-f]{64}")


class StoredSegment(msgspec.Struct, frozen=True):
    """A segment in the store; `stored_at` is when the store received its first version."""

    segment: Segment
    log: str
    key: str
    version: str
    signer_hex: str
    role: str
    stored_at: datetime

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Those that count and are understood: of a collector's only what it did.

        A purger's all count: it commits what waits in the home that it may share with a writer.
        """
        for index, entry in self.segment.sortable():
            if self.role != "collector" or entry.kind in COLLECTORS:
                yield index, entry


def stem(log: str, first: int) -> str:
    """Where a log's segment from this index on lies, up to its digest."""
    return f"{PREFIX}{log}/{first:012d}"


def seal_segment(vault: str, body: bytes, signer: SigningKey) -> bytes:
    """The record of a segment; the same segment gives the same bytes, and so the same name."""
    return sign(KIND, vault, body, signer)


def put_segment(
    store: RecordingStore, log: str, first: int, record: bytes, retain_until: datetime
) -> Receipt:
    """Store a record of a segment, locked until then; the store reads the lock back."""
    return store.put(named(stem(log, first), record), record, retain_until)


def unseal_segment(record: bytes, vault: str) -> Segment:
    """The segment of a record that this host has sealed. Raises Corrupt, FeatureUnknown."""
    envelope = parse(record)
    body = envelope.require(KIND, vault)
    return read_segment(body, vault, key_id(envelope.signer_hex), envelope.signer_hex)


def place_of(key: str) -> tuple[str, int]:
    """Log and first index of a segment, by its key; ("", -1) for what is not called like one."""
    name = _NAME.fullmatch(key)
    return (name[1], int(name[2])) if name else ("", -1)


def read_segments(
    reader: Reader,
    charter: Charter,
    tampering: TamperingLog,
    prefix: str = PREFIX,
    *,
    skip: Callable[[Listed], bool] = lambda _: False,
) -> Iterator[StoredSegment]:
    """Every authentic segment under a prefix: by log, in order, of several at one index the one
    that was stored first before the others. What is not authentic is noted and left out; those
    that `skip` knows are not read.
    """
    stored = _read(reader, charter, tampering, prefix, skip)
    for _, rivals in groupby(stored, key=attrgetter("log", "segment.first")):
        yield from sorted(rivals, key=attrgetter("stored_at", "key"))


def _read(
    reader: Reader,
    charter: Charter,
    tampering: TamperingLog,
    prefix: str,
    skip: Callable[[Listed], bool],
) -> Iterator[StoredSegment]:
    """The same in the order of their names."""
    for verified in read_all(reader, prefix, tampering, skip=skip):
        try:
            record = open_record(charter, verified, KIND, SHELF.roles)
            log = key_id(record.signer_hex)
            segment = read_segment(record.body, charter.vault, log, record.signer_hex)
            _insist_in_place(record.key, log, segment)
        except (Corrupt, Unauthentic, FeatureUnknown) as error:
            note_refused(tampering, verified.key, error)
            continue
        yield StoredSegment(
            segment,
            log,
            record.key,
            record.version,
            record.signer_hex,
            record.role,
            record.stored_at,
        )


def read_line(
    reader: Reader, charter: Charter, tampering: TamperingLog, log: str
) -> Iterator[StoredSegment]:
    """The segments of one log that follow each other from 0 without a gap; forks are left out."""
    yield from read_lines(reader, charter, tampering, f"{PREFIX}{log}/")


def read_lines(
    reader: Reader, charter: Charter, tampering: TamperingLog, prefix: str = PREFIX
) -> Iterator[StoredSegment]:
    """As `read_line`, of every log in turn. What lies behind a gap is left out, and noted."""
    ends: dict[str, int] = {}
    for stored in read_segments(reader, charter, tampering, prefix):
        end = ends.get(stored.log, 0)
        if stored.segment.first == end:
            yield stored
            ends[stored.log] = stored.segment.end
        elif stored.segment.first > end:
            note(tampering, stored.key, "gap", f"the segment before it, at {end}, is gone")


def read_frontier(reader: Reader, charter: Charter, tampering: TamperingLog, log: str) -> Frontier:
    """The tree of one log as its entries give it, whatever its checkpoints say."""
    frontier = Frontier()
    for stored in read_line(reader, charter, tampering, log):
        frontier = frontier.grown(stored.segment.hashes())
    return frontier


def _insist_in_place(key: str, log: str, segment: Segment) -> None:
    if place_of(key) != (log, segment.first):
        raise Corrupt(f"{key} is not the segment that its name says")
