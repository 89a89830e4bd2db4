"""Real files, copied and compared."""

from __future__ import annotations

import os
from pathlib import Path

from vault.demo.sample import copy_sample, traces


def _tree(root: Path) -> Path:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "one").write_bytes(b"1" * 1000)
    (root / "two").write_bytes(b"2" * 2000)
    (root / "link").symlink_to("two")
    os.mkfifo(root / "fifo")
    return root


def test_files_and_links_are_copied_and_nothing_else(tmp_path: Path) -> None:
    """A FIFO would never end."""
    sample = copy_sample((_tree(tmp_path / "from"),), tmp_path / "to", 10_000)
    assert sample.files == 3
    assert sample.bytes == 3000 + len("two")
    assert traces(tmp_path / "to").keys() == {
        *("from", "from/deep", "from/deep/er", "from/deep/er/one", "from/two", "from/link"),
    }


def test_the_limit_holds(tmp_path: Path) -> None:
    """What would exceed it is left out, smaller files still fit."""
    sample = copy_sample((_tree(tmp_path / "from"),), tmp_path / "to", 1500)
    assert sample.bytes <= 1500
    assert (tmp_path / "to" / "from" / "deep" / "er" / "one").exists()


def test_a_trace_sees_every_difference(tmp_path: Path) -> None:
    """One bit of content, of mode, of time, of a link."""
    root = _tree(tmp_path / "tree")
    (root / "fifo").unlink()
    before = traces(root)
    assert traces(root) == before
    (root / "two").write_bytes(b"3" + b"2" * 1999)
    os.utime(root / "two", ns=(0, before["two"].mtime_ns))
    (root / "deep" / "er" / "one").chmod(0o600)
    os.utime(root / "link", ns=(1, 1), follow_symlinks=False)
    after = traces(root)
    changed = {path for path, trace in before.items() if after[path] != trace}
    assert changed == {"two", "deep/er/one", "link"}
