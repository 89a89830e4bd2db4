"""P12: a writer that is wrong about the time, compromised or silent cannot steer retention.

Times are the store's, every object is born with the least lock, and what may be collected is
computed by somebody else, from the charter.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.promises.clocks import believing, later
from tests.promises.scenes import Scene, answer, make_scene
from tests.rgw import RgwBucket
from tests.unit.operations import conftest as memory
from tests.unit.operations.conftest import Site
from vault import limits
from vault.clock import SystemClock
from vault.errors import ClockDisagrees
from vault.ids import new_id
from vault.lifecycle.event import Actor, Event, EventType
from vault.lifecycle.retention import Keep
from vault.operations.amend import record_lock
from vault.operations.capture import CapturePlan, capture
from vault.operations.collect import collect
from vault.operations.enroll import change
from vault.operations.record import Draft, record_next
from vault.repository.journal import append_event
from vault.repository.snapshot import SnapshotRecord, list_snapshots

site = memory.site  # a fixture: a vault around a store and a clock that months cost nothing
DAY = timedelta(days=1)
WRONG = (timedelta(days=-40), timedelta(days=40))


# --- a wrong clock, on a server ------------------------------------------------------------------


@pytest.mark.rgw
@pytest.mark.parametrize("offset", WRONG, ids=["behind", "ahead"])
def test_a_host_with_a_wrong_clock_is_told_so_and_changes_nothing(
    rgw_bucket: RgwBucket, tmp_path: Path, offset: timedelta
) -> None:
    scene = make_scene(rgw_bucket, tmp_path, tree=False)
    before = {(v["Key"], v["VersionId"]) for v in scene.versions()}
    for words in (("snapshot", "db"), ("delete", "db", "--reason", "test")):
        done = scene.run(*words, env=believing(offset))
        assert done.returncode == ClockDisagrees.status, done.stderr
        assert "clock" in done.stderr
    for role, word in (("purger", "purger"), ("collector", "collector")):
        done = scene.run(word, "--once", role=role, env=believing(offset))  # type: ignore[arg-type]
        assert done.returncode == ClockDisagrees.status, done.stderr
    assert {(v["Key"], v["VersionId"]) for v in scene.versions()} == before
    assert scene.source.exists()


@pytest.mark.rgw
def test_times_are_the_stores_though_the_writers_clock_is_wrong(
    rgw_bucket: RgwBucket, tmp_path: Path
) -> None:
    """The server lets it in, since its requests are signed rightly; its own clock is wrong."""
    scene = make_scene(rgw_bucket, tmp_path, tree=False)
    began = SystemClock().now().replace(microsecond=0)
    for number, offset in enumerate((WRONG[0], timedelta(0), WRONG[1], WRONG[0])):
        (scene.source / "file").write_bytes(b"%d" % number * 1000)
        with later(offset), scene.vault() as vault:
            item = vault.snapshot("db")
            assert began <= item.created_at <= SystemClock().now() + timedelta(seconds=2)
    scene.restore(tmp_path / "newest")
    assert (tmp_path / "newest" / "file").read_bytes() == b"3" * 1000
    born_with_the_least_lock(scene)

    with later(WRONG[0]), scene.vault() as vault:
        tombstone = vault.delete("db", reason="test")
        assert tombstone.undo_until is not None
        assert tombstone.undo_until >= began + limits.PROTECTED_WINDOW_FLOOR
        finals = [duty for duty in vault.due() if duty.tombstone and duty.task == "finalize"]
    with later(WRONG[1]), scene.vault() as vault:
        for duty in finals:  # what held still is a matter of this host's clock: not now
            with pytest.raises(ClockDisagrees):
                vault.perform(duty)
    (item,) = answer(scene.run("purger", "--once", "--json", role="purger"))  # type: ignore[assignment]
    assert item["verdict"] == "refused"  # type: ignore[index]
    with scene.vault() as vault:
        assert vault.undelete([tombstone.id])[0].state == "restored"


def born_with_the_least_lock(scene: Scene) -> None:
    """Every version in the bucket: COMPLIANCE, for the charter's minimum, below its ceiling."""
    client = scene.client("reader")
    count = 0
    for version in scene.versions():
        where = {"Bucket": scene.bucket.name, "Key": version["Key"]}
        head = client.head_object(**where, VersionId=version["VersionId"])
        assert head["ObjectLockMode"] == "COMPLIANCE"
        locked = head["ObjectLockRetainUntilDate"] - version["LastModified"]
        assert limits.MIN_LOCK <= locked <= limits.MAX_LOCK + timedelta(seconds=2), version["Key"]
        count += 1
    assert count > 15


