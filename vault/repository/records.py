"""Signed records in bulk and one by one: only what the charter allows, the rest is noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final

import msgspec

from vault.codec.envelope import parse
from vault.errors import Corrupt, FeatureUnknown, Unauthentic
from vault.repository.authentic import Listed, TamperingLog, Verified, note, read_all
from vault.repository.charter import Charter
from vault.store.contract import Reader

WRITER: Final = ("writer",)


class Shelf(msgspec.Struct, frozen=True):
    """Records of one kind under one prefix; those that `skip` knows are passed over unread."""

    kind: str
    prefix: str
    roles: Collection[str] = WRITER
    skip: Callable[[Listed], bool] = lambda _: False


class Record(msgspec.Struct, frozen=True):
    """An authentic record: who signed it, in which role, and when the store received it."""

    key: str
    version: str
    stored_at: datetime
    signer_hex: str
    role: str
    body: bytes


def open_record(
    charter: Charter, verified: Verified, kind: str, roles: Collection[str] = WRITER
) -> Record:
    """Check signature, signer, kind, vault and features, in this order.

    Raises Corrupt, Unauthentic, FeatureUnknown.
    """
    envelope = parse(verified.data)
    member = charter.member(envelope.signer_hex, roles, verified.modified)
    if member is None:
        raise Unauthentic(
            f"{verified.key} is signed by a key that the charter does not allow to, "
            "or no longer did when it was stored"
        )
    body = envelope.require(kind, charter.vault)
    return Record(verified.key, verified.version, verified.modified, member.key, member.role, body)


def read_records(
    reader: Reader, charter: Charter, shelf: Shelf, tampering: TamperingLog
) -> Iterator[Record]:
    """Every authentic record of a shelf in byte order of keys; one listing, one GET each."""
    for verified in read_all(reader, shelf.prefix, tampering, skip=shelf.skip):
        try:
            yield open_record(charter, verified, shelf.kind, shelf.roles)
        except (Corrupt, Unauthentic, FeatureUnknown) as error:
            note_refused(tampering, verified.key, error)


def note_refused(
    tampering: TamperingLog, key: str, error: Corrupt | Unauthentic | FeatureUnknown
) -> None:
    """Note a record that was left out, by the error that it met."""
    words = {Corrupt: "forged", Unauthentic: "unauthentic", FeatureUnknown: "feature-unknown"}
    note(tampering, key, words[type(error)], error.message)
