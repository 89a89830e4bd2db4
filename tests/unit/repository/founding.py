"""A small vault in a memory store, with all its keys: what the tests here begin with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from vault.codec.keyring import SigningKey, WriterKeys, new_identity
from vault.ids import new_id
from vault.lifecycle.event import Actor, Event, EventType
from vault.lifecycle.retention import Keep
from vault.repository.authentic import Tampering
from vault.repository.charter import Charter, EnvironmentTerms, Member, store_charter
from vault.repository.snapshot import SnapshotHeader
from vault.store.memory import MemoryStore
from vault.testing.clock import START, ManualClock

ROOT = SigningKey(b"r" * 32)
WRITER = SigningKey(b"w" * 32)
PURGER = SigningKey(b"p" * 32)
COLLECTOR = SigningKey(b"c" * 32)
STRANGER = SigningKey(b"s" * 32)
IDENTITY, RECIPIENT = new_identity()
VAULT = new_id("vault", START)
VOLUME = new_id("vol", START)
SESSION = new_id("sess", START)
LOCK = START + timedelta(days=40)


def charter(number: int = 1, previous: str = "", **changes: object) -> Charter:
    """A charter with one member of each role."""
    members = (
        Member(WRITER.public_hex, "writer", "host", START),
        Member(PURGER.public_hex, "purger", "purger", START),
        Member(COLLECTOR.public_hex, "collector", "collector", START),
    )
    plain = Charter(
        vault=VAULT,
        number=number,
        previous=previous,
        created_at=START,
        root=ROOT.public_hex,
        recipients=(RECIPIENT,),
        members=members,
        environments={"production": EnvironmentTerms("protected", 48 * 3600)},
        keep=Keep(),
        min_lock_seconds=30 * 86400,
        max_lock_seconds=400 * 86400,
        final_lock_seconds=30 * 86400,
    )
    return msgspec.structs.replace(plain, **changes)


@dataclass
class Site:
    """A clock, a store with a charter in it, the writer's keys, and what was noticed."""

    clock: ManualClock = field(default_factory=ManualClock)
    tampering: list[Tampering] = field(default_factory=list)
    charter: Charter = field(default_factory=charter)
    keys: WriterKeys = field(
        default_factory=lambda: WriterKeys(VAULT, "host", WRITER, b"k" * 32, b"i" * 32)
    )

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)
        self.charter_key = store_charter(self.store, self.charter, ROOT, LOCK)

    def pass_time(self, **span: float) -> datetime:
        """Let time pass; returns the new time."""
        self.clock.advance(timedelta(**span))
        return self.clock.now()

    def seen(self) -> set[tuple[str, str]]:
        """What was noticed, as (key, word)."""
        return {(note.key, note.what) for note in self.tampering}

    def words(self) -> set[str]:
        """What was noticed, as words."""
        return {note.what for note in self.tampering}


def lay_over(store: MemoryStore, key: str, data: bytes = b"") -> None:
    """What a credential that may put and delete can do to a key: forgeries and markers."""
    for forgery in (data or os.urandom(100), os.urandom(7), b""):
        store.lay_version(key, forgery)
        store.lay_marker(key)


def event(kind: EventType = EventType.VOLUME_ADDED, **changes: object) -> Event:
    """An event of the volume."""
    plain = Event(
        id=new_id("evt", START),
        vault=VAULT,
        type=kind,
        volume=VOLUME,
        at=START,
        actor=Actor("human", "me"),
    )
    return msgspec.structs.replace(plain, **changes)


def header(**changes: object) -> SnapshotHeader:
    """The header of a small snapshot."""
    plain = SnapshotHeader(
        vault=VAULT,
        id=new_id("snap", START),
        volume=VOLUME,
        volume_name="data",
        environment="production",
        adapter="directory",
        source={"device": "1", "inode": "2"},
        parent="",
        session=SESSION,
        started_at=START,
        finished_at=START,
        files=1,
        bytes=2,
        bytes_added=2,
        findings=0,
        final_for="",
        keep=Keep(),
        packs=("ab" * 32,),
        sessions=(SESSION,),
        retain_until=LOCK,
        chunker="fastcdc",
    )
    return msgspec.structs.replace(plain, **changes)
