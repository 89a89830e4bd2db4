"""Quarantine: where the data wait, and who wins."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.adapters.directory.mounting import attached, needs_mounts, on_disk, tmpfs
from tests.unit.adapters.directory.waiting import (
    ADAPTER,
    TOMBSTONE,
    TRASH,
    permit,
    planned,
)
from vault.errors import (
    PlaceTaken,
    SourceVanished,
)
from vault.provider import Whereabouts
from vault.testing.builders import build_tree
from vault.testing.trees import read_tree


def test_it_waits_closed_beside_the_volume(volume: Path) -> None:
    place = planned(volume)
    ADAPTER.quarantine(place)
    trash = volume.parent / TRASH
    assert place.held_at == str(trash / TOMBSTONE / "data")
    assert (trash / TOMBSTONE / "data" / "d" / "f").read_text() == "content"
    for folder in (trash, trash / TOMBSTONE):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not volume.exists()
    ADAPTER.undelete(place)
    assert sorted(os.listdir(volume.parent)) == ["other", "volume"]


def test_several_wait_in_one_trash(volume: Path) -> None:
    second = volume.parent / "second"
    build_tree(second)
    places = [planned(volume), planned(second, TOMBSTONE[:-1] + "1")]
    for place in places:
        ADAPTER.quarantine(place)
    ADAPTER.undelete(places[0])
    assert ADAPTER.whereabouts(places[1]) is Whereabouts.QUARANTINED
    ADAPTER.undelete(places[1])
    assert not (volume.parent / TRASH).exists()


@needs_mounts
def test_a_mount_points_children_wait_inside(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir(mode=0o751)
    with tmpfs(root, options="size=64m,mode=751"):
        build_tree(root)
        os.chmod(root, 0o751)
        before = read_tree(root)
        place = planned(root)
        ADAPTER.quarantine(place)
        assert os.listdir(root) == [TRASH]
        assert stat.S_IMODE(os.stat(place.held_at).st_mode) == 0o751
        assert read_tree(place.held_at) == before
        ADAPTER.undelete(place)
        assert read_tree(root) == before


def test_a_volume_reached_by_a_symlink_is_the_one_it_leads_to(volume: Path) -> None:
    link = volume.parent / "link"
    link.symlink_to("volume")
    place = planned(link)
    assert place.location == str(volume)
    ADAPTER.quarantine(place)
    assert link.is_symlink()
    ADAPTER.undelete(place)
    assert (link / "g").read_text() == "more"


def test_it_takes_as_long_for_much_as_for_little(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O(1): not one call looks below the root."""
    calls: list[object] = []

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls.append(arguments)
            return real(*arguments)

        return call

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    place = planned(volume)
    ADAPTER.quarantine(place)
    ADAPTER.undelete(place)
    assert not calls


def test_exactly_one_of_undelete_and_purge_succeeds(either: Path) -> None:
    before = read_tree(either)
    for attempt in range(15):
        place = planned(either, f"{TOMBSTONE}{attempt}")
        ADAPTER.quarantine(place)
        with ThreadPoolExecutor(2) as pool:
            works = (ADAPTER.undelete, lambda place: ADAPTER.purge(permit(place)))
            futures = [pool.submit(work, place) for work in works]
        won = [future for future in futures if future.exception() is None]
        lost = [future.exception() for future in futures if future not in won]
        assert len(won) == 1
        assert isinstance(lost[0], SourceVanished)
        if won == futures[1:]:
            return
        assert read_tree(either) == before


def test_the_way_out_of_a_taken_place(either: Path) -> None:
    place = planned(either)
    ADAPTER.quarantine(place)
    either.mkdir(exist_ok=True)
    (either / "g2").write_text("new")
    with pytest.raises(PlaceTaken) as caught:
        ADAPTER.undelete(place)
    assert place.held_at in caught.value.safe
    assert (either / "g2").read_text() == "new"
    assert ADAPTER.whereabouts(place) is Whereabouts.QUARANTINED


def test_data_that_someone_destroyed_are_gone(either: Path) -> None:
    place = planned(either)
    ADAPTER.quarantine(place)
    trash = Path(place.held_at).parent.parent
    shutil.rmtree(trash)
    assert ADAPTER.whereabouts(place) is Whereabouts.GONE
    with pytest.raises(SourceVanished):
        ADAPTER.undelete(place)


def test_what_a_purge_left_empty_goes_with_the_undelete_that_finds_nothing(volume: Path) -> None:
    """One that was killed right before it removed the tombstone's folder."""
    place = planned(volume)
    ADAPTER.quarantine(place)
    shutil.rmtree(place.held_at)
    with pytest.raises(SourceVanished):
        ADAPTER.undelete(place)
    assert not (volume.parent / TRASH).exists()


@needs_mounts
def test_an_unmounted_disk_is_not_a_destroyed_volume(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with tmpfs(tmp_path / "disk") as disk:
        (disk / "volume").mkdir()
        (disk / "f").touch()
        places = [planned(disk / "volume")]
        ADAPTER.quarantine(places[0])
        ADAPTER.undelete(places[0])
        places.append(planned(disk, TOMBSTONE + "1"))
        ADAPTER.quarantine(places[1])
    for place in places:
        with pytest.raises(SourceVanished, match="not mounted"):
            ADAPTER.whereabouts(place)
        with pytest.raises(SourceVanished):
            ADAPTER.purge(permit(place))


@pytest.mark.skipif(not shutil.which("mkfs.xfs"), reason="needs xfsprogs")
@needs_mounts
def test_what_waits_on_a_disk_that_is_numbered_anew_returns(tmp_path: Path) -> None:
    """XFS has no name for itself but its device's number, and that is another one after a boot."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    image.touch()
    os.truncate(image, 320 << 20)
    subprocess.run(["mkfs.xfs", "-q", image], check=True)
    with attached(image) as device, on_disk(device, disk):
        (disk / "volume").mkdir()
        (disk / "volume" / "f").write_text("content")
        place = planned(disk / "volume")
        ADAPTER.quarantine(place)
    with attached(image), attached(image) as device, on_disk(device, disk):
        assert str(disk.stat().st_dev) != dict(place.identity.terms)["device"]
        assert ADAPTER.whereabouts(place) is Whereabouts.QUARANTINED
        ADAPTER.undelete(place)
        assert (disk / "volume" / "f").read_text() == "content"
