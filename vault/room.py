"""Whether a file system has room, asked where what failed does not say why."""

from __future__ import annotations

import os
from pathlib import Path


def is_full(folder: Path) -> bool:
    """Whether it has no free block, or no free inode where it counts them; not where unknown."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return False
    return told.f_bavail == 0 or (told.f_files > 0 and told.f_favail == 0)
