"""Builds a tree with everything that a Unix file has, the same for the same seed."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import shake_256
from pathlib import Path
from typing import Final

_ACCESS: Final = "system.posix_acl_access"
_DEFAULT: Final = "system.posix_acl_default"
_MIB: Final = 1 << 20
_DEEP: Final = 20  # of names of 250 bytes: longer than PATH_MAX
_LONG: Final = 250


def build_tree(root: Path, *, seed: int = 0) -> None:
    """Make and fill `root`, which is new or empty. Devices and other owners only as root."""
    root.mkdir(mode=0o750, exist_ok=True)
    with _opened(os.fsencode(root), None) as fd:
        tree = _Tree(fd, seed)
        for part in (_plain, _named, _moded, _linked, _special, _attributed, _sparse, _deep):
            part(tree)
        tree.date(fd)


def seeded(seed: int, label: str, size: int) -> bytes:
    """`size` bytes that depend on nothing but seed and label."""
    return shake_256(f"{seed}/{label}".encode()).digest(size)


class _Tree:
    """A directory being filled; `number` draws small numbers, the same for the same seed."""

    def __init__(self, fd: int, seed: int) -> None:
        self.fd = fd
        self.seed = seed
        self.rooted = os.geteuid() == 0

    def number(self, label: str, below: int) -> int:
        return int.from_bytes(seeded(self.seed, label, 8), "big") % below

    def file(self, name: bytes, size: int, *, mode: int = 0o644, at: int | None = None) -> None:
        parent = self.fd if at is None else at
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent)
        try:
            os.write(fd, seeded(self.seed, repr(name), size))
            if self.rooted and self.number(f"own {name!r}", 2):
                os.chown(fd, 1000 + self.number(f"uid {name!r}", 9), 2000)
            os.chmod(fd, mode)
        finally:
            os.close(fd)

    @contextmanager
    def folder(self, name: bytes, *, mode: int = 0o755, at: int | None = None) -> Iterator[int]:
        parent = self.fd if at is None else at
        os.mkdir(name, 0o700, dir_fd=parent)
        with _opened(name, parent) as fd:
            yield fd
            self.date(fd)
            os.chmod(fd, mode)
            self._date(fd)

    def date(self, fd: int) -> None:
        """Give everything in an open directory, and itself, times down to the nanosecond."""
        for name in map(os.fsencode, os.listdir(fd)):
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISDIR(info.st_mode):
                at = self._time(f"time {info.st_mode} {name!r}")
                os.utime(name, ns=(at, at), dir_fd=fd, follow_symlinks=False)
        self._date(fd)

    def _date(self, fd: int) -> None:
        at = self._time(f"directory {sorted(os.listdir(fd))!r}")
        os.utime(fd, ns=(at, at))

    def _time(self, label: str) -> int:
        return self.number(label, 1_700_000_000) * 10**9 + self.number(label + " ns", 10**9)


def _plain(tree: _Tree) -> None:
    tree.file(b"empty", 0)
    tree.file(b"one", 1)
    tree.file(b"some", 100 + tree.number("some", 5000))
    tree.file(b"large", 3 * _MIB + tree.number("large", 4096))
    with tree.folder(b"empty-folder"):
        pass
    with tree.folder(b"many") as many:
        for count in range(40):
            tree.file(b"file-%02d" % count, tree.number(f"many {count}", 9000), at=many)


def _named(tree: _Tree) -> None:
    """Names that are hard to sort, to print, to decode and to hold."""
    for name in (
        b"\xff\xfe\x00not utf-8".replace(b"\0", b""),
        b"new\nline",
        b" ",
        b"-rf",
        b"\\",
        b"\x01",
    ):
        tree.file(name, 10)
    tree.file(b"n" * 255, 10)
    tree.file("é composed".encode(), 10)
    tree.file("e\u0301 decomposed".encode(), 10)
    with tree.folder(b"a") as folder:  # by component: a, a/z, a-b, a.b
        tree.file(b"z", 3, at=folder)
    tree.file(b"a-b", 3)
    tree.file(b"a.b", 3)


def _moded(tree: _Tree) -> None:
    for mode in (0o4755, 0o2755, 0o1644, 0o777, 0o400, 0o000):
        tree.file(b"mode-%04o" % mode, 5, mode=mode if tree.rooted else mode | 0o400)
    with tree.folder(b"sticky", mode=0o1777) as sticky:
        tree.file(b"inner", 5, at=sticky)
    with tree.folder(b"read-only", mode=0o555) as closed:
        tree.file(b"inner", 5, at=closed)


def _linked(tree: _Tree) -> None:
    fd = tree.fd
    for name, target in (
        (b"link-to-file", b"some"),
        (b"link-to-folder", b"many"),
        (b"link-to-nothing", b"does/not/exist"),
        (b"link-out", b"/etc/passwd"),
        (b"link-up", b"../../.."),
        (b"link-long", b"x" * 3000),
        (b"link-odd", b"\xff\n"),
    ):
        os.symlink(target, name, dir_fd=fd)
    tree.file(b"linked", 7000)
    os.link(b"linked", b"linked-again", src_dir_fd=fd, dst_dir_fd=fd)
    with tree.folder(b"zz-other-folder") as other:
        os.link(b"linked", b"and-again", src_dir_fd=fd, dst_dir_fd=other)
        os.link(b"link-odd", b"odd", src_dir_fd=fd, dst_dir_fd=other, follow_symlinks=False)
    if tree.rooted:
        os.chown(b"link-to-nothing", 1234, 4321, dir_fd=fd, follow_symlinks=False)


def _special(tree: _Tree) -> None:
    os.mkfifo(b"fifo", 0o640, dir_fd=tree.fd)
    os.mknod(b"bound", stat.S_IFSOCK | 0o755, dir_fd=tree.fd)
    with socket.socket(socket.AF_UNIX) as listener, contextlib.suppress(OSError):
        listener.bind(f"/proc/self/fd/{tree.fd}/socket")
    if tree.rooted:
        with _where_allowed():
            os.mknod(b"null", stat.S_IFCHR | 0o666, os.makedev(1, 3), dir_fd=tree.fd)
            os.mknod(b"disk", stat.S_IFBLK | 0o660, os.makedev(7, 250), dir_fd=tree.fd)


def _attributed(tree: _Tree) -> None:
    tree.file(b"attributes", 20)
    tree.file(b"acl", 20, mode=0o640)
    with tree.folder(b"attributed-folder") as folder, _where_allowed():
        os.setxattr(folder, "user.purpose", b"\x00binary\xff")
        os.setxattr(folder, _ACCESS, acl(1001, owner=7))
        os.setxattr(folder, _DEFAULT, acl(1002))
        tree.file(b"inherits", 5, at=folder)
    base = f"/proc/self/fd/{tree.fd}"
    with _where_allowed():
        os.setxattr(f"{base}/attributes", "user.empty", b"")
        os.setxattr(f"{base}/attributes", "user.large", seeded(tree.seed, "large", 1500))
        os.setxattr(f"{base}/acl", _ACCESS, acl(1003))
        if tree.rooted:
            os.setxattr(f"{base}/link-out", "trusted.on-link", b"1", follow_symlinks=False)
            os.setxattr(f"{base}/fifo", "trusted.on-fifo", b"2")


def acl(user: int, *, owner: int = 6) -> bytes:
    """A POSIX ACL as the kernel stores it: this user, the group and the mask may read."""
    rows = [(1, owner, -1), (2, 4, user), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in rows
    )


def _sparse(tree: _Tree) -> None:
    """Holes before, between, after and instead of data."""
    for name, size, places in (
        (b"sparse-hole-first", 2 * _MIB, (_MIB,)),
        (b"sparse-hole-between", 4 * _MIB, (0, 2 * _MIB, 3 * _MIB)),
        (b"sparse-hole-last", 3 * _MIB + 7, (0,)),
        (b"sparse-nothing-else", 5 * _MIB + 3, ()),
    ):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=tree.fd)
        try:
            os.ftruncate(fd, size)
            for place in places:
                os.pwrite(fd, seeded(tree.seed, f"{name!r} {place}", 70_000), place)
        finally:
            os.close(fd)


def _deep(tree: _Tree) -> None:
    """A path longer than the system takes in one piece."""

    def down(at: int, level: int) -> None:
        tree.file(b"at-%02d" % level, level, at=at)
        if level < _DEEP:
            with tree.folder(b"d" * _LONG, at=at) as child:
                down(child, level + 1)

    with tree.folder(b"deep") as top:
        down(top, 0)


@contextmanager
def _opened(name: bytes, parent: int | None) -> Iterator[int]:
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _where_allowed() -> Iterator[None]:
    """Leave out what this file system or process cannot have."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.EPERM}:
            raise
