"""Logs to try things on: entries, the segments of a log over them, and how these are judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from vault.audit.entry import Caller, Entry, EntryKind, encode_entry
from vault.audit.line import Line
from vault.audit.merkle import Frontier, leaf_hash
from vault.audit.segment import Segment, read_segment, write_segment
from vault.codec.signing import SigningKey
from vault.ids import new_id

VAULT = "vault_01kq0000000000000000000000"
SIGNER = SigningKey(b"w" * 32)
STRANGER = SigningKey(b"s" * 32)
START = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)


def entry(number: int, kind: EntryKind = EntryKind.FROZEN, **body: object) -> Entry:
    """One entry, newer with its number."""
    at = START + timedelta(seconds=number)
    caller = Caller("human", "ann@host", "uid")
    told = body or {"name": f"bot-{number}", "reasons": []}
    return Entry(
        id=new_id("aud", at), at=at, uptime=float(number), kind=kind, caller=caller, body=told
    )


def leaves(count: int) -> list[bytes]:
    """So many entries, encoded."""
    return [encode_entry(entry(number)) for number in range(count)]


def segment(before: Frontier, part: Sequence[bytes], signer: SigningKey = SIGNER) -> Segment:
    """These entries behind that tree, written and read."""
    body = write_segment(VAULT, before, part, signer)
    return read_segment(body, VAULT, signer.key_id, signer.public_hex)


def segments(*parts: Sequence[bytes]) -> list[Segment]:
    """A log of these parts, in order."""
    made, tree = [], Frontier()
    for part in parts:
        made.append(segment(tree, part))
        tree = tree.grown(map(leaf_hash, part))
    return made


def judged(stored: Iterable[Segment]) -> Line:
    """The line over segments as a store lists them: by their first index."""
    line = Line(SIGNER.key_id)
    for one in sorted(stored, key=lambda part: part.first):
        line.add(f"audit/{SIGNER.key_id}/{one.first:012d}", one)
    return line


def words(line: Line) -> list[str]:
    """What is not as it should be."""
    return [fault.what for fault in line.faults]
