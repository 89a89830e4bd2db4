"""Delete and undelete: O(1), recorded first, finished after a crash, refused clearly."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import cast

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import make_council
from tests.unit.operations.conftest import Site
from vault.errors import (
    Denied,
    PlaceTaken,
    SourceReplaced,
    StoreUnreachable,
    TransitionRefused,
    VolumeTombstoned,
    VolumeUnknown,
)
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations import delete, undelete
from vault.operations.delete import execute_delete, plan_delete
from vault.operations.enroll import change
from vault.operations.hold import hold, release
from vault.operations.unit import WriteUnit
from vault.operations.watch import watch_volume
from vault.provider import Provider
from vault.repository.authentic import Tampering
from vault.repository.journal import read_events
from vault.store.contract import Receipt, WritableStore
from vault.store.opening import compose_store
from vault.store.rights import WriterRight
from vault.testing.faults import Faults, FaultyStore


def deleted(site: Site) -> Tombstone:
    """The volume, deleted."""
    return execute_delete(site.write, plan_delete(site.write, "db", reason="test"))


def test_a_delete_sets_the_data_aside_and_can_be_undone(site: Site) -> None:
    tombstone = deleted(site)
    assert not site.source.exists()
    assert tombstone.state is State.TOMBSTONED
    assert tombstone.undo_until is not None
    assert tombstone.undo_until - site.clock.now() >= timedelta(hours=48)
    back = undelete.undelete(site.write, tombstone.id)
    assert back.state is State.RESTORED
    assert (site.source / "orders").read_bytes() == b"orders" * 1000
    assert site.write.catalog.volumes.resolve("db").state == "active"


def test_undelete_twice_is_harmless(site: Site) -> None:
    tombstone = deleted(site)
    undelete.undelete(site.write, tombstone.id)
    assert undelete.undelete(site.write, tombstone.id).state is State.RESTORED


def test_a_delete_needs_a_reason_and_a_known_volume(site: Site) -> None:
    with pytest.raises(Denied):
        plan_delete(site.write, "db", reason=" ")
    with pytest.raises(VolumeUnknown):
        plan_delete(site.write, "nope", reason="test")
    assert site.source.exists()


def test_a_deleted_volume_cannot_be_deleted_again(site: Site) -> None:
    plan = plan_delete(site.write, "db", reason="test")
    deleted(site)
    with pytest.raises(VolumeTombstoned):
        plan_delete(site.write, "db", reason="test")
    with pytest.raises(VolumeTombstoned):
        execute_delete(site.write, plan)


def test_another_source_in_the_place_is_not_deleted(site: Site) -> None:
    site.source.rename(site.source.with_name("elsewhere"))
    site.source.mkdir()
    with pytest.raises(SourceReplaced):
        plan_delete(site.write, "db", reason="test")
    assert site.source.exists()


def test_undelete_refuses_a_taken_place_and_keeps_the_data(site: Site) -> None:
    tombstone = deleted(site)
    site.source.mkdir()
    with pytest.raises(PlaceTaken):
        undelete.undelete(site.write, tombstone.id)
    assert site.write.catalog.tombstones.get(tombstone.id).state is State.TOMBSTONED
    site.source.rmdir()
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_a_volume_that_is_protected_no_longer_is_not_deleted(site: Site) -> None:
    plan = plan_delete(site.write, "db", reason="test")
    change(site.write, "db", EventType.VOLUME_REMOVED)
    with pytest.raises(VolumeUnknown):
        execute_delete(site.write, plan)
    with pytest.raises(VolumeUnknown):
        plan_delete(site.write, "db", reason="test")
    assert site.source.exists()


@pytest.mark.parametrize("meanwhile", ["nothing", "another"])
def test_a_volume_that_is_back_and_not_yet_resumed_is_frozen_once_deleted(
    site: Site, meanwhile: str
) -> None:
    """The daemon looks every few minutes: a delete may come before it has seen the disk again."""
    volume, aside = site.write.catalog.volumes.resolve("db"), site.source.with_name("aside")
    site.source.rename(aside)
    if meanwhile == "another":
        site.source.mkdir()
    assert watch_volume(site.write, volume)
    if meanwhile == "another":
        site.source.rmdir()
    aside.rename(site.source)
    tombstone = deleted(site)
    assert site.write.catalog.volumes.resolve("db").state == "tombstoned"
    with pytest.raises(TransitionRefused):
        change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED)
    undelete.undelete(site.write, tombstone.id)
    assert site.write.catalog.volumes.resolve("db").alarm
    assert change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED).state == "active"


def test_data_come_back_though_the_store_has_lost_every_record_of_them(site: Site) -> None:
    """What is recorded then names the last that was known: the loss shows."""
    tombstone = deleted(site)
    for key in {version.key for version in site.memory.list(f"events/{tombstone.volume}/")}:
        site.memory.lose(key)
    assert undelete.undelete(site.write, tombstone.id).state is State.RESTORED
    assert (site.source / "orders").exists()
    notes: list[Tampering] = []
    assert list(read_events(site.write.reader, site.write.charter, notes, tombstone.volume))
    assert [note.what for note in notes] == ["gap"]


def cut_off(site: Site, *, after: int) -> WriteUnit:
    """The operator's unit with a store that answers so many calls and then no more."""
    faults = Faults(outage_at=after, outage=1_000_000)
    faulty = FaultyStore(site.memory, site.clock, faults, seed=1)
    store = compose_store(faulty, right="writer", clock=site.clock)
    return replace(site.write, reader=store, store=store)


