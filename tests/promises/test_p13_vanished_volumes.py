"""P13: a volume that vanishes, or is suddenly another one, is noticed and put on record.

Nothing of it expires until a person has acknowledged it, and the empty folder that an unmounted
disk leaves behind is never taken for a volume from which everything was deleted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.promises.clocks import NOW, Days, later, wait_for_the_hour
from tests.promises.embedded import Embedded, embed, writing
from tests.promises.scenes import make_scene
from tests.rgw import client_time, fresh_bucket
from vault.errors import SourceError, SourceReplaced, SourceVanished
from vault.lifecycle.due import Task
from vault.operations.enroll import Enrolment
from vault.repository.journal import read_events
from vault.testing.builders import build_tree
from vault.testing.rgw import Server
from vault.testing.trees import read_tree

DAY = timedelta(days=1)
can_mount = os.geteuid() == 0


def moved_away(place: Path) -> None:
    """Nothing stands there any more."""
    place.rename(place.with_name("elsewhere"))


def emptied_folder(place: Path) -> None:
    """The folder below an unmounted disk: empty, of the same name."""
    moved_away(place)
    place.mkdir()


def another_volume(place: Path) -> None:
    """A folder with other contents."""
    emptied_folder(place)
    (place / "other").write_bytes(b"of another volume")


def a_file(place: Path) -> None:
    """No folder at all."""
    moved_away(place)
    place.write_bytes(b"")


def a_copy(place: Path) -> None:
    """The same contents, and still another folder."""
    moved_away(place)
    build_tree(place)


LOSSES = {
    moved_away: "source_vanished",
    emptied_folder: "source_replaced",
    another_volume: "source_replaced",
    a_file: "source_vanished",
    a_copy: "source_replaced",
}


@pytest.fixture
def site(tmp_path: Path) -> Embedded:
    """A vault whose volume has one snapshot."""
    site = embed(tmp_path)
    with site.vault() as vault:
        vault.snapshot("db")
    return site


def recorded(site: Embedded) -> list[str]:
    """The types of the events in the store."""
    with writing(site.home) as unit:
        return [str(s.event.type) for s in read_events(unit.reader, unit.charter, [])]


@pytest.mark.parametrize(("loss", "event"), LOSSES.items(), ids=lambda x: getattr(x, "__name__", x))
def test_a_snapshot_refuses_and_puts_the_loss_on_record(
    site: Embedded, loss: Callable[[Path], None], event: str
) -> None:
    loss(site.source)
    expected = SourceVanished if event == "source_vanished" else SourceReplaced
    with site.vault() as vault:
        for _attempt in range(2):
            with pytest.raises(SourceError) as refusal:
                vault.snapshot("db")
            assert isinstance(refusal.value, expected)
        assert len(vault.snapshots("db")) == 1
        assert "nothing of it expires" in " ".join(vault.status().notes)
    assert recorded(site) == ["volume_added", event]


@pytest.mark.parametrize(("loss", "event"), LOSSES.items(), ids=lambda x: getattr(x, "__name__", x))
def test_the_daemon_notices_by_itself(
    site: Embedded, loss: Callable[[Path], None], event: str
) -> None:
    loss(site.source)
    with site.vault() as vault:
        looks = [duty for duty in vault.due() if duty.task is Task.LOOK]
        assert len(looks) == 1
        assert vault.perform(looks[0])
        assert [duty.task for duty in vault.due() if duty.task is Task.CAPTURE] == []
    assert recorded(site) == ["volume_added", event]
    with later(DAY), site.vault() as vault:  # its schedule strikes; it is not captured
        assert Task.CAPTURE not in {duty.task for duty in vault.due()}


def test_a_delete_does_not_take_what_stands_there_instead(site: Embedded) -> None:
    emptied_folder(site.source)
    with site.vault() as vault, pytest.raises(SourceReplaced):
        vault.delete("db", reason="test")
    assert site.source.exists()
    assert not site.trash.exists()


def test_back_again_it_is_captured_and_the_alarm_stays(site: Embedded) -> None:
    emptied_folder(site.source)
    site.daemon()
    site.source.rmdir()
    site.source.with_name("elsewhere").rename(site.source)
    site.daemon()
    with site.vault() as vault:
        assert vault.volume("db").state == "active"
        vault.snapshot("db")
        assert "nothing of it expires" in " ".join(vault.status().notes)
        vault.acknowledge("db")
        assert "nothing of it expires" not in " ".join(vault.status().notes)


@pytest.mark.skipif(not can_mount, reason="mounting needs root")
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_an_unmounted_disk_is_noticed(tmp_path: Path, kind: str) -> None:
    site = embed(tmp_path, tree=False)
    place, disk = tmp_path / "srv" / "disk", tmp_path / "disk"
    place.mkdir()
    build_tree(disk)
    with ExitStack() as stack, site.vault() as vault:
        mount = stack.enter_context(mounted(place, disk if kind == "bind" else None))
        (place / "file").write_bytes(b"on the disk")
        vault.add_volume(Enrolment(name="disk", path=str(place)))
        vault.snapshot("disk")
        mount.close()
        assert list(place.iterdir()) == []
        with pytest.raises(SourceReplaced):
            vault.snapshot("disk")
        assert len(vault.snapshots("disk")) == 1
    site.restore("disk", tmp_path / "back")
    assert (tmp_path / "back" / "file").read_bytes() == b"on the disk"


@contextmanager
def mounted(place: Path, disk: Path | None) -> Iterator[ExitStack]:
    """A disk at a place, until what this yields is closed."""
    how = ["--bind", str(disk)] if disk else ["-t", "tmpfs", "tmpfs"]
    subprocess.run(["mount", *how, str(place)], check=True)
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", str(place)], check=True)
        yield stack


@pytest.mark.rgw
@pytest.mark.skipif(not can_mount, reason="mounting needs root")
def test_nothing_of_it_expires_until_a_person_has_looked(rgw_own: Server, tmp_path: Path) -> None:
    """On a server, for months: what its calendar and its locks would let go stays."""
    scene = make_scene(fresh_bucket(rgw_own), tmp_path, tree=False)
    days, place, disk = Days(scene), tmp_path / "srv" / "disk", tmp_path / "disk"
    place.mkdir()
    build_tree(disk)
    with mounted(place, disk) as mount:
        with scene.vault() as vault:
            vault.add_volume(Enrolment(name="disk", path=str(place)))
            wait_for_the_hour()
            first = [vault.snapshot(name).id for name in ("disk", "disk", "db", "db")]
        kept = read_tree(place)
        mount.close()
        assert list(place.iterdir()) == []
        looked = [i for i in days.daemon() if i["task"] == "look" and i["detail"]]
        assert len(looked) == 1
        (volume,) = [i for i in days.run("volume", "list") if i["name"] == "disk"]
        assert volume["state"] == "replaced"
        assert "source_replaced" in stored_types(days)

        # Two months later its schedule struck often, and other volumes lost what they may lose.
        days.move(server=60 * DAY, host=60 * DAY)
        days.daemon()
        (report,) = days.run("collector", "--once", role="collector")
        assert report["deleted"] > 0
        left = {item["id"]: item for item in days.run("snapshots")}
        assert of_volume(days, "disk") == set(first[:2])
        assert first[2] not in of_volume(days, "db")
        days.run("restore", first[0], "--to", str(tmp_path / "back"), "--kit", str(scene.kit))
        assert read_tree(tmp_path / "back") == kept
        assert left
        assert locked_beyond(days, first[0], 90 * DAY)

        # Acknowledged, it is a volume like any other: one of two in the same hour goes.
        days.run("volume", "acknowledge", "disk")
        days.move(server=120 * DAY, host=120 * DAY)
        days.run("snapshot", "db")
        days.run("collector", "--once", role="collector")
        assert of_volume(days, "disk") == {first[1]}
    days.move(server=NOW, host=NOW)


def stored_types(days: Days) -> set[str]:
    """The types of the events in the store."""
    with (
        days.vault("writer", signing=days.host, believed=days.host),
        writing(days.scene.home()) as unit,
    ):
        return {str(s.event.type) for s in read_events(unit.reader, unit.charter, [])}


def of_volume(days: Days, name: str) -> set[str]:
    """The snapshots of a volume that are in the store."""
    with client_time(days.host):
        (volume,) = [i["id"] for i in days.run("volume", "list") if i["name"] == name]
        keys = [str(v["Key"]) for v in days.scene.versions() if f"/{volume}/snap_" in v["Key"]]
    return {key.rpartition("/")[2].partition("-")[0] for key in keys}


def locked_beyond(days: Days, snapshot: str, offset: timedelta) -> bool:
    """Whether a snapshot is locked for so long from the beginning on."""
    client = days.scene.client("reader")
    with client_time(days.host):
        (found,) = [v for v in days.scene.versions() if f"/{snapshot}-" in v["Key"]]
        head = client.head_object(
            Bucket=days.scene.bucket.name, Key=found["Key"], VersionId=found["VersionId"]
        )
    return bool(head["ObjectLockRetainUntilDate"] - found["LastModified"] > offset)


@pytest.mark.rgw
def test_a_volume_encrypted_from_inside_keeps_its_past(rgw_own: Server, tmp_path: Path) -> None:
    """The source is there and is itself: only its contents are gone. On a server, for months."""
    scene = make_scene(fresh_bucket(rgw_own), tmp_path, tree=False)
    days, texts = Days(scene), [scene.source / f"{number}.txt" for number in range(3)]
    for path in texts:
        path.write_bytes(os.urandom(4 << 20).hex().encode())
    wait_for_the_hour()
    good = {scene.snapshot().id for _ in range(5)}
    kept = read_tree(scene.source)

    days.move(server=8 * DAY, host=8 * DAY)
    for path in texts:
        path.write_bytes(os.urandom(path.stat().st_size))
    captured = [i for i in days.daemon() if i["task"] == "capture"]
    assert [i["outcome"] for i in captured] == ["done"]
    assert "attack_suspected" in stored_types(days)
    (status,) = days.run("status")
    (note,) = [note for note in status["notes"] if "looks attacked" in note]
    assert "100% of its contents were replaced within a day" in note

    days.move(server=80 * DAY, host=80 * DAY)
    days.daemon()
    days.run("collector", "--once", role="collector")
    assert good <= of_volume(days, "db")
    last = max(good)
    assert last in note
    target = tmp_path / "back"
    days.run("restore", last, "--to", str(target), "--kit", str(scene.kit))
    assert read_tree(target) == kept

    # Acknowledged, it is like any other: what its hour keeps but the last may go.
    days.run("volume", "acknowledge", "db")
    days.move(server=120 * DAY, host=120 * DAY)
    days.run("snapshot", "db")
    days.run("collector", "--once", role="collector")
    assert of_volume(days, "db") & good == {last}
    days.move(server=NOW, host=NOW)
