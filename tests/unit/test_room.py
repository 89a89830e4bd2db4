"""A file system without room is known by its blocks or its inodes."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from vault.room import is_full


@pytest.mark.parametrize(
    ("blocks", "files", "inodes", "full"),
    [(5, 100, 5, False), (0, 100, 5, True), (5, 100, 0, True), (5, 0, 0, False)],
)
def test_what_is_free_decides(
    monkeypatch: pytest.MonkeyPatch, blocks: int, files: int, inodes: int, full: bool
) -> None:
    """A file system that counts no inodes (btrfs) has as many as it wants."""
    told = SimpleNamespace(f_bavail=blocks, f_files=files, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda _folder: told)
    assert is_full(Path("/")) is full


def test_of_what_is_not_there_nothing_is_said(tmp_path: Path) -> None:
    assert not is_full(tmp_path / "gone")
