"""Compares two trees byte for byte with all their metadata, and says in words what differs."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tree:
    """What a tree holds: path → facts by name, and the paths that share an inode. Comparable."""

    facts: dict[bytes, dict[str, object]]
    links: list[list[bytes]]


def differences(one: Path | str, other: Path | str) -> list[str]:
    """All that differs, a line each; empty where the trees are equal.

    Compared are names, kinds, modes, owners, mtimes, contents, holes, targets, device numbers,
    attributes (ACLs among them) and which names share an inode.
    """
    a, b = read_tree(one), read_tree(other)
    lines = [f"{path!r} is only in {one}" for path in sorted(a.facts.keys() - b.facts.keys())]
    lines += [f"{path!r} is only in {other}" for path in sorted(b.facts.keys() - a.facts.keys())]
    for path in sorted(a.facts.keys() & b.facts.keys()):
        mine, yours = a.facts[path], b.facts[path]
        lines += [
            f"{path!r}: {name} is {mine.get(name)!r} and {yours.get(name)!r}"
            for name in sorted(mine.keys() | yours.keys())
            if mine.get(name) != yours.get(name)
        ]
    if a.links != b.links:
        lines.append(f"hard links are {a.links!r} and {b.links!r}")
    return lines


def read_tree(root: Path | str) -> Tree:
    """All that stands below a directory, and the directory itself."""
    seen = _Seen()
    with _opened(os.fsencode(root), None) as fd:
        seen.facts[b""] = _facts(fd, b".", os.fstat(fd))
        _walk(fd, b"", seen)
    return Tree(seen.facts, sorted(sorted(paths) for paths in seen.names.values()))


@dataclass(slots=True)
class _Seen:
    """Facts by path, and paths by inode, while they are gathered."""

    facts: dict[bytes, dict[str, object]] = field(default_factory=dict)
    names: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)


def _walk(fd: int, prefix: bytes, seen: _Seen) -> None:
    for name in sorted(map(os.fsencode, os.listdir(fd))):
        path = prefix + name
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        seen.facts[path] = _facts(fd, name, info)
        if stat.S_ISDIR(info.st_mode):
            with _opened(name, fd) as child:
                _walk(child, path + b"/", seen)
        elif info.st_nlink > 1:
            seen.names.setdefault((info.st_dev, info.st_ino), []).append(path)


def _facts(fd: int, name: bytes, info: os.stat_result) -> dict[str, object]:
    facts: dict[str, object] = {
        "kind": stat.S_IFMT(info.st_mode),
        "mode": oct(stat.S_IMODE(info.st_mode)),
        "owner": (info.st_uid, info.st_gid),
        "mtime": info.st_mtime_ns,
        "attributes": _attributes(b"/proc/self/fd/%d/%s" % (fd, name)),
    }
    if stat.S_ISREG(info.st_mode):
        facts |= {"size": info.st_size, **_content(fd, name)}
    elif stat.S_ISLNK(info.st_mode):
        facts["target"] = os.readlink(name, dir_fd=fd)
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        facts["device"] = info.st_rdev
    return facts


def _attributes(path: bytes) -> dict[str, bytes]:
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}


def _content(parent: int, name: bytes) -> dict[str, object]:
    digest = blake2b()
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        while block := os.read(fd, _BLOCK):
            digest.update(block)
        return {"content": digest.hexdigest()[:16], "data": list(_data(fd))}
    finally:
        os.close(fd)


def _data(fd: int) -> Iterator[tuple[int, int]]:
    """Where the data lie, from and to."""
    end = 0
    while True:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


@contextmanager
def _opened(name: bytes, parent: int | None) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
        stack.callback(os.close, fd)
        yield fd
