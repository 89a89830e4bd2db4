"""The catalog: folds of what it is told, names within environments, and nothing else."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.catalog.builders import SECOND, history, snapshot
from tests.unit.lifecycle.builders import START
from vault.catalog.database import Catalog, open_catalog
from vault.catalog.events import EventRow
from vault.catalog.rebuild import refill
from vault.errors import IdAmbiguous, SnapshotUnknown, TombstoneUnknown, VolumeUnknown
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, fold
from vault.lifecycle.volume import VolumeState, fold_volume

E = EventType
DELETED = (E.DELETE_REQUESTED, E.QUARANTINE_STARTED, E.QUARANTINED)


@pytest.fixture
def catalog() -> Catalog:
    return open_catalog(None)


# --- folds ---------------------------------------------------------------------------------------


def test_rows_are_the_folds_of_their_events(catalog: Catalog) -> None:
    story, rows = history(*DELETED, E.FINAL_SNAPSHOT, E.HELD)
    catalog.apply(*rows)
    assert catalog.volumes.all() == [fold_volume(story.events)]
    assert catalog.tombstones.all() == [fold(story.events[1:])]
    assert catalog.events.of(story.volume) == rows
    assert catalog.events.of_tombstone(story.tombstone) == rows[1:]


def test_any_order_of_arrival_gives_the_same() -> None:
    _, rows = history(*DELETED)
    expected = None
    for order in itertools.permutations(rows):
        catalog = open_catalog(None)
        for row in order:
            catalog.apply(row)
        found = (catalog.volumes.all(), catalog.tombstones.all())
        expected = expected or found
        assert found == expected


@given(st.lists(st.sampled_from(EventType), max_size=8))
@settings(max_examples=30, deadline=None)
def test_whatever_is_stored_can_be_listed(kinds: list[EventType]) -> None:
    story, rows = history(*kinds)
    once, twice = open_catalog(None), open_catalog(None)
    once.apply(*rows)
    twice.apply(*reversed(rows), *rows)
    twice.apply(*rows[::2])
    assert once.volumes.all() == twice.volumes.all() == [fold_volume(story.events)]
    assert once.tombstones.all() == twice.tombstones.all()


def test_the_stores_time_as_last_told_counts(catalog: Catalog) -> None:
    story, rows = history(*DELETED)
    catalog.apply(*rows)
    before = catalog.tombstones.get(story.tombstone)
    catalog.apply(replace(rows[-1], stored_at=rows[-1].stored_at + SECOND))
    after = catalog.tombstones.get(story.tombstone)
    assert before.undo_until is not None
    assert after.undo_until == before.undo_until + SECOND


def test_an_error_in_the_middle_leaves_nothing(catalog: Catalog) -> None:
    story, rows = history(*DELETED)
    with pytest.raises(AttributeError):
        catalog.apply(*rows, None)  # type: ignore[arg-type]
    assert catalog.volumes.all() == []
    assert catalog.events.of(story.volume) == []


def test_notes(catalog: Catalog) -> None:
    assert catalog.meta.get("last") == ""
    catalog.meta.set("last", "a")
    catalog.meta.set("last", "b")
    assert catalog.meta.get("last") == "b"


# --- names ---------------------------------------------------------------------------------------


def test_a_volume_answers_to_name_id_and_beginning(catalog: Catalog) -> None:
    story, rows = history()
    catalog.apply(*rows)
    bare = story.volume.removeprefix("vol_")
    for text in ("db", story.volume, story.volume[:-1], story.volume[:8], bare, bare.upper()):
        assert catalog.volumes.resolve(text).id == story.volume
        assert catalog.scoped("production").volumes.resolve(text).id == story.volume


@pytest.mark.parametrize("text", ["", "d", "v", "vol", "vol_", "vol_01", "DB", "db%", "vol_%%%%%%"])
def test_what_only_looks_like_a_volume_is_none(catalog: Catalog, text: str) -> None:
    _, rows = history()
    catalog.apply(*rows)
    with pytest.raises(VolumeUnknown):
        catalog.volumes.resolve(text)


def test_what_is_in_another_environment_is_not_there(catalog: Catalog) -> None:
    story, rows = history(*DELETED)
    catalog.apply(*rows)
    record = snapshot(story.volume)
    catalog.snapshots.put(record)
    nothing = open_catalog(None)
    for text in ("db", story.volume, story.volume[:-1]):
        with pytest.raises(VolumeUnknown) as foreign:
            catalog.scoped("staging").volumes.resolve(text)
        with pytest.raises(VolumeUnknown) as missing:
            nothing.scoped("staging").volumes.resolve(text)
        assert vars(foreign.value) == vars(missing.value)
    with pytest.raises(TombstoneUnknown):
        catalog.scoped("staging").tombstones.get(story.tombstone)
    with pytest.raises(SnapshotUnknown):
        catalog.scoped("staging").snapshots.get(record.header.id)
    assert catalog.scoped("staging").volumes.all() == []
    assert catalog.scoped("staging").tombstones.all() == []
    assert catalog.scoped("staging").snapshots.all() == []
    assert len(catalog.scoped("production").volumes.all()) == 1
    assert len(catalog.scoped("production").tombstones.all()) == 1
    assert len(catalog.scoped("production").snapshots.all()) == 1


def test_a_name_in_two_environments_needs_one_of_them(catalog: Catalog) -> None:
    production, rows = history()
    staging, more = history(environment="staging")
    catalog.apply(*rows, *more)
    with pytest.raises(IdAmbiguous):
        catalog.volumes.resolve("db")
    assert catalog.scoped("staging").volumes.resolve("db").id == staging.volume
    assert catalog.scoped("production").volumes.resolve("db").id == production.volume


def test_a_name_is_that_of_who_has_it_now(catalog: Catalog) -> None:
    first, rows = history(*DELETED)
    catalog.apply(*rows)
    assert catalog.volumes.resolve("db").state is VolumeState.TOMBSTONED
    _, purged = history(E.VOLUME_REMOVED)
    catalog.apply(*purged)
    assert catalog.volumes.resolve("db").id == first.volume
    assert len(catalog.volumes.all()) == 2


def test_a_name_that_nobody_has_is_that_of_the_last_one_who_had_it(catalog: Catalog) -> None:
    one, rows = history(E.VOLUME_REMOVED)
    other, more = history(E.VOLUME_REMOVED)
    catalog.apply(*rows, *more)
    assert catalog.volumes.resolve("db").id == max(one.volume, other.volume)


def test_tombstones_answer_to_their_beginnings_and_ambiguity_is_told(catalog: Catalog) -> None:
    one, rows = history(*DELETED)
    other, more = history(*DELETED)
    catalog.apply(*rows, *more)
    assert catalog.tombstones.get(one.tombstone).volume == one.volume
    assert catalog.tombstones.get(other.tombstone[:-1]).volume == other.volume
    with pytest.raises(IdAmbiguous):
        catalog.tombstones.get(one.tombstone[:15])  # made in the same millisecond
    with pytest.raises(TombstoneUnknown):
        catalog.tombstones.get(one.volume)


# --- snapshots -----------------------------------------------------------------------------------


def test_a_snapshot_is_kept_without_its_packs(catalog: Catalog) -> None:
    record = snapshot("vol_a")
    row = catalog.snapshots.put(record)
    assert catalog.snapshots.get(record.header.id) == row
    assert (row.key, row.version, row.stored_at) == (record.key, "v1", START)
    assert (row.files, row.bytes, row.keep) == (3, 1 << 40, record.header.keep)
    assert row.locked_until == record.header.retain_until
    (kept,) = catalog.connection.rows("SELECT body FROM snapshots")
    assert b"pppp" not in kept["body"]


def test_snapshots_stand_in_the_order_they_were_stored(catalog: Catalog) -> None:
    times = [START + shift for shift in (SECOND * 2, timedelta(0), SECOND / 2, SECOND)]
    for at in times:
        catalog.snapshots.put(snapshot("vol_a", at))
    catalog.snapshots.put(snapshot("vol_b", START + SECOND * 9))
    assert [row.stored_at for row in catalog.snapshots.of("vol_a")] == sorted(times)
    assert [row.volume for row in catalog.snapshots.all()] == ["vol_a"] * 4 + ["vol_b"]


def test_of_two_with_one_id_the_first_stored_counts(catalog: Catalog) -> None:
    true = snapshot("vol_a")
    forged = dataclasses.replace(
        snapshot("vol_b", START + SECOND, identifier=true.header.id), key="snapshots/x"
    )
    for order in ((true, forged), (forged, true)):
        for record in order:
            catalog.snapshots.put(record)
        assert [row.volume for row in catalog.snapshots.all()] == ["vol_a"]
        catalog.snapshots.forget([true.header.id])


def test_locks_only_grow(catalog: Catalog) -> None:
    record = snapshot("vol_a")
    until = catalog.snapshots.put(record).locked_until
    catalog.snapshots.mark_locked(record.header.id, until + SECOND)
    catalog.snapshots.mark_locked(record.header.id, until - SECOND)
    assert catalog.snapshots.put(record).locked_until == until + SECOND


def test_what_is_gone_can_be_forgotten(catalog: Catalog) -> None:
    one, other = snapshot("vol_a"), snapshot("vol_a")
    catalog.snapshots.put(one)
    catalog.snapshots.put(other)
    catalog.snapshots.forget([one.header.id, "snap_unknown"])
    assert [row.id for row in catalog.snapshots.all()] == [other.header.id]


# --- rebuild -------------------------------------------------------------------------------------


def test_a_rebuilt_catalog_is_the_same(catalog: Catalog) -> None:
    story, rows = history(*DELETED)
    records = [snapshot(story.volume, START + SECOND * number) for number in range(3)]
    catalog.apply(*rows)
    for record in records:
        catalog.snapshots.put(record)
    anew = open_catalog(None)
    anew.apply(*history()[1])
    anew.snapshots.put(snapshot("vol_gone"))
    anew.meta.set("last", "kept")
    refill(anew, iter(reversed(rows)), iter(records))
    assert anew.volumes.all() == catalog.volumes.all()
    assert anew.tombstones.all() == catalog.tombstones.all()
    assert anew.snapshots.all() == catalog.snapshots.all()
    assert anew.meta.get("last") == "kept"
    assert anew.tombstones.get(story.tombstone).state is State.TOMBSTONED


def test_what_is_recorded_while_a_rebuild_reads_stays(tmp_path: Path) -> None:
    """A delete and a snapshot are acknowledged while another process reads the store."""
    story, rows = history(*DELETED)
    former, fresh = (snapshot(story.volume, START + number * SECOND) for number in (1, 2))
    catalog, other = (open_catalog(tmp_path / "catalog.db") for _ in range(2))
    gone = history(name="gone")[1]
    catalog.apply(*rows[:1], *gone)
    catalog.snapshots.put(former)

    def reading() -> Iterator[EventRow]:
        yield rows[0]
        other.apply(*rows)
        other.snapshots.put(fresh)

    refill(catalog, reading(), [])
    assert catalog.volumes.all() == [fold_volume(story.events)]
    assert catalog.tombstones.all() == [fold(story.events[1:])]
    assert [row.id for row in catalog.snapshots.all()] == [fresh.header.id]


def test_a_rebuild_that_fails_leaves_what_was(catalog: Catalog) -> None:
    _, rows = history(*DELETED)
    catalog.apply(*rows)
    before = catalog.volumes.all()
    with pytest.raises(AttributeError):
        refill(catalog, [None], [])  # type: ignore[list-item]
    assert catalog.volumes.all() == before
