"""Time stamps of checkpoints in the store: what a service outside has seen of a log, and when.

Stored as `stamps/<log>/<size, 12 digits>-<digest>`, a record of kind `stamp` by the log's key. Its
body holds a checkpoint of that size, as a signed note, and the service's answer about the note.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from vault.audit.checkpoint import Checkpoint, open_checkpoint, origin_of
from vault.codec.decoding import read_json
from vault.codec.envelope import sign
from vault.codec.signing import SigningKey, key_id
from vault.errors import Corrupt
from vault.repository.authentic import TamperingLog
from vault.repository.charter import Charter
from vault.repository.records import Record, Shelf, note_refused, read_records
from vault.store.contract import Reader, Receipt, RecordingStore
from vault.store.names import named

KIND: Final = "stamp"
PREFIX: Final = "stamps/"
SHELF: Final = Shelf(KIND, PREFIX)


class _Body(msgspec.Struct, frozen=True):
    """`reply` is a TimeStampResp (DER) in base64, about the bytes of `note`."""

    note: str
    reply: str


@dataclass(frozen=True, slots=True)
class StoredStamp:
    """A time stamp in the store; whether `reply` is one, nobody has looked yet."""

    key: str
    log: str
    checkpoint: Checkpoint
    note: str
    reply: bytes


def put_stamp(
    store: RecordingStore,
    signer: SigningKey,
    vault: str,
    told: tuple[Checkpoint, str, bytes],
    retain_until: datetime,
) -> Receipt:
    """Store a checkpoint, its note and the answer about it, locked until then."""
    checkpoint, note, reply = told
    body = msgspec.json.encode(_Body(note, b64encode(reply).decode()))
    record = sign(KIND, vault, body, signer)
    stem = f"{PREFIX}{signer.key_id}/{checkpoint.size:012d}"
    return store.put(named(stem, record), record, retain_until)


def read_stamps(reader: Reader, charter: Charter, tampering: TamperingLog) -> Iterator[StoredStamp]:
    """Every authentic time stamp, by log and size; what is not authentic is noted, left out."""
    for record in read_records(reader, charter, SHELF, tampering):
        try:
            yield _read(record, charter.vault)
        except Corrupt as error:
            note_refused(tampering, record.key, error)


def _read(record: Record, vault: str) -> StoredStamp:
    body = read_json(_Body, record.body, "a time stamp")
    log = key_id(record.signer_hex)
    checkpoint = open_checkpoint(body.note, origin_of(vault, log), record.signer_hex)
    if not record.key.startswith(f"{PREFIX}{log}/{checkpoint.size:012d}-"):
        raise Corrupt(f"{record.key} is not the time stamp that its name says")
    try:
        reply = b64decode(body.reply, validate=True)
    except ValueError as error:
        raise Corrupt("a time stamp holds what is no base64") from error
    return StoredStamp(record.key, log, checkpoint, body.note, reply)
