"""Quarantine: what cannot be set aside stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.directory import beside, kernel
from tests.unit.adapters.directory.mounting import bound, needs_mounts, tmpfs
from tests.unit.adapters.directory.waiting import (
    ADAPTER,
    TRASH,
    needs_root,
    permit,
    planned,
)
from vault.errors import (
    QuarantineRefused,
    SourceError,
    SourceReplaced,
)
from vault.provider import Whereabouts
from vault.testing.trees import read_tree


def test_the_root_of_everything_is_refused() -> None:
    with pytest.raises(QuarantineRefused):
        planned(Path("/"))


@pytest.mark.parametrize("tombstone", ["", "..", "a/b", "x\0", "é"])
def test_a_tombstone_that_is_no_name_is_refused(volume: Path, tombstone: str) -> None:
    with pytest.raises(QuarantineRefused):
        planned(volume, tombstone)


@needs_mounts
def test_file_systems_inside_are_refused(volume: Path) -> None:
    with tmpfs(volume / "d"), pytest.raises(QuarantineRefused, match="mounted in it"):
        planned(volume)
    with bound(volume.parent, volume / "d"), pytest.raises(QuarantineRefused):
        planned(volume)


@needs_mounts
def test_a_mount_that_came_after_the_plan_is_refused(volume: Path) -> None:
    place = planned(volume)
    with tmpfs(volume), pytest.raises(SourceReplaced):
        ADAPTER.quarantine(place)
    assert (volume / "g").exists()
    assert ADAPTER.whereabouts(place) is Whereabouts.IN_PLACE


@needs_mounts
def test_a_read_only_file_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with tmpfs(tmp_path / "disk") as disk:
        (disk / "volume").mkdir()
        os.system(f"mount -o remount,ro {disk}")
        with pytest.raises(QuarantineRefused, match="read-only"):
            planned(disk / "volume")


def test_no_right_to_write_is_refused(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    (shared / "closed").mkdir(mode=0o755)
    (shared / "closed" / "volume").mkdir()
    (shared / "sticky").mkdir()
    (shared / "sticky").chmod(0o1777)
    (shared / "sticky" / "volume").mkdir()
    (shared / "sticky" / "volume").chmod(0o777)
    if os.geteuid() != 0:
        (shared / "closed").chmod(0o555)

    def check() -> None:
        places = ["closed"] + ["sticky"] * (os.getuid() == 0)
        for place in places:
            with pytest.raises(QuarantineRefused):
                planned(shared / place / "volume")

    as_nobody(check)
    (shared / "closed").chmod(0o755)


def test_a_trash_of_someone_elses_making_is_refused(volume: Path, tmp_path: Path) -> None:
    trash = volume.parent / TRASH
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    trash.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QuarantineRefused):
        planned(volume)
    trash.unlink()
    place = planned(volume)
    trash.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QuarantineRefused):
        ADAPTER.quarantine(place)
    trash.unlink()
    trash.mkdir(mode=0o755)
    with pytest.raises(QuarantineRefused, match="open to other users"):
        ADAPTER.quarantine(place)
    trash.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(trash, 1234, 1234)
        with pytest.raises(QuarantineRefused, match="1234"):
            ADAPTER.quarantine(place)
    assert (volume / "g").exists()
    assert not os.listdir(tmp_path / "elsewhere")


def test_a_tombstone_that_is_taken_is_refused(volume: Path) -> None:
    ADAPTER.quarantine(planned(volume))
    volume.mkdir()
    with pytest.raises(QuarantineRefused, match="already"):
        planned(volume)


@needs_root
def test_what_cannot_be_renamed_stays(either: Path) -> None:
    before = read_tree(either)
    place = planned(either)
    immutable = either / "g3" if either.is_mount() else either
    if os.system(f"chattr +i {immutable} 2>/dev/null"):
        pytest.skip("no immutable files here")
    try:
        with pytest.raises(QuarantineRefused):
            ADAPTER.quarantine(place)
        assert ADAPTER.whereabouts(place) is Whereabouts.IN_PLACE
    finally:
        os.system(f"chattr -i {immutable}")
    assert read_tree(either) == before
    assert not (either / TRASH).exists()
    assert not (either.parent / TRASH).exists()


def test_another_directory_with_the_same_name_is_not_moved(volume: Path) -> None:
    place = planned(volume)
    volume.rename(volume.parent / "moved")
    volume.mkdir()
    with pytest.raises(SourceReplaced):
        ADAPTER.quarantine(place)
    volume.rmdir()
    volume.symlink_to("moved")
    with pytest.raises(SourceReplaced):
        ADAPTER.quarantine(place)
    assert (volume.parent / "moved" / "g").exists()


def test_one_that_is_swapped_at_the_last_instant_is_given_back(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = planned(volume)

    def swapped(source: int, old: bytes, target: int, new: bytes) -> None:
        monkeypatch.setattr(beside, "rename_new", kernel.rename_new)
        volume.rename(volume.parent / "moved")
        volume.mkdir()
        (volume / "another").touch()
        kernel.rename_new(source, old, target, new)

    monkeypatch.setattr(beside, "rename_new", swapped)
    with pytest.raises(SourceReplaced):
        ADAPTER.quarantine(place)
    assert os.listdir(volume) == ["another"]
    assert not (volume.parent / TRASH).exists()


def test_places_that_do_not_belong_together_are_refused(volume: Path, tmp_path: Path) -> None:
    place = planned(volume)
    for held in ("/etc", str(tmp_path), place.location, place.held_at + "/..", ""):
        foreign = replace(place, held_at=held)
        for call in (ADAPTER.quarantine, ADAPTER.undelete, ADAPTER.whereabouts):
            with pytest.raises(SourceError):
                call(foreign)
        with pytest.raises(SourceError):
            ADAPTER.purge(permit(foreign))
    with pytest.raises(SourceError):
        ADAPTER.purge(permit(replace(place, tombstone="..")))


@pytest.mark.parametrize("location", ["", "relative", "../above", "/nul\0/inside"])
def test_a_place_that_no_plan_gives_is_refused(volume: Path, location: str) -> None:
    """Records come from the store: whoever signs them must not keep this host from going on."""
    place = planned(volume)
    for held in (
        f"/{TRASH}/{place.tombstone}/data",
        f"{location}/{TRASH}/{place.tombstone}/children",
    ):
        hostile = replace(place, location=location, held_at=held)
        for call in (ADAPTER.quarantine, ADAPTER.undelete, ADAPTER.whereabouts):
            with pytest.raises(SourceError):
                call(hostile)
        with pytest.raises(SourceError):
            ADAPTER.purge(permit(hostile))