# --- a compromised writer, for months ------------------------------------------------------------


def snapshot(site: Site, text: str) -> SnapshotRecord:
    """A snapshot of other contents than before."""
    (site.source / "orders").write_text(text)
    volume = site.write.catalog.volumes.resolve("db")
    record, _ = capture(site.write, CapturePlan(volume=volume, location=volume.location))
    return record


def history(site: Site, days: int) -> list[SnapshotRecord]:
    """One snapshot a day, up to now."""
    records = []
    for day in range(days):
        records.append(snapshot(site, f"genuine {day}"))
        site.clock.advance(DAY)
    return records


def left(site: Site) -> set[str]:
    """The snapshots that are in the store."""
    collector = site.collector
    return {r.header.id for r in list_snapshots(collector.reader, collector.charter, [])}


def chosen(records: list[SnapshotRecord], form: str, count: int) -> set[str]:
    """The last of each of the last `count` periods, as `form` tells them apart."""
    last: dict[str, str] = {}
    for record in records:
        last[record.stored_at.astimezone(UTC).strftime(form)] = record.header.id
    return set(list(last.values())[-count:])


def collected_for(site: Site, days: int) -> None:
    """Days pass; the attacker sees to it that the owner does not look silent."""
    for _day in range(0, days, 5):
        site.clock.advance(5 * DAY)
        volume = site.write.catalog.volumes.resolve("db")
        record_next(site.write, Draft(type=EventType.DELETE_DENIED, volume=volume.id))
        collect(site.collector, dry_run=False)


def test_a_flood_drives_out_no_more_than_one_of_each_class(site: Site) -> None:
    """Hundreds of snapshots in an hour, each of which claims that nothing has to be kept."""
    genuine = history(site, 70)
    volume = site.write.catalog.volumes.resolve("db")
    plan = CapturePlan(volume=replace(volume, keep="hourly=1"), location=volume.location)
    flood = {capture(site.write, plan)[0].header.id for _ in range(150)}
    born = {r.header.id: r.stored_at for r in genuine}
    collected_for(site, 25)
    recent = {i for i, at in born.items() if site.clock.now() - at < limits.MIN_LOCK}
    assert left(site) >= recent | flood  # still locked
    collected_for(site, 50)
    kept = left(site)
    assert kept >= chosen(genuine, "%Y-%m-%d", Keep().daily - 1)
    assert kept >= chosen(genuine, "%G-%V", Keep().weekly - 1)
    assert kept >= chosen(genuine, "%Y-%m", Keep().monthly - 1) - chosen(genuine, "%Y-%m", 1)
    assert len(kept & flood) == 1  # and the collector does collect
    assert kept < set(born) | flood
    assert genuine[0].header.id not in kept


def test_keeping_nothing_is_not_the_writers_to_claim(site: Site) -> None:
    """A second beginning of the volume, forged to come first, with no more than one to keep."""
    genuine = history(site, 60)
    volume = site.write.catalog.volumes.resolve("db")
    details = {"name": "db", "environment": "production", "provider": "directory"}
    details |= {"location": volume.location, "identity": volume.identity, "keep": "hourly=1"}
    forged = Event(
        id=new_id("evt", volume.created_at - DAY),
        vault=site.write.charter.vault,
        type=EventType.VOLUME_ADDED,
        volume=volume.id,
        at=volume.created_at,
        actor=Actor("human", "mallory"),
        details=details,
    )
    append_event(site.write.store, site.write.signer, forged, record_lock(site.clock.now()))
    collected_for(site, 60)
    kept = left(site)
    assert kept >= chosen(genuine, "%Y-%m-%d", Keep().daily)
    assert kept >= chosen(genuine, "%G-%V", Keep().weekly)
    assert kept >= chosen(genuine, "%Y-%m", Keep().monthly)
    assert len(kept) < len(genuine)


