"""Events: authentic, in order, by who may say so."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from tests.unit.codec.damage import damaged
from tests.unit.repository.founding import (
    COLLECTOR,
    LOCK,
    PURGER,
    STRANGER,
    VAULT,
    VOLUME,
    WRITER,
    Site,
    event,
    lay_over,
)
from vault.codec.envelope import sign
from vault.codec.signing import SigningKey
from vault.errors import Unauthentic
from vault.ids import new_id
from vault.lifecycle.event import EventType, encode_event
from vault.repository.charter import Member
from vault.repository.journal import StoredEvent, append_event, may_sign, read_events
from vault.store.memory import MemoryStore
from vault.store.names import digest_of, named
from vault.testing.clock import START


def read(site: Site, volume: str | None = None) -> list[StoredEvent]:
    """All that counts."""
    return list(read_events(site.store, site.charter, site.tampering, volume))


def lay(site: Site, body: bytes, signer: SigningKey, stem: str, **given: str) -> str:
    """Put an event's record by hand."""
    data = sign(given.get("kind", "event"), given.get("vault", VAULT), body, signer)
    return site.store.put(named(f"events/{stem}", data), data, LOCK).key


def test_events_come_back_in_order() -> None:
    """With the store's date, as they were returned when they were appended."""
    site = Site()
    one, two = event(), event(EventType.VOLUME_PAUSED)
    other = event(volume=new_id("vol", START))
    stored = {e.id: append_event(site.store, WRITER, e, LOCK) for e in (two, one, other)}
    ids = sorted(stored)
    assert [e.event.id for e in read(site)] == ids
    assert read(site) == [stored[i] for i in ids]
    assert {e.event.id for e in read(site, VOLUME)} == {one.id, two.id}
    assert stored[one.id].stored_at == START
    assert site.tampering == []


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("writer", set(EventType) - {EventType.PURGE_STARTED, EventType.PURGED}),
        ("purger", {EventType.PURGE_STARTED, EventType.PURGED, EventType.FOUND_DESTROYED}),
        ("collector", set()),
        ("stranger", set()),
    ],
)
def test_who_may_sign_what(role: str, allowed: set[EventType]) -> None:
    """No role can both set aside and destroy."""
    assert {kind for kind in EventType if may_sign(role, kind)} == allowed


def test_what_a_role_may_not_sign_is_neither_written_nor_believed() -> None:
    """A writer's word that something was purged, a purger's that it was held."""
    site = Site()
    with pytest.raises(Unauthentic):
        append_event(site.store, WRITER, event(EventType.PURGED), LOCK)
    with pytest.raises(Unauthentic):
        append_event(site.store, PURGER, event(EventType.HELD), LOCK, role="purger")
    bad = set()
    for kind, signer in (
        (EventType.PURGED, WRITER),
        (EventType.HELD, PURGER),
        (EventType.RELEASED, COLLECTOR),
        (EventType.VOLUME_ADDED, STRANGER),
    ):
        told = event(kind)
        bad.add(lay(site, encode_event(told), signer, f"{VOLUME}/{told.id}"))
    good = append_event(site.store, PURGER, event(EventType.PURGED), LOCK, role="purger")
    assert [e.key for e in read(site)] == [good.key]
    assert site.seen() == {(key, "unauthentic") for key in bad}


def test_replays_are_refused() -> None:
    """Under another volume, another id, another kind, another vault."""
    site = Site()
    told = event()
    body, stem = encode_event(told), f"{VOLUME}/{told.id}"
    good = append_event(site.store, WRITER, told, LOCK)
    bad = {
        lay(site, body, WRITER, f"{new_id('vol', START)}/{told.id}"),
        lay(site, body, WRITER, f"{VOLUME}/{new_id('evt', START)}"),
        lay(site, body, WRITER, stem, kind="snapshot"),
        lay(site, body, WRITER, stem, vault=VAULT[:-1]),
        lay(site, encode_event(event(vault=VAULT[:-1])), WRITER, stem),
    }
    assert [e.key for e in read(site)] == [good.key]
    assert site.seen() == {(key, "forged") for key in bad}