def test_with_the_store_out_of_reach_nothing_changes(site: Site) -> None:
    plan = plan_delete(site.write, "db", reason="test")
    with pytest.raises(StoreUnreachable):
        execute_delete(cut_off(site, after=0), plan)
    assert (site.source / "orders").exists()


@pytest.mark.parametrize("calls", range(14))
def test_an_outage_at_any_call_of_a_delete_leaves_it_done_or_not(site: Site, calls: int) -> None:
    plan = plan_delete(site.write, "db", reason="test")
    done = True
    try:
        execute_delete(cut_off(site, after=calls), plan)
    except StoreUnreachable:
        done = False
    for tombstone in site.write.catalog.tombstones.all():
        delete.settle(site.write, tombstone)
    state = site.write.catalog.volumes.resolve("db").state
    assert (state == "tombstoned") is not site.source.exists()
    assert state in ("active", "tombstoned")
    assert not done or state == "tombstoned"


@pytest.mark.parametrize("calls", range(12))
def test_an_outage_at_any_call_of_an_undelete_loses_nothing(site: Site, calls: int) -> None:
    tombstone = deleted(site)
    with suppress(StoreUnreachable):
        undelete.undelete(cut_off(site, after=calls), tombstone.id)
    undelete.settle(site.write, site.write.catalog.tombstones.get(tombstone.id))
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").read_bytes() == b"orders" * 1000
    assert site.write.catalog.volumes.resolve("db").state == "active"


class Forgetful(WriterRight):
    """A store that keeps what is put, and loses the answer to the put of the n-th event."""

    def __init__(self, store: WritableStore, nth: int) -> None:
        self._beneath = store
        self._store = store  # type: ignore[assignment]
        self.left = nth

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        receipt = self._beneath.put(key, data, retain_until)
        self.left -= key.startswith("events/")
        if key.startswith("events/") and not self.left:
            raise StoreUnreachable("the answer is lost")
        return receipt


def untold(site: Site, tombstone: Tombstone) -> list[str]:
    """The steps of a tombstone in the store that no entry tells of."""
    entries = site.write.catalog.audit.transitions()
    told = {entry.body["event"] for entry in entries}
    events = read_events(site.write.reader, site.write.charter, [], tombstone.volume)
    own = [stored for stored in events if stored.event.tombstone == tombstone.id]
    return [stored.event.type for stored in own if stored.key not in told]


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen by others"])
def test_what_lost_its_answer_is_told_before_anybody_acknowledges_it(
    site: Site, *, seen: bool
) -> None:
    """Somebody else finds it done, and what they are told of is in the log by then."""
    tombstone = deleted(site)
    forgetful = replace(site.write, store=Forgetful(site.write.store, 2))
    with pytest.raises(StoreUnreachable):
        undelete.undelete(forgetful, tombstone.id)
    assert untold(site, tombstone) == ["undeleted"]
    if seen:  # who only reads takes it into the catalog, and enters nothing
        site.write.catalog.apply(*read_events(site.write.reader, site.write.charter, []))
    assert undelete.undelete(site.write, tombstone.id).state is State.RESTORED
    assert untold(site, tombstone) == []


@pytest.mark.parametrize("calls", range(14))
def test_an_outage_at_any_call_of_an_undelete_leaves_nothing_untold(site: Site, calls: int) -> None:
    """The store may be gone just between a step and its entry."""
    tombstone = deleted(site)
    with suppress(StoreUnreachable):
        undelete.undelete(cut_off(site, after=calls), tombstone.id)
    assert undelete.undelete(site.write, tombstone.id).state is State.RESTORED
    assert untold(site, tombstone) == []


def test_a_hold_is_a_flag_and_a_restored_one_takes_none(site: Site) -> None:
    tombstone = deleted(site)
    assert hold(site.write, tombstone.id, "legal").hold == "legal"
    with pytest.raises(Denied) as caught:
        release(site.write, tombstone.id)
    assert caught.value.rules == ("lets-go", "no-approver")
    council = make_council(site)
    council.agreed_by(["bob"], lambda: release(site.write, tombstone.id))
    assert site.write.catalog.tombstones.get(tombstone.id).hold == ""
    undelete.undelete(site.write, tombstone.id)
    with pytest.raises(TransitionRefused):
        hold(site.write, tombstone.id, "late")


def test_a_crash_before_the_rename_is_abandoned(site: Site) -> None:
    """The records went through, the rename did not happen: the volume never left."""
    plan = plan_delete(site.write, "db", reason="test")
    provider = site.write.providers["directory"]
    broken = replace(site.write, providers={"directory": cast("Provider", _Dying(provider))})
    with pytest.raises(KeyboardInterrupt):
        execute_delete(broken, plan)
    tombstone = site.write.catalog.tombstones.get(plan.place.tombstone)
    assert tombstone.state is State.QUARANTINING
    assert "abandoned" in delete.settle(site.write, tombstone)
    assert site.write.catalog.volumes.resolve("db").state == "active"
    assert (site.source / "orders").exists()


class _Dying:
    """A provider whose process ends at the rename."""

    def __init__(self, provider: object) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)

    def quarantine(self, place: object) -> None:
        raise KeyboardInterrupt