def test_a_removed_volume_ages_by_the_calendar_not_at_once(site: Site) -> None:
    genuine = history(site, 60)
    change(site.write, "db", EventType.VOLUME_REMOVED)
    removed = site.clock.now()
    while site.clock.now() - removed < timedelta(days=120):
        collected_for(site, 5)
        now, kept = site.clock.now(), left(site)
        days, weeks = chosen(genuine, "%Y-%m-%d", 99), chosen(genuine, "%G-%V", 99)
        for record in genuine:
            age, it = now - record.stored_at, record.header.id
            owed = age < limits.MIN_LOCK
            owed |= it in days and age < (Keep().daily - 1) * DAY
            owed |= it in weeks and age < 7 * (Keep().weekly - 1) * DAY
            assert it in kept or not owed, (age, it)
        assert kept >= chosen(genuine, "%Y-%m", 12)
    assert left(site) == chosen(genuine, "%Y-%m", 12)


def test_snapshots_by_a_key_that_is_not_chartered_count_for_nothing(site: Site) -> None:
    """They are neither wanted nor do they displace what is."""
    genuine = history(site, 10)
    strangers = dataclasses.replace(site.write.keys, signing=type(site.write.signer)(b"7" * 32))
    rogue = replace(site.write, keys=strangers, signer=strangers.signing)
    member = replace(site.write.charter.members[0], key=strangers.signing.public_hex)
    members = (*site.write.charter.members, member)
    rogue = replace(rogue, charter=replace(site.write.charter, members=members))
    volume = replace(site.write.catalog.volumes.resolve("db"), owner="")  # rogues do not ask
    for _ in range(30):
        site.clock.advance(timedelta(hours=1))
        capture(rogue, CapturePlan(volume=volume, location=volume.location))
    collected_for(site, 60)
    assert left(site) >= {record.header.id for record in genuine[-7:]}


# --- a silent owner ------------------------------------------------------------------------------


def test_while_the_owner_is_silent_nothing_is_collected(site: Site) -> None:
    """Locks have lapsed and nobody wants them: yet whoever would extend them may be in trouble."""
    for number in range(3):
        snapshot(site, f"in one hour {number}")
    before = left(site)
    site.clock.advance(60 * DAY)
    assert collect(site.collector, dry_run=False).deleted == 0
    # What the purger says does not break the silence.
    volume = site.write.catalog.volumes.resolve("db")
    record_next(site.purger, Draft(type=EventType.FOUND_DESTROYED, volume=volume.id))
    assert collect(site.collector, dry_run=False).deleted == 0
    assert left(site) == before
    record_next(site.write, Draft(type=EventType.DELETE_DENIED, volume=volume.id))
    assert collect(site.collector, dry_run=False).deleted > 0
    assert len(left(site)) == 1


def test_silence_begins_after_fourteen_days(site: Site) -> None:
    """Seen to the second, from the store's own times."""
    for number in range(3):
        snapshot(site, f"in one hour {number}")
    site.clock.advance(60 * DAY)
    volume = site.write.catalog.volumes.resolve("db")
    heard = record_next(site.write, Draft(type=EventType.DELETE_DENIED, volume=volume.id)).stored_at
    to(site, heard + limits.OWNER_SILENCE + timedelta(seconds=1))
    assert collect(site.collector, dry_run=True).deleted == 0
    to(site, heard + limits.OWNER_SILENCE)
    assert collect(site.collector, dry_run=True).deleted > 0


def to(site: Site, at: datetime) -> None:
    """Set the time."""
    site.clock.set_wall(at)