def test_what_lies_over_an_event_moves_no_time() -> None:
    """Its date decides when the window is over."""
    site = Site()
    stored = append_event(site.store, WRITER, event(EventType.QUARANTINED), LOCK)
    site.pass_time(hours=47)
    lay_over(site.store, stored.key)
    site.store.put(stored.key, site.store.get(stored.key, version=stored.version), LOCK)
    assert read(site) == [stored]


def test_an_event_of_the_future_is_named() -> None:
    """A type that this version does not know may be a kind of hold: it is no forgery."""
    site = Site()
    told = event()
    body = encode_event(told).replace(b"volume_added", b"volume_frozen")
    key = lay(site, body, WRITER, f"{VOLUME}/{told.id}")
    assert read(site) == []
    assert site.seen() == {(key, "feature-unknown")}


def test_a_missing_forerunner_is_noticed() -> None:
    """And two successors of one are not: daemon and purger may write at once."""
    site = Site()
    first = append_event(site.store, WRITER, event(), LOCK)
    previous = digest_of(first.key) or ""
    for _ in "12":
        append_event(site.store, WRITER, event(EventType.HELD, previous=previous), LOCK)
    assert len(read(site)) == 3
    assert site.tampering == []
    site.store.lose(first.key)
    assert len(read(site)) == 2
    assert site.words() == {"gap"}


BODY = encode_event(event())
ID = msgspec.json.decode(BODY)["id"]


@settings(max_examples=150)
@given(damaged(BODY))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Signed junk by a chartered writer is noted; nothing else happens."""
    site = Site()
    key = lay(site, body, WRITER, f"{VOLUME}/{ID}")
    found = [stored.key for stored in read(site)]
    assert found == [key] or site.words() <= {"forged", "feature-unknown", "unauthentic"}


@pytest.mark.parametrize("tail", ["7" + "z" * 25, "z" * 26, "0" * 25 + "u"])
def test_an_id_that_nothing_could_follow_is_none(tail: str) -> None:
    """A writer's key in the wrong hands must not end a volume's history for all others."""
    site = Site()
    one = append_event(site.store, WRITER, event(), LOCK)
    append_event(site.store, WRITER, event(EventType.VOLUME_PAUSED, id=f"evt_{tail}"), LOCK)
    assert read(site) == [one]
    assert site.words() == {"forged"}


class Listening(MemoryStore):
    """A store that remembers which keys were read."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.clock)
        self._keys = site.store._keys
        self.heard: list[str] = []

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        self.heard.append(key)
        return super().get(key, start, length, version=version)


def test_what_is_known_and_lies_untouched_is_only_listed() -> None:
    """Whatever was laid over it, and what its signer may say no more, is looked at again."""
    site = Site()
    known = [append_event(site.store, WRITER, event(), LOCK) for _ in range(4)]
    fresh = append_event(site.store, WRITER, event(), LOCK)
    twin, marked, gone, calm = known
    site.store.lay_version(twin.key, b"x" * len(site.store.get(twin.key)))
    site.store.lay_marker(marked.key)
    site.store.lose(gone.key)
    moved = msgspec.structs.replace(event(), previous=digest_of(gone.key))
    later = append_event(site.store, WRITER, moved, LOCK)
    store = Listening(site)
    found = list(read_events(store, site.charter, site.tampering, VOLUME, known=known))
    assert {item.key for item in found} == {i.key for i in (twin, marked, calm, fresh, later)}
    assert set(store.heard) == {twin.key, marked.key, fresh.key, later.key}
    assert site.seen() == {
        (twin.key, "overwritten"),
        (marked.key, "marker"),
        (later.key, "gap"),
    }
    members = (Member(WRITER.public_hex, "writer", "host", START, calm.stored_at),)
    revoked = msgspec.structs.replace(site.charter, members=members)
    assert list(read_events(store, revoked, [], VOLUME, known=[calm])) == []
    again = list(read_events(store, site.charter, [], VOLUME, known=found[::-1]))
    assert again == found
