"""Purge: what it destroys, and what it may not touch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.directory import kernel, quarantine
from tests.unit.adapters.directory.mounting import bound, needs_mounts, tmpfs
from tests.unit.adapters.directory.waiting import (
    ADAPTER,
    permit,
    planned,
)
from vault import limits
from vault.errors import (
    SourceDenied,
    SourceReplaced,
)
from vault.provider import Whereabouts
from vault.testing.builders import build_tree
from vault.testing.trees import differences


def test_a_purge_follows_no_symlink(volume: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (volume / "to-folder").symlink_to(outside)
    (volume / "to-file").symlink_to(outside / "precious")
    (volume / "d" / "hard").hardlink_to(outside / "precious")
    place = planned(volume)
    ADAPTER.quarantine(place)
    ADAPTER.purge(permit(place))
    assert (outside / "precious").exists()
    assert sorted(os.listdir(volume.parent)) == ["other"]


def test_everything_that_a_tree_holds_is_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPEN_DIRECTORIES", 5)
    build_tree(tmp_path / "volume")
    place = planned(tmp_path / "volume")
    ADAPTER.quarantine(place)
    ADAPTER.purge(permit(place))
    assert os.listdir(tmp_path) == []


def test_closed_folders_are_destroyed_by_their_owner(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    def check() -> None:
        volume = shared / "volume"
        (volume / "a" / "b").mkdir(parents=True)
        (volume / "a" / "b" / "f").touch()
        (volume / "a" / "b").chmod(0)
        (volume / "a").chmod(0o500)
        place = planned(volume)
        ADAPTER.quarantine(place)
        ADAPTER.purge(permit(place))
        assert os.listdir(shared) == []

    as_nobody(check)


@needs_mounts
def test_a_purge_stops_at_mounts(volume: Path) -> None:
    place = planned(volume)
    ADAPTER.quarantine(place)
    with tmpfs(Path(place.held_at) / "d") as disk:
        (disk / "precious").touch()
        with pytest.raises(SourceDenied):
            ADAPTER.purge(permit(place))
        assert (disk / "precious").exists()
    with bound(volume.parent, Path(place.held_at) / "d"), pytest.raises(SourceDenied):
        ADAPTER.purge(permit(place))
    assert (volume.parent / "other").exists()
    ADAPTER.purge(permit(place))
    assert ADAPTER.whereabouts(place) is Whereabouts.GONE


def test_a_purge_wants_the_directory_that_was_quarantined(volume: Path) -> None:
    place = planned(volume)
    ADAPTER.quarantine(place)
    data = Path(place.held_at)
    data.rename(data.parent / "aside")
    data.mkdir()
    (data / "precious").touch()
    with pytest.raises(SourceReplaced):
        ADAPTER.purge(permit(place))
    assert (data / "precious").exists()


def test_a_rename_without_the_kernels_help_looks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "_libc", lambda: object())
    (tmp_path / "a").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        kernel.rename_new(fd, b"a", fd, b"b")
        (tmp_path / "a").mkdir()
        with pytest.raises(FileExistsError):
            kernel.rename_new(fd, b"a", fd, b"b")
        kernel.sync_file_system(fd)
        assert kernel.look(fd) == kernel.Extra(None, None)
        assert not kernel.is_mount(fd, os.fsencode(tmp_path))
    finally:
        os.close(fd)


def test_the_plan_is_a_value(volume: Path) -> None:
    assert planned(volume) == planned(volume)
    assert quarantine.whereabouts(planned(volume)) is Whereabouts.IN_PLACE
    assert not differences(volume, volume)
