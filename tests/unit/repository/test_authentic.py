"""Reading through markers, overwrites and forgeries."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Generator, Iterator
from datetime import timedelta

import pytest

from tests.unit.repository.founding import LOCK, Site, lay_over
from vault.errors import Corrupt, ObjectMissing
from vault.limits import MAX_RECORD
from vault.repository.authentic import (
    TAMPERING_MAX,
    Tampering,
    list_keys,
    note,
    read_all,
    read_data,
    read_verified,
)
from vault.store.contract import ObjectVersion
from vault.store.memory import MemoryStore
from vault.store.names import named
from vault.testing.clock import START, ManualClock

DATA = b"what was stored first"
KEY = named("events/vol_x/evt_x", DATA)


@pytest.fixture
def site() -> Site:
    """A store that holds one object, put at START."""
    site = Site()
    site.store.put(KEY, DATA, LOCK)
    site.pass_time(hours=1)
    return site


def test_an_untouched_object_is_read_plainly(site: Site) -> None:
    """And nothing is noted."""
    verified = read_verified(site.store, KEY, site.tampering)
    assert (verified.data, verified.modified) == (DATA, START)
    assert read_data(site.store, KEY, site.tampering) == DATA
    assert site.tampering == []


def test_markers_and_overwrites_hide_nothing(site: Site) -> None:
    """Bytes, version and date are those of the first put; what lies over it is noted."""
    version = read_verified(site.store, KEY, []).version
    lay_over(site.store, KEY)
    verified = read_verified(site.store, KEY, site.tampering)
    assert (verified.data, verified.version, verified.modified) == (DATA, version, START)
    assert site.seen() == {(KEY, "marker"), (KEY, "overwritten")}
    assert read_data(site.store, KEY, []) == DATA
    (listed,) = list_keys(site.store, "events/", [])
    assert (listed.version, listed.modified, listed.markers) == (version, START, 3)


def test_an_overwrite_of_the_same_size_is_noted(site: Site) -> None:
    """Sizes tell nothing then; the newest version is read."""
    site.store.lay_version(KEY, DATA[::-1])
    assert read_verified(site.store, KEY, site.tampering).modified == START
    assert site.seen() == {(KEY, "overwritten")}


def test_a_copy_on_top_moves_no_date(site: Site) -> None:
    """A repeated put is no tampering, and the oldest counts."""
    site.store.put(KEY, DATA, LOCK)
    assert read_verified(site.store, KEY, site.tampering).modified == START
    assert site.tampering == []


def test_a_forgery_that_was_there_before_is_passed_over() -> None:
    """Whoever knew the content could lay something under it: the first that verifies counts."""
    site = Site()
    for _ in range(40):  # more than a listing remembers
        site.store.lay_version(KEY, DATA[::-1])
    stored_at = site.pass_time(hours=1)
    site.store.put(KEY, DATA, LOCK)
    site.pass_time(hours=1)
    site.store.put(KEY, DATA, LOCK)
    verified = read_verified(site.store, KEY, site.tampering)
    assert (verified.data, verified.modified) == (DATA, stored_at)
    assert "overwritten" in site.words()


def test_rot_is_corrupt_and_absence_is_missing(site: Site) -> None:
    """Never other bytes."""
    site.store.rot(KEY, DATA[:-1])
    for read in (read_verified, read_data):
        with pytest.raises(Corrupt, match=KEY):
            read(site.store, KEY, [])
    site.store.lose(KEY)
    for read in (read_verified, read_data):
        with pytest.raises(ObjectMissing):
            read(site.store, KEY, [])


def test_bulk_reading_leaves_out_what_does_not_verify(site: Site) -> None:
    """In order, with a note for each that is left out."""
    datas = [b"%d" % n for n in range(100)]
    keys = sorted(named(f"bulk/{n:03d}", data) for n, data in enumerate(datas))
    for key, data in zip(keys, datas, strict=True):
        site.store.put(key, data, LOCK)
    site.store.rot(keys[50], b"other")
    site.store.lay_version("bulk/no-digest", b"x")
    lay_over(site.store, keys[3])
    read = read_all(site.store, "bulk/", site.tampering, skip=lambda listed: listed.key == keys[7])
    found = list(read)
    assert [v.key for v in found] == [k for n, k in enumerate(keys) if n not in (7, 50)]
    assert {v.data for v in found} == set(datas) - {datas[7], datas[50]}
    assert {(keys[50], "unreadable"), ("bulk/no-digest", "stray"), (keys[3], "marker")} <= (
        site.seen()
    )


def test_bulk_reading_can_be_left_early(site: Site) -> None:
    """Its threads end with it."""
    for n in range(100):
        site.store.put(named(f"bulk/{n}", b"%d" % n), b"%d" % n, LOCK)
    reading = read_all(site.store, "bulk/", [])
    next(reading)
    assert isinstance(reading, Generator)
    reading.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vault-read")]


def test_only_markers_are_noted_as_gone(site: Site) -> None:
    """There is nothing to read, and something to tell."""
    key = named("events/x", b"never here")
    site.store.lay_marker(key)
    assert [listed.key for listed in list_keys(site.store, "events/", site.tampering)] == [KEY]
    assert site.seen() == {(key, "gone")}


def test_what_is_collected_after_it_was_listed_is_no_damage() -> None:
    """A collector deletes while others read."""
    store = Collected(ManualClock())
    store.put(KEY, DATA, LOCK)
    notes: list[Tampering] = []
    assert list(read_all(store, "events/", notes)) == []
    assert notes == []


class Collected(MemoryStore):
    """Whatever is read from it was collected a moment ago."""

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        self.lose(key)
        return super().get(key, start, length, version=version)


def test_a_hundred_thousand_versions_take_no_memory() -> None:
    """The authentic one is found below them, in one pass and two reads."""
    store = Crowded(ManualClock(), 100_000)
    notes: list[Tampering] = []
    tracemalloc.start()
    try:
        verified = read_verified(store, KEY, notes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (verified.data, verified.modified, verified.version) == (DATA, START, "first")
    assert peak < 1_000_000
    assert store.reads <= 2
    assert {n.what for n in notes} == {"overwritten", "marker"}


def test_what_is_too_large_to_be_a_record_is_not_fetched() -> None:
    """A forgery of gigabytes, even one laid before, costs one look at its size."""
    store = Crowded(ManualClock(), 3, size=MAX_RECORD + 1, below=True)
    assert read_verified(store, KEY, []).data == DATA
    assert store.reads == 1


def test_notes_are_bounded() -> None:
    """An attacker does not fill our memory with reports of himself."""
    notes: list[Tampering] = []
    for _ in range(TAMPERING_MAX + 10):
        note(notes, "k", "marker", "")
    assert len(notes) == TAMPERING_MAX


class Crowded(MemoryStore):
    """One key above or below a crowd of forgeries and markers, listed without being held."""

    def __init__(self, clock: ManualClock, crowd: int, size: int = 5, below: bool = False) -> None:
        super().__init__(clock)
        self._crowd, self._size, self._below = crowd, size, below
        self.reads = 0

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """Newest first."""
        first = ObjectVersion(KEY, "first", len(DATA), START, False, False)
        if self._below:
            yield first
        for n in range(self._crowd):
            at = START + timedelta(days=-1 if self._below else 1)
            yield ObjectVersion(KEY, f"v{n}", self._size, at, n % 2 == 0, n == 0)
        if not self._below:
            yield first

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """The crowd's bytes are junk."""
        self.reads += 1
        return DATA if version == "first" else b"junk!"
