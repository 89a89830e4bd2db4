"""The journal: signed events of volumes, append-only, read back only where they are authentic.

Stored as `events/<volume id>/<event id>-<digest>`, a record of kind `event` whose body is the event
as JSON (vault.lifecycle.event). Writers sign every type of event but those that only a purger may
claim; purgers sign nothing else; collectors sign none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Final

import msgspec

from vault.codec.decoding import read_json
from vault.codec.envelope import sign
from vault.codec.signing import SigningKey
from vault.errors import Corrupt, FeatureUnknown, Unauthentic
from vault.ids import BELIEVABLE
from vault.lifecycle.event import Event, EventType, encode_event
from vault.repository.authentic import Listed, TamperingLog, note, read_verified
from vault.repository.charter import Charter
from vault.repository.records import Record, Shelf, note_refused, read_records
from vault.store.contract import Reader, RecordingStore
from vault.store.names import digest_of, named

KIND: Final = "event"
PREFIX: Final = "events/"

_PURGER_ONLY: Final = frozenset((EventType.PURGE_STARTED, EventType.PURGED))
_PURGER: Final = _PURGER_ONLY | {EventType.FOUND_DESTROYED}
_MAY_SIGN: Final = {"writer": frozenset(EventType) - _PURGER_ONLY, "purger": _PURGER}
_NAME: Final = re.compile(rf"events/(vol_[0-9a-z]{{26}})/(evt_{BELIEVABLE})-[0-9a-f]{{64}}")


class _Kind(msgspec.Struct, frozen=True):
    type: str


class StoredEvent(msgspec.Struct, frozen=True):
    """An event in the store; `stored_at` is when the store received its first version."""

    event: Event
    key: str
    version: str
    signer_hex: str
    role: str
    stored_at: datetime


def may_sign(role: str, event: EventType) -> bool:
    """Whether a member of this role may claim that such a thing happened."""
    return event in _MAY_SIGN.get(role, frozenset())


def append_event(
    store: RecordingStore,
    signer: SigningKey,
    event: Event,
    retain_until: datetime,
    *,
    role: str = "writer",
) -> StoredEvent:
    """Sign and store an event, locked until then, and read it back with the store's own date.

    Raises Unauthentic where this role may not sign it (no reader would believe it).
    """
    if not may_sign(role, event.type):
        raise Unauthentic(f"a {role} does not sign events of type {event.type}")
    data = sign(KIND, event.vault, encode_event(event), signer)
    receipt = store.put(named(f"{PREFIX}{event.volume}/{event.id}", data), data, retain_until)
    stored = read_verified(store, receipt.key, [])
    return StoredEvent(event, receipt.key, stored.version, signer.public_hex, role, stored.modified)


def read_events(
    reader: Reader,
    charter: Charter,
    tampering: TamperingLog,
    volume: str | None = None,
    *,
    known: Iterable[StoredEvent] = (),
) -> Iterator[StoredEvent]:
    """Every authentic event (of one volume), sorted by id. What is not is noted and left out.

    Those `known` were read before; where the listing shows the same version and nothing over it,
    they are not read again. Whoever destroys something gives none.

    A note `feature-unknown` stands for an authentic event that only a newer vault understands, and
    `gap` for one that is gone: whoever destroys something must then stop.
    """
    prefix = PREFIX if volume is None else f"{PREFIX}{volume}/"
    remembered = {stored.key: stored for stored in known}
    events: list[StoredEvent] = []

    def is_known(listed: Listed) -> bool:
        stored = remembered.get(listed.key)
        if stored is None or not _is_as_it_was(stored, listed, charter):
            return False
        events.append(stored)
        return True

    shelf = Shelf(KIND, prefix, roles=tuple(_MAY_SIGN), skip=is_known)
    for record in read_records(reader, charter, shelf, tampering):
        try:
            events.append(_read(record, charter.vault))
        except (Corrupt, Unauthentic, FeatureUnknown) as error:
            note_refused(tampering, record.key, error)
    _note_gaps(events, tampering)
    yield from sorted(events, key=attrgetter("event.id", "key"))


def _read(record: Record, vault: str) -> StoredEvent:
    kind = read_json(_Kind, record.body, record.key).type
    if kind not in EventType.__members__.values():
        raise FeatureUnknown(f"{record.key} tells of “{kind}”, which this vault does not know")
    event = read_json(Event, record.body, record.key)
    name = _NAME.fullmatch(record.key)
    if name is None or (event.vault, event.volume, event.id) != (vault, name[1], name[2]):
        raise Corrupt(f"{record.key} is not the event that its name says")
    if event.at.tzinfo is None:
        raise Corrupt(f"{record.key} has a time without an offset")
    if not may_sign(record.role, event.type):
        raise Unauthentic(f"{record.key}: a {record.role} does not sign {event.type}")
    return StoredEvent(
        event, record.key, record.version, record.signer_hex, record.role, record.stored_at
    )


def _is_as_it_was(stored: StoredEvent, listed: Listed, charter: Charter) -> bool:
    untouched = listed.versions == 1 and not listed.markers
    same = (listed.version, listed.modified) == (stored.version, stored.stored_at)
    signer = charter.member(stored.signer_hex, (stored.role,), stored.stored_at)
    return untouched and same and signer is not None


def _note_gaps(events: list[StoredEvent], tampering: TamperingLog) -> None:
    """Note each event whose forerunner is gone. Two with one forerunner are no tampering: daemon
    and purger may write at the same time."""
    there = {(stored.event.volume, digest_of(stored.key)) for stored in events}
    for stored in events:
        previous = stored.event.previous
        if previous and (stored.event.volume, previous) not in there:
            note(tampering, stored.key, "gap", f"the event before it ({previous[:12]}…) is gone")
