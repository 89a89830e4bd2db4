"""Parts: files that a restore in place writes beside what they replace, until they get its name.

Whoever writes one holds its lock, which the kernel lets go of with the process: a part whose lock
can be had was left by a restore that was killed. Where a file system knows no such locks, none
can be had, and parts stay.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from typing import Final

from adapters.directory.content import open_quietly
from adapters.directory.trail import open_below

_NAME: Final = re.compile(rb"\.vault-part-[1-9][0-9]{0,9}-[1-9][0-9]{0,9}")  # see config.PART


def is_part(name: bytes) -> bool:
    """Whether a part could have this name."""
    return _NAME.fullmatch(name) is not None


def claim(fd: int) -> None:
    """Say of a part that was just made that it is being written, for as long as `fd` is open.

    Who is about to clear it may be faster: then its name is gone, and renaming it fails.
    """
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear(root: int, path: bytes) -> bool:
    """Remove what is a part for certain, and nobody's; its folder keeps its times. Or False."""
    folder, _, name = path.rpartition(b"/")
    try:
        parent = open_below(root, folder)
    except OSError:
        return False
    try:
        return is_part(name) and _clear(parent, name)
    except OSError:
        return False
    finally:
        os.close(parent)


def _clear(parent: int, name: bytes) -> bool:
    if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        return False
    fd = open_quietly(name, parent)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held, there = os.fstat(fd), os.stat(name, dir_fd=parent, follow_symlinks=False)
        if held.st_nlink != 1 or not os.path.samestat(held, there):
            return False
        before = os.fstat(parent)
        os.unlink(name, dir_fd=parent)
        with suppress(OSError):
            os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))
        return True
    finally:
        os.close(fd)
