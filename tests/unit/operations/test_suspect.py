"""Suspect: a volume that is encrypted or wiped in place keeps its older snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Any, cast

import pytest

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_delete import deleted
from vault import limits
from vault.catalog.events import Events
from vault.errors import CatalogCorrupt, StoreUnreachable
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import Claim, retained
from vault.limits import MIB
from vault.operations.collect import collect
from vault.operations.enroll import change
from vault.operations.extend import extend, facts_of, standings
from vault.operations.finalize import finalize
from vault.operations.status import status
from vault.operations.suspect import look_for_attack
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.store.contract import WritableStore

DAY = timedelta(days=1)
SUSPECTED = "attack-suspected"
DICE = Random(20261127)


def text(size: int) -> bytes:
    """Contents that shrink to about half."""
    return DICE.randbytes(size // 2).hex().encode()


def fill(site: Site, *, files: int = 8, size: int = 5 * MIB) -> None:
    """A volume of texts, older than its first walk."""
    for number in range(files):
        (site.source / f"{number}.txt").write_bytes(text(size))
    site.clock.advance(timedelta(minutes=5))


def live(site: Site, days: int) -> list[SnapshotRecord]:
    """Ordinary days, one snapshot each; locks kept up."""
    records = []
    for day in range(days):
        (site.source / "diary").write_bytes(text(100_000 + day))
        records.append(captured(site)[0])
        extend(site.write)
        site.clock.advance(DAY)
    return records


def encrypt(site: Site) -> None:
    """What an attacker leaves: as many bytes, and none of them shrinks."""
    for path in site.source.glob("*.txt"):
        path.write_bytes(DICE.randbytes(path.stat().st_size))


def alarm(site: Site) -> str:
    """As the catalog has it."""
    return site.write.catalog.volumes.resolve("db").alarm


def events(site: Site, kind: EventType = EventType.ATTACK_SUSPECTED) -> list[Any]:
    """What is on record of that kind."""
    volume = site.write.catalog.volumes.resolve("db").id
    return [row.event for row in site.write.catalog.events.of(volume) if row.event.type is kind]


def whats(findings: Iterable[Any]) -> list[str]:
    """Their words."""
    return [finding.what for finding in findings]


def test_a_snapshot_counts_what_became_of_the_contents(site: Site) -> None:
    fill(site)
    first, _ = captured(site)
    total = 8 * 5 * MIB + 6000
    told = first.header.change
    assert told is not None
    assert (told.kept, told.new, told.replaced) == (0, total, 0)
    assert 0.4 < told.packed / told.new < 0.6
    (site.source / "0.txt").unlink()
    (site.source / "1.txt").write_bytes(DICE.randbytes(3 * MIB))
    second, _ = captured(site)
    told = second.header.change
    assert told is not None
    assert (told.kept, told.new, told.packed) == (total - 10 * MIB, 3 * MIB, 3 * MIB)
    assert told.replaced == 10 * MIB
    assert captured(site)[0].header.change == replace_kept(told)


def replace_kept(change: Any) -> Any:
    """The change of a snapshot in which nothing changed any more."""
    return type(change)(kept=change.kept + change.new, new=0, packed=0, replaced=0)


def test_what_is_moved_copied_or_brought_back_is_not_new(site: Site) -> None:
    fill(site)
    captured(site)
    saved = (site.source / "0.txt").read_bytes()
    (site.source / "1.txt").rename(site.source / "moved")
    (site.source / "0.txt").write_bytes(b"")
    told = captured(site)[0].header.change
    assert told is not None
    assert (told.new, told.replaced) == (0, 5 * MIB)
    (site.source / "0.txt").write_bytes(saved)
    (site.source / "copy").write_bytes(saved)
    told = captured(site)[0].header.change
    assert told is not None
    assert (told.new, told.replaced) == (0, 0)


def test_holes_are_no_data(site: Site) -> None:
    with (site.source / "sparse").open("wb") as file:
        file.write(text(2 * MIB))
        file.truncate(500 * MIB)
    told = captured(site)[0].header.change
    assert told is not None
    assert told.new < 3 * MIB


def test_where_the_parent_is_not_remembered_nobody_counts(site: Site) -> None:
    captured(site)
    for path in (site.home / "baselines").iterdir():
        path.unlink()
    assert captured(site)[0].header.change is None


def test_an_attack_is_put_on_record_once_and_told(site: Site) -> None:
    fill(site)
    before = live(site, 9)
    encrypt(site)
    record, findings = captured(site)
    assert whats(findings) == [SUSPECTED]
    assert alarm(site) == "attacked"
    (event,) = events(site)
    assert event.details["snapshot"] == record.header.id
    assert event.details["before"] == before[-1].header.id
    assert float(event.details["changed-share"]) > 0.95
    assert float(event.details["entropy"]) > 0.95
    assert captured(site)[1] == ()
    assert len(events(site)) == 1
    notes = " ".join(status(site.write).notes)
    assert "“db” looks attacked: 100% of its contents were replaced within a day" in notes
    assert f"as it was before: {before[-1].header.id}" in notes
    assert "vault volume acknowledge db" in notes


def test_nothing_of_it_expires_until_a_person_has_acknowledged_it(site: Site) -> None:
    """Half a year of encrypted snapshots pushes no good one out; afterwards they go."""
    fill(site, files=4)
    good = {record.header.id for record in live(site, 12)}
    encrypt(site)
    for _ in range(18):
        captured(site)
        site.clock.advance(10 * DAY)
        extend(site.write)
    collect(site.collector, dry_run=False)
    assert good <= stored(site)
    change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED)
    assert alarm(site) == ""
    site.clock.advance(13 * DAY)
    captured(site)
    site.clock.advance(60 * DAY)
    captured(site)
    collect(site.collector, dry_run=False)
    assert len(good - stored(site)) > 6


def stored(site: Site) -> set[str]:
    """The snapshots in the store."""
    return {r.header.id for r in list_snapshots(site.write.reader, site.write.charter, [])}


def test_collector_and_extension_both_keep_all_of_it(site: Site) -> None:
    fill(site, files=4)
    live(site, 9)
    encrypt(site)
    captured(site)
    records = list(list_snapshots(site.write.reader, site.write.charter, []))
    now = site.clock.now() + 2 * DAY
    claims = retained(
        [facts_of(record) for record in records], standings(site.write), now=now, owner_seen=now
    )
    assert set(claims.values()) == {frozenset((Claim.FROZEN,))}
    assert len(claims) == len(records)


def test_acknowledged_it_is_not_told_again_and_the_next_one_is(site: Site) -> None:
    fill(site)
    live(site, 9)
    encrypt(site)
    captured(site)
    site.clock.advance(timedelta(minutes=1))
    change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED)
    site.clock.advance(timedelta(hours=1))
    assert captured(site)[1] == ()
    site.clock.advance(2 * DAY)
    encrypt(site)
    assert whats(captured(site)[1]) == [SUSPECTED]
    assert (alarm(site), len(events(site))) == ("attacked", 2)


def test_a_wiped_volume_is_an_attack_too(site: Site) -> None:
    fill(site)
    live(site, 9)
    for path in site.source.glob("*.txt"):
        path.unlink()
    assert whats(captured(site)[1]) == [SUSPECTED]
    assert set(events(site)[0].details) == {"snapshot", "before", "changed-share"}


def test_growth_first_snapshots_and_small_volumes_are_none(site: Site) -> None:
    site.clock.advance(timedelta(minutes=5))
    live(site, 9)
    (site.source / "orders").write_bytes(DICE.randbytes(6000))  # all of a small one
    assert captured(site)[1] == ()
    for number in range(4):
        (site.source / f"photo{number}").write_bytes(DICE.randbytes(8 * MIB))
    assert captured(site)[1] == ()
    assert (alarm(site), events(site)) == ("", [])


def test_an_attack_just_before_a_delete_is_seen_in_the_final_snapshot(site: Site) -> None:
    """The alarm outlives the purge: the older snapshots wait for a person."""
    fill(site)
    live(site, 9)
    encrypt(site)
    tombstone = deleted(site)
    site.clock.advance(timedelta(minutes=1))
    finalize(site.write, site.write.catalog.tombstones.get(tombstone.id))
    volume = site.write.catalog.volumes.resolve("db")
    assert (volume.state, volume.alarm, volume.refused) == ("tombstoned", "attacked", ())
    assert events(site)[0].tombstone == tombstone.id
    folded = site.write.catalog.tombstones.get(tombstone.id)
    assert (folded.state, folded.refused) == ("tombstoned", ())


class Silenced:
    """A store that takes no events for a while; all else is its own."""

    def __init__(self, store: WritableStore) -> None:
        self._store = store

    def put(self, key: str, data: bytes | bytearray, retain_until: Any) -> Any:
        """Put, but for events."""
        if key.startswith("events/"):
            raise StoreUnreachable("the network is down")
        return self._store.put(key, data, retain_until)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_an_alarm_that_cannot_be_recorded_fails_no_snapshot_and_comes_with_the_next(
    site: Site,
) -> None:
    fill(site)
    live(site, 9)
    encrypt(site)
    record, findings = captured(site, store=cast(WritableStore, Silenced(site.write.store)))
    assert record.header.id in stored(site)
    assert [(f.what, "not on record yet" in f.detail) for f in findings] == [(SUSPECTED, True)]
    assert alarm(site) == ""
    assert whats(captured(site)[1]) == [SUSPECTED]
    assert alarm(site) == "attacked"


def test_what_cannot_be_judged_is_not_called_an_attack(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_self: object, _volume: str) -> Any:
        raise CatalogCorrupt("a row of events is not what was written")

    fill(site)
    captured(site)
    volume = site.write.catalog.volumes.resolve("db").id
    with monkeypatch.context() as patch:
        patch.setattr(Events, "of", damaged)
        findings = look_for_attack(site.write, volume)
    assert whats(findings) == ["not-judged"]
    assert "a row of events" in findings[0].detail
    assert look_for_attack(site.write, volume) == ()


@pytest.mark.parametrize("days", [1, 6])
def test_a_young_volume_is_not_judged(site: Site, days: int) -> None:
    assert days * DAY < limits.ATTACK_KNOWN
    fill(site)
    live(site, days)
    encrypt(site)
    assert captured(site)[1] == ()
