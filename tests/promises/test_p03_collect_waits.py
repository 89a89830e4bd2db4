"""P3, in the store: what lapsed and nobody wants is collected in the end, and nothing else ever is.

Months pass on a real server by moving its clock and the host's together.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from tests.promises.clocks import Days
from tests.promises.scenes import make_scene
from tests.rgw import client_time, fresh_bucket
from vault.operations.enroll import Enrolment
from vault.repository.snapshot import SnapshotRecord
from vault.store.names import pack_key
from vault.testing.rgw import Server
from vault.testing.trees import Tree, read_tree

pytestmark = pytest.mark.rgw

PURGING = timedelta(hours=48, minutes=1)
LOCKED = timedelta(days=20)
LAPSED = timedelta(days=60)
YEAR = timedelta(days=430)


class Archive:
    """The snapshots of a scene, and what each has to give back."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.trees: dict[str, Tree] = {}

    def snapshot(self, name: str, place: Path) -> str:
        """Take one."""
        (item,) = self.days.run("snapshot", name)
        return self.expect(item["id"], place)

    def expect(self, snapshot: str, place: Path) -> str:
        """A snapshot has to give back what stands there now."""
        self.trees[snapshot] = read_tree(place)
        return snapshot

    def keys(self) -> set[str]:
        """Every key in the bucket below the store's prefix; markers are none of ours."""
        with client_time(self.days.host):
            found = list(self.days.scene.versions())
        assert not [version for version in found if version["Marker"]]
        return {version["Key"].removeprefix("main/") for version in found}

    def restore(self, snapshots: set[str], folder: Path) -> None:
        """Each gives back every byte."""
        for snapshot in sorted(snapshots & self.trees.keys()):
            to = folder / snapshot
            kit = str(self.days.scene.kit)
            self.days.run("restore", snapshot, "--to", str(to), "--kit", kit)
            assert read_tree(to) == self.trees[snapshot]


@pytest.fixture
def archive(rgw_own: Server, tmp_path: Path) -> Archive:
    """Volumes `db`, with three snapshots, and `gone`, with one."""
    scene = make_scene(fresh_bucket(rgw_own), tmp_path)
    place = tmp_path / "srv" / "gone"
    place.mkdir()
    (place / "file").write_bytes(b"of the volume that goes" * 1000)
    with scene.vault() as vault:
        vault.add_volume(Enrolment(name="gone", path=str(place)))
    archive = Archive(Days(scene))
    archive.snapshot("gone", place)
    for number in range(3):
        (scene.source / "changing").write_bytes(b"state %d" % number * 50_000)
        archive.snapshot("db", scene.source)
    return archive


def test_what_lapsed_unwanted_goes_in_the_end_and_nothing_else(
    archive: Archive, tmp_path: Path
) -> None:
    days, scene, gone = archive.days, archive.days.scene, tmp_path / "srv" / "gone"
    kept = read_tree(gone)
    (tombstone,) = days.run("delete", "gone", "--reason", "test")
    days.daemon()
    for item in days.run("tombstones"):
        archive.trees[item["snapshot"]] = kept
    final = next(i["snapshot"] for i in days.run("tombstones") if i["id"] == tombstone["id"])
    assert collected(days) == 0

    days.move(server=PURGING, host=PURGING)
    assert days.verdict() == ("purged", "")
    assert collected(days) == 0
    days.move(server=LOCKED, host=LOCKED)
    archive.snapshot("db", scene.source)  # the owner is not silent
    before = archive.keys()
    assert collected(days) == 0
    assert archive.keys() == before

    # Locks lapse. What the calendar wants stays, and with it all that it needs.
    days.move(server=LAPSED, host=LAPSED)
    days.daemon()  # takes the next snapshot, and keeps locked what is wanted
    records, before = days.records(), archive.keys()
    archive.expect(max(records, key=lambda r: r.stored_at).header.id, scene.source)
    wanted = calendar(records, {"db": False, "gone": True})
    assert final in wanted
    assert len(wanted) < len(records)
    (plan,) = days.run("collector", "--once", "--dry-run", role="collector")
    assert archive.keys() == before
    assert collected(days) == plan["deleted"] > 0
    assert left(archive, before) == what_they_need(before, records, wanted)
    assert {record.header.id for record in days.records()} == wanted
    archive.restore(wanted, tmp_path / "after-months")

    # More than a year later, and nobody was there: nothing goes, locked or not.
    days.move(server=YEAR, host=YEAR)
    assert collected(days) == 0
    days.daemon()
    records, before = days.records(), archive.keys()
    wanted = {r.header.id for r in records if r.header.volume_name == "db"}
    assert collected(days) > 0
    assert left(archive, before) == what_they_need(before, records, wanted)
    archive.restore(wanted, tmp_path / "after-a-year")
    days.run("verify", "--deep")


def collected(days: Days) -> int:
    """How much one run of the collector deletes."""
    (report,) = days.run("collector", "--once", role="collector")
    return int(report["deleted"])


def left(archive: Archive, before: set[str]) -> set[str]:
    """What is still there of what was; all that came is what the collector entered in its log."""
    now = archive.keys()
    assert {key.partition("/")[0] for key in now - before} == {"audit"}
    return now & before


def calendar(records: list[SnapshotRecord], closed: dict[str, bool]) -> set[str]:
    """What policy asks for here, counted in another way than by the product.

    Of a living volume the last snapshot of each hour, since there are few of them; of a purged one
    the last of each month, since its days and weeks are over.
    """
    wanted = set()
    for name, is_closed in closed.items():
        form = "%Y-%m" if is_closed else "%Y-%m-%d %H"
        ours = [r for r in records if r.header.volume_name == name]
        ours.sort(key=lambda r: (r.stored_at, r.header.id))
        for _, group in groupby(ours, key=lambda r: r.stored_at.astimezone(UTC).strftime(form)):
            wanted.add(list(group)[-1].header.id)
    return wanted


def what_they_need(before: set[str], records: list[SnapshotRecord], wanted: set[str]) -> set[str]:
    """The keys that have to be left: those of the wanted snapshots, the records and the log."""
    names: set[str] = set()
    for record in records:
        if record.header.id in wanted:
            names.add(record.key)
            names.update(map(pack_key, record.header.packs))
            names.update(key for key in before for s in record.header.sessions if s in key)
    return names | {key for key in before if key.startswith(("events/", "charter/", "audit/"))}
