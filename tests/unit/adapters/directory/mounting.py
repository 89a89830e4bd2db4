"""File systems for tests, mounted where root may do so."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest


@cache
def can_mount() -> bool:
    """Whether this process may mount a tmpfs."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return done.returncode == 0


def mounted(what: str, point: Path, *, options: str = "size=64m") -> None:
    """Mount a fresh tmpfs."""
    subprocess.run(["mount", "-t", what, "-o", options, "none", str(point)], check=True)


@contextmanager
def tmpfs(point: Path, *, options: str = "size=64m") -> Iterator[Path]:
    """A fresh tmpfs at an existing directory, for a while."""
    mounted("tmpfs", point, options=options)
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


@contextmanager
def attached(image: Path) -> Iterator[str]:
    """A block device over a file, for a while; skips where this system has none."""
    made = subprocess.run(["losetup", "--show", "-f", image], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("no loop device")
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


@contextmanager
def on_disk(device: str, point: Path) -> Iterator[Path]:
    """What a block device holds, for a while; skips where this system cannot read it."""
    if subprocess.run(["mount", device, str(point)], capture_output=True).returncode != 0:
        pytest.skip("a file system that this kernel does not know")
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


@contextmanager
def bound(source: Path, point: Path) -> Iterator[Path]:
    """A directory (or file) visible at a second place, for a while."""
    subprocess.run(["mount", "--bind", str(source), str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


needs_mounts = pytest.mark.skipif(not can_mount(), reason="mounting needs root")
