"""Collect and extend: what is wanted stays locked and stored, what is not goes once it lapsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import force_setattr, replace

from tests.unit.operations.approving import EPHEMERAL, make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured, entries
from tests.unit.operations.test_delete import deleted
from tests.unit.operations.test_purge import finalized
from vault.errors import ClockDisagrees, PurgeRefused
from vault.lifecycle.event import EventType
from vault.lifecycle.volume import fold_volume
from vault.operations import freeze
from vault.operations.audit import commit
from vault.operations.collect import collect
from vault.operations.enroll import change, keep
from vault.operations.extend import extend
from vault.operations.hold import hold
from vault.operations.loosening import Proofs
from vault.operations.move import move
from vault.operations.purge import purge
from vault.operations.record import Draft, record_next
from vault.operations.render import snapshot_item
from vault.operations.verify import verify
from vault.progress import Silent
from vault.repository.journal import read_events
from vault.repository.snapshot import list_snapshots
from vault.store.contract import ReapingStore
from vault.testing.clock import ManualClock

DEFAULT = "hourly=24,daily=7,weekly=5,monthly=12"


def grow(site: Site, count: int, every: timedelta) -> list[str]:
    """So many snapshots, one each `every`, each with something new; locks kept up."""
    ids = []
    for number in range(count):
        (site.source / "orders").write_bytes(f"orders {number}".encode() * 500)
        record, _ = captured(site)
        ids.append(record.header.id)
        extend(site.write)
        site.clock.advance(every)
    return ids


def test_nothing_goes_while_it_is_locked(site: Site) -> None:
    grow(site, 40, timedelta(minutes=1))
    report = collect(site.collector, dry_run=False)
    assert report.deleted == 0


def test_an_old_plan_is_not_carried_out(site: Site) -> None:
    """The host was suspended in the middle; what was planned may have been locked, and lapsed."""
    grow(site, 40, timedelta(minutes=1))
    for _ in range(9):
        site.clock.advance(timedelta(days=10))
        captured(site)
        extend(site.write)
    planned = collect(site.collector, dry_run=True)
    collector = site.collector
    store = Sleepy(collector.store, site.clock, timedelta(days=40))
    report = collect(replace(collector, store=cast(ReapingStore, store)), dry_run=False)
    assert (report.deleted, planned.deleted > 1) == (1, True)
    assert "grown old" in report.reasons[-1]


class Sleepy:
    """A Reaper whose every deletion takes so long; all else is the store's."""

    def __init__(self, store: ReapingStore, clock: ManualClock, span: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._span = span

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._store.delete(key, version=version)
        self._clock.advance(self._span)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_snapshot_that_is_lost_while_its_lock_was_extended_is_missed(site: Site) -> None:
    """What it was born with has lapsed; nobody could have collected it, though."""
    (lost,) = grow(site, 1, timedelta(days=25))
    extend(site.write)
    site.clock.advance(timedelta(days=20))
    (row,) = site.write.catalog.snapshots.all()
    assert row.retain_until < site.clock.now() < snapshot_item(row).locked_until
    site.memory.lose(row.key)
    assert [found.path for found in verify(site.write, deep=False).findings] == [row.key]
    assert site.write.catalog.snapshots.get(lost) == row


def test_what_lapsed_and_nobody_wants_goes_and_the_rest_restores(site: Site) -> None:
    ids = grow(site, 40, timedelta(minutes=1))
    for _ in range(9):
        site.clock.advance(timedelta(days=10))
        captured(site)
        extend(site.write)
    planned = collect(site.collector, dry_run=True)
    report = collect(site.collector, dry_run=False)
    assert report.deleted == planned.deleted > 0
    rows = {row.id: row for row in site.write.catalog.snapshots.all()}
    verified = verify(site.write, deep=True)
    assert verified.findings == ()
    left = {row.id for row in site.write.catalog.snapshots.all()}
    assert left < set(rows)
    assert len(set(ids) & left) <= 2  # the last of each hour
    assert verified.snapshots == len(left)
    assert collect(site.collector, dry_run=False).deleted == 0


def test_a_locked_wanted_snapshot_survives_long_after_its_first_lock(site: Site) -> None:
    record, _ = captured(site)
    for _ in range(12):
        site.clock.advance(timedelta(days=10))
        extend(site.write)
        change(site.write, "db", EventType.VOLUME_PAUSED)
        change(site.write, "db", EventType.VOLUME_RESUMED)
        collect(site.collector, dry_run=False)
    assert b"orders" in entries(site, record)
    assert verify(site.write, deep=True).findings == ()


def test_nothing_is_collected_once_the_owner_is_silent(site: Site) -> None:
    grow(site, 40, timedelta(minutes=1))
    site.clock.advance(timedelta(days=100))
    report = collect(site.collector, dry_run=False)
    assert report.deleted == 0


def test_a_vanished_or_held_volume_keeps_everything(site: Site) -> None:
    grow(site, 30, timedelta(minutes=1))
    tombstone = deleted(site)
    hold(site.write, tombstone.id, "legal")
    for _ in range(6):
        site.clock.advance(timedelta(days=10))
        hold(site.write, tombstone.id, "legal")  # the owner is not silent
    assert collect(site.collector, dry_run=False).deleted == 0


def test_the_final_snapshot_outlives_its_volume(site: Site) -> None:
    tombstone = finalized(site)
    site.clock.advance(timedelta(hours=48))
    assert purge(site.purger, dry_run=False).items[0].verdict == "purged"
    site.clock.advance(timedelta(days=29))
    extend(site.write)
    collect(site.collector, dry_run=False)
    row = site.write.catalog.snapshots.get(tombstone.snapshot)
    assert row.final_for == tombstone.id
    assert verify(site.write, deep=True).findings == ()


def test_clocks_that_disagree_collect_nothing(site: Site) -> None:
    captured(site)
    collector = site.collector
    ahead = ManualClock(site.clock.now() + timedelta(days=100))
    force_setattr(collector, "clock", ahead)
    with pytest.raises(ClockDisagrees):
        collect(collector, dry_run=False)


def test_a_panic_stops_the_collector(site: Site) -> None:
    freeze.panic(site.write, "somebody has our tokens")
    with pytest.raises(PurgeRefused, match="somebody has our tokens"):
        collect(site.collector, dry_run=False)
    freeze.calm(site.write)
    assert collect(site.collector, dry_run=False).deleted == 0


def test_missing_records_stop_collecting(site: Site) -> None:
    """The event before the last is gone: it may have been a hold."""
    captured(site)
    for _ in range(2):
        change(site.write, "db", EventType.VOLUME_PAUSED)
        change(site.write, "db", EventType.VOLUME_RESUMED)
    keys = [found.key for found in site.memory.list("events/")]
    site.memory.lose(keys[-2])
    with pytest.raises(PurgeRefused):
        collect(site.collector, dry_run=False)


class _CaptureComes(Silent):
    """While the store is verified, the daemon takes a snapshot."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def begin(self, task: str, *, files: int | None = None, size: int | None = None) -> None:
        if task == "verify":
            captured(self._site)


def test_a_snapshot_taken_while_others_are_verified_is_not_missed(site: Site) -> None:
    captured(site)
    report = verify(replace(site.write, progress=_CaptureComes(site)), deep=True)
    assert (report.snapshots, report.findings) == (1, ())
    assert verify(site.write, deep=True).snapshots == 2


def forged_terms(site: Site, kind: EventType, **details: str) -> None:
    """What whoever holds the writer's key records, asking nobody."""
    volume = site.write.catalog.volumes.resolve("db")
    record_next(site.write, Draft(type=kind, volume=volume.id, details=details))
    commit(site.write)


def test_less_that_nobody_agreed_to_is_not_what_the_collector_goes_by(site: Site) -> None:
    """Nor is a move to where nobody has to be asked, and then less."""
    site.write = make_council(site).unit
    less = "hourly=0,daily=1,weekly=0,monthly=0"
    forged_terms(site, EventType.KEEP_CHANGED, keep=less)
    assert terms_of(site) == DEFAULT
    forged_terms(site, EventType.VOLUME_MOVED, environment=EPHEMERAL)
    forged_terms(site, EventType.KEEP_CHANGED, keep=less)
    assert terms_of(site) == DEFAULT
    forged_terms(site, EventType.KEEP_CHANGED, keep=f"{less[:-1]}99")
    assert terms_of(site) == DEFAULT


@pytest.mark.parametrize("asked", [True, False])
def test_snapshots_go_only_by_what_was_agreed_to(site: Site, *, asked: bool) -> None:
    """The same terms, recorded; those of a night go where people agreed that they may.

    The charter keeps as much as by default, whatever anybody agrees to.
    """
    council = make_council(site)
    keep(council.unit, "db", "hourly=60,daily=7,weekly=5,monthly=12")
    if asked:
        council.agreed_by(["bob"], lambda: keep(council.unit, "db", DEFAULT, reason="a cache"))
    else:
        forged_terms(site, EventType.KEEP_CHANGED, keep=DEFAULT)
    site.clock.advance(timedelta(minutes=1))
    ids = set(grow(site, 30, timedelta(hours=1)))
    for _ in range(7):
        site.clock.advance(timedelta(days=10))
        captured(site)
    collect(site.collector, dry_run=False)
    left = {r.header.id for r in list_snapshots(site.write.reader, site.write.charter, [])}
    assert (ids <= left) is not asked


def test_what_people_agreed_to_is_what_the_collector_goes_by(site: Site) -> None:
    """In production; then in a preview, where nobody is asked; more counts at once."""
    council = make_council(site)
    site.write = council.unit
    less, least = "hourly=1,daily=7,weekly=5,monthly=12", "hourly=0,daily=0,weekly=0,monthly=1"
    more = "hourly=48,daily=7,weekly=5,monthly=12"
    assert keep(site.write, "db", more).keep == more
    assert terms_of(site) == more
    council.agreed_by(["bob"], lambda: keep(site.write, "db", less, reason="a cache"))
    assert terms_of(site) == less
    council.agreed_by(["bob"], lambda: move(site.write, "db", EPHEMERAL, reason="a copy"))
    keep(site.write, "db", least, reason="a copy")
    assert terms_of(site) == least


def test_an_agreement_of_another_time_is_none(site: Site) -> None:
    """Bob agreed once; a day later the writer's key records the same again."""
    council = make_council(site)
    less, more = "hourly=1,daily=7,weekly=5,monthly=12", DEFAULT
    council.agreed_by(["bob"], lambda: keep(council.unit, "db", less, reason="a cache"))
    keep(council.unit, "db", more)
    site.clock.advance(timedelta(days=1))
    forged_terms(site, EventType.KEEP_CHANGED, keep=less)
    assert site.write.catalog.volumes.resolve("db").keep == less
    assert terms_of(site) == DEFAULT


def terms_of(site: Site) -> str:
    """What the collector takes for what is kept of the volume's next snapshot."""
    volume = site.write.catalog.volumes.resolve("db").id
    events = read_events(site.collector.reader, site.collector.charter, [], volume)
    counting = Proofs(site.collector).counting(events)
    return fold_volume((stored.event, stored.stored_at) for stored in counting).keep
