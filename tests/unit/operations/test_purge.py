"""Purge: nothing a second early, nothing unverified, and undelete may still win."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import force_setattr, replace

from tests.unit.operations.approving import make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_delete import deleted
from vault.errors import PurgeRefused, StoreUnreachable
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations import freeze, undelete
from vault.operations.audit import commit
from vault.operations.capture import CapturePlan, capture
from vault.operations.extend import extend
from vault.operations.finalize import finalize
from vault.operations.hold import hold, release
from vault.operations.purge import purge
from vault.operations.record import Draft, record_next, refresh
from vault.operations.unit import RecordUnit
from vault.store.contract import Receipt, RecordingStore

WINDOW = timedelta(hours=48)


def finalized(site: Site) -> Tombstone:
    """The volume, deleted, with its final snapshot on record."""
    tombstone = deleted(site)
    site.clock.advance(timedelta(minutes=1))
    finalize(site.write, tombstone)
    extend(site.write)
    return site.write.catalog.tombstones.get(tombstone.id)


def released(site: Site, tombstone: Tombstone) -> None:
    """The hold is off; Bob has agreed."""
    make_council(site).agreed_by(["bob"], lambda: release(site.write, tombstone.id))


def verdict(site: Site, *, dry_run: bool = False) -> tuple[str, str]:
    """What the purger says of the one tombstone."""
    (item,) = purge(site.purger, dry_run=dry_run).items
    return item.verdict, "; ".join(item.reasons)


def test_nothing_is_purged_within_the_window(site: Site) -> None:
    tombstone = finalized(site)
    assert tombstone.undo_until is not None
    site.clock.advance(tombstone.undo_until - site.clock.now() - timedelta(seconds=1))
    said, why = verdict(site)
    assert said == "refused"
    assert "window" in why


def test_after_the_window_the_data_go_and_the_final_snapshot_stays(site: Site) -> None:
    tombstone = finalized(site)
    site.clock.advance(WINDOW)
    assert verdict(site, dry_run=True)[0] == "would-purge"
    assert verdict(site) == ("purged", "")
    assert purge(site.purger, dry_run=False).items == ()
    assert not list(site.source.parent.glob(".vault-trash/tomb_*"))
    refresh(site.write, tombstone.volume)
    assert site.write.catalog.tombstones.get(tombstone.id).state is State.PURGED


def test_without_a_final_snapshot_nothing_is_purged(site: Site) -> None:
    deleted(site)
    site.clock.advance(WINDOW * 2)
    said, why = verdict(site)
    assert said == "refused"
    assert "no snapshot taken after the quarantine" in why


def test_a_hold_outlasts_the_window(site: Site) -> None:
    tombstone = finalized(site)
    hold(site.write, tombstone.id, "legal")
    site.clock.advance(WINDOW * 2)
    assert "a hold is on it" in verdict(site)[1]
    released(site, tombstone)
    assert verdict(site)[0] == "purged"


class Belated:
    """A store to which the put of an event arrives when its sender has long given it up."""

    def __init__(self, store: RecordingStore) -> None:
        self.under_way: list[Callable[[], object]] = []
        self.get, self.list, self.retention = store.get, store.list, store.retention
        self.now, self.address, self.clocked = store.now, store.address, store.clocked
        self._put = store.put

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        if not key.startswith("events/"):
            return self._put(key, data, retain_until)
        self.under_way.append(partial(self._put, key, data, retain_until))
        raise StoreUnreachable("no answer came")


def test_a_hold_stands_though_an_earlier_purge_started_arrives_after_it(site: Site) -> None:
    """The purger gave its record up; the hold was acknowledged before the record arrived."""
    tombstone = finalized(site)
    commit(site.write)
    site.clock.advance(WINDOW * 2)
    store = Belated(site.purger.store)
    (item,) = purge(replace(site.purger, store=store), dry_run=False).items
    assert item.verdict == "failed"
    site.clock.advance(timedelta(seconds=5))
    hold(site.write, tombstone.id, "legal")
    for arrive in store.under_way:
        arrive()
    assert "a hold is on it" in verdict(site)[1]
    released(site, tombstone)
    assert verdict(site)[0] == "purged"


def test_data_that_changed_after_the_final_snapshot_are_not_purged(site: Site) -> None:
    """Files carry the host's real ctime: a snapshot dated before it has not seen their change."""
    tombstone = deleted(site)
    site.clock.set_wall(site.clock.now() - timedelta(hours=1))
    volume = site.write.catalog.volumes.resolve("db")
    plan = CapturePlan(volume=volume, location=tombstone.held_at, final_for=tombstone.id)
    record, _ = capture(site.write, plan)
    details = {"snapshot": record.header.id}
    kind = EventType.FINAL_SNAPSHOT
    draft = Draft(type=kind, volume=volume.id, tombstone=tombstone.id, details=details)
    record_next(site.write, draft)
    extend(site.write)
    site.clock.advance(WINDOW + timedelta(hours=2))
    assert "changed after the final snapshot" in verdict(site)[1]
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_a_lock_that_would_not_outlast_the_purge_refuses_it(site: Site) -> None:
    tombstone = deleted(site)
    site.clock.advance(timedelta(minutes=1))
    finalize(site.write, tombstone)
    site.clock.advance(timedelta(days=20))
    assert "locked until" in verdict(site)[1]
    extend(site.write)
    assert verdict(site)[0] == "purged"


def test_a_host_clock_set_forward_purges_nothing(site: Site) -> None:
    """The memory store shares the test's clock; the purger's own is set ahead of it."""
    finalized(site)
    purger = site.purger
    ahead = type(site.clock)(site.clock.now() + WINDOW * 2)
    force_setattr(purger, "clock", ahead)
    (item,) = purge(purger, dry_run=False).items
    assert item.verdict == "refused"
    assert any("disagree" in reason for reason in item.reasons)


def test_a_panic_stops_the_purger(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a pass, and at the last moment of one; when it is over the purge goes on."""
    tombstone = finalized(site)
    site.clock.advance(WINDOW)
    freeze.panic(site.write, "somebody has our tokens")
    for dry_run in (True, False):
        with pytest.raises(PurgeRefused, match="somebody has our tokens"):
            purge(site.purger, dry_run=dry_run)
    freeze.calm(site.write)

    def late(unit: RecordUnit) -> None:
        commit(unit)
        monkeypatch.setattr("vault.operations.purge.commit", commit)
        freeze.panic(site.write, "again")

    monkeypatch.setattr("vault.operations.purge.commit", late)
    assert verdict(site) == ("failed", "there is a panic, and everything destructive waits: again")
    assert Path(tombstone.held_at).exists()
    freeze.calm(site.write)
    assert verdict(site)[0] == "purged"
