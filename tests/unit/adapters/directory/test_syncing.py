"""Syncing while a restore writes: in rounds, with a last one at the end, and no error lost."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from adapters.directory import kernel
from adapters.directory.identity import OPEN_DIRECTORY
from adapters.directory.syncing import Syncing
from vault.limits import MIB


class Disk:
    """Stands in for syncfs: notes its callers, and fails where it is told to."""

    def __init__(self) -> None:
        self.rounds: list[str] = []
        self.failing = False
        self.begun = threading.Event()

    def sync(self, _fd: int) -> None:
        self.rounds.append(threading.current_thread().name)
        self.begun.set()
        if self.failing:
            raise OSError(errno.EIO, "a write failed")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(kernel, "sync_file_system", disk.sync)
    return disk


def test_little_is_synced_once_at_the_end(disk: Disk) -> None:
    syncing = Syncing(0)
    syncing.wrote(MIB)
    syncing.finish()
    assert disk.rounds == [threading.current_thread().name]


def test_much_is_synced_beside_the_writing_and_again_at_the_end(disk: Disk) -> None:
    syncing = Syncing(0)
    syncing.wrote(300 * MIB)
    assert disk.begun.wait(30)
    syncing.finish()
    here = threading.current_thread().name
    assert [name == here for name in disk.rounds] == [False, True]


def test_what_a_round_met_ends_the_restore(disk: Disk) -> None:
    """The kernel tells of a failed write once: the sync at the end would find all well."""
    syncing = Syncing(0)
    disk.failing = True
    syncing.wrote(300 * MIB)
    assert disk.begun.wait(30)
    syncing.close()
    disk.failing = False
    with pytest.raises(OSError, match="a write failed"):
        syncing.finish()


def test_a_real_file_system_is_synced(tmp_path: Path) -> None:

    root = os.open(tmp_path, OPEN_DIRECTORY)
    try:
        syncing = Syncing(root)
        syncing.wrote(300 * MIB)
        syncing.finish()
    finally:
        os.close(root)
