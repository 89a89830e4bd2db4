"""The trees of the tests are the same for the same seed, and every difference is seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vault.testing.builders import acl, build_tree
from vault.testing.trees import differences


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two trees of one seed."""
    for name in ("a", "b"):
        build_tree(tmp_path / name, seed=5)
    return tmp_path / "a", tmp_path / "b"


def test_the_same_seed_makes_the_same_tree(pair: tuple[Path, Path]) -> None:
    assert not differences(*pair)


def test_another_seed_makes_another_tree(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    build_tree(tmp_path / "c", seed=6)
    assert len(differences(pair[0], tmp_path / "c")) > 20


def rewrite(path: Path, data: bytes) -> None:
    """Change bytes and leave size and mtime."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(0, before.st_mtime_ns))


def relink(path: Path) -> None:
    """An inode of its own for what was a hard link, the same in everything else."""
    before, data = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    path.chmod(before.st_mode & 0o7777)
    if os.geteuid() == 0:
        os.chown(path, before.st_uid, before.st_gid)
    os.utime(path, ns=(0, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        ("some", lambda path: path.chmod(0o611), "mode"),
        ("one", lambda path: rewrite(path, b"?"), "content"),
        ("one", lambda path: os.utime(path, ns=(1, 1)), "mtime"),
        ("many", lambda path: os.utime(path, ns=(1, 1)), "mtime"),
        ("link-up", lambda path: os.utime(path, ns=(1, 1), follow_symlinks=False), "mtime"),
        ("some", lambda path: os.setxattr(path, "user.x", b""), "attributes"),
        ("acl", lambda path: os.setxattr(path, "system.posix_acl_access", acl(9)), "attributes"),
        ("empty", Path.unlink, "is only in"),
        ("linked-again", relink, "hard links"),
        ("sparse-nothing-else", lambda path: rewrite(path, bytes(path.stat().st_size)), "data"),
    ],
)
def test_every_difference_is_seen(
    pair: tuple[Path, Path], name: str, change: Callable[[Path], None], word: str
) -> None:
    root = (pair[1].stat().st_atime_ns, pair[1].stat().st_mtime_ns)
    change(pair[1] / name)
    os.utime(pair[1], ns=root)
    (line,) = differences(*pair)
    assert word in line
