"""Extended attributes, POSIX ACLs among them: read all, write all, leave none that is not meant."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final

Attributes = tuple[tuple[bytes, bytes], ...]
Refused = Callable[[bytes, OSError], None]

SUPPORTED: Final = hasattr(os, "listxattr")  # Linux only

_ABSENT: Final = {errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_OURS: Final = (b"user.", b"system.posix_acl_")


def read(target: int | bytes, refused: Refused) -> Attributes:
    """All attributes, sorted by name, of a descriptor or of what a path names (no link followed).

    `refused` hears of those that cannot be read (name, or b"" for all). Raises OSError where the
    target is gone.
    """
    if not SUPPORTED:
        return ()
    follow = isinstance(target, int)
    try:
        names = os.listxattr(target, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _ABSENT:
            return ()
        if error.errno == errno.ENOENT:
            raise
        refused(b"", error)
        return ()
    found = []
    for text in sorted(names):
        name = os.fsencode(text)
        try:
            found.append((name, os.getxattr(target, name, follow_symlinks=follow)))
        except OSError as error:
            if error.errno not in _ABSENT:
                refused(name, error)
    return tuple(sorted(found))


def write(target: int | bytes, wanted: Attributes, refused: Refused) -> None:
    """Make the attributes of a descriptor (or of what a /proc path leads to) those wanted.

    Others of the user's and inherited ACLs are removed; labels that the system gives stay.
    """
    if not SUPPORTED:
        for name, _ in wanted:
            refused(name, OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)))
        return
    names = {name for name, _ in wanted}
    for name in inherited(target):
        if name not in names:
            os.removexattr(target, name)
    for name, value in wanted:
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            refused(name, error)


def inherited(target: int | bytes) -> list[bytes]:
    """The attributes, but for the system's labels, that something has before any are written."""
    if not SUPPORTED:
        return []
    try:
        names = map(os.fsencode, os.listxattr(target))
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return []
    return [name for name in names if name.startswith(_OURS)]


def settable(attributes: Attributes) -> Attributes:
    """Those of the attributes that this process may set."""
    if os.geteuid() == 0:
        return attributes
    return tuple(pair for pair in attributes if pair[0].startswith(_OURS))
