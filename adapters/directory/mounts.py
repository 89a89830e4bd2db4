"""The mount table: which file systems lie below a place, and where a place lies in its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

_TABLE: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of mountinfo: `root` is the place inside file system `device`."""

    device: bytes
    root: bytes
    point: bytes


def read_mounts() -> list[Mount]:
    """All mounts that this process sees, in order; none where the system has no such table."""
    try:
        lines = _TABLE.read_bytes().split(b"\n")  # no other byte ends one, as in names there are
    except OSError:
        return []
    return [parse(line) for line in lines if line]


def parse(line: bytes) -> Mount:
    """Read one line (proc(5)); blanks in paths are written as octal escapes."""
    fields = line.split(b" ")
    return Mount(fields[2], _plain(fields[3]), _plain(fields[4]))


def mounted_below(path: bytes) -> list[bytes]:
    """Mount points strictly below a resolved path."""
    prefix = path.rstrip(b"/") + b"/"
    return sorted({m.point for m in read_mounts() if m.point.startswith(prefix)} - {path})


def position(path: bytes) -> tuple[bytes, bytes] | None:
    """The file system that holds a resolved path, and the path inside it."""
    best: Mount | None = None
    for mount in read_mounts():
        # The later of two mounts on one point hides the earlier.
        if is_within(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    if best is None:
        return None
    rest = path[len(best.point.rstrip(b"/")) :]
    return best.device, (best.root.rstrip(b"/") + rest) or b"/"


def is_within(path: bytes, folder: bytes) -> bool:
    """Whether a path is a folder or lies below it, by its text."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _plain(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)
