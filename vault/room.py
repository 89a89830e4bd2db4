"""Whether a file system has room: by what the system said, or asked where that tells nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where a disk is full, or a user's share of it."""


def is_full(folder: Path) -> bool:
    """Whether it has no free block, or no free inode where it counts them; not where unknown."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return False
    return told.f_bavail == 0 or (told.f_files > 0 and told.f_favail == 0)
