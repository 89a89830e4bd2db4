"""A disk in memory that has only as much room as a test leaves it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096
_LARGE = "size=256m,nr_inodes=100k"


class SmallDisk:
    """A tmpfs: whatever needs another page or inode of it may be refused."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def leave(self, pages: int) -> None:
        """From now on so many pages and as many inodes are free, and no more."""
        told = os.statvfs(self._place)
        used = (told.f_blocks - told.f_bfree) * told.f_frsize
        size = max(PAGE, used + pages * PAGE)  # 0 would be no bound at all
        inodes = told.f_files - told.f_ffree + pages
        self._remount(f"size={size},nr_inodes={inodes}")

    def grow(self) -> None:
        """There is room again."""
        self._remount(_LARGE)

    def _remount(self, terms: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{terms}", str(self._place)], check=True)


@contextmanager
def small_disk(place: Path) -> Iterator[SmallDisk]:
    """Mount one; needs root."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", _LARGE, "none", str(place)], check=True)
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
