"""The attacker really deletes, and says what it did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vault.demo.attack import NOBODY, attack


def test_everything_within_reach_is_deleted(tmp_path: Path) -> None:
    """Read-only files and folders are no obstacle to their owner; links are not followed."""
    target, outside = tmp_path / "target", tmp_path / "outside"
    (target / "folder").mkdir(parents=True)
    (target / "folder" / "file").write_bytes(b"12345")
    (target / "folder" / "file").chmod(0o400)
    (target / "folder").chmod(0o500)
    outside.write_bytes(b"safe")
    (target / "link").symlink_to(outside)
    loot = attack((target,), 1.0, None)
    assert not target.exists()
    assert outside.read_bytes() == b"safe"
    assert loot.deleted == 2
    assert loot.bytes >= 5
    assert loot.attempts > loot.deleted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_delete_what_is_not_theirs(tmp_path: Path) -> None:
    """The attack tries, and the file stands."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"12345")
    loot = attack((mine, tmp_path), 1.0, NOBODY)
    assert mine.exists()
    assert loot.deleted == 0
    assert loot.attempts > 0
