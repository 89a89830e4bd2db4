"""The port of a source of data: what an adapter implements and vault calls.

An adapter imports this module and the ground (`vault.errors`, `clock`, `limits`, `progress`), and
nothing else of vault. It is found by the entry point group `vault.adapters`: a callable without
arguments that returns a Provider. `vault.testing.provider_contract` checks the clauses below.

- `capture` yields entries sorted by path component (depth first, names in byte order, the root
  `b""` first). It never follows a symlink and never leaves the volume or its file system.
- Contents are never silently torn: a file that moved while it was read says `stable = False`.
- `quarantine` and `undelete` are reversible, atomic, O(1) in the volume's size, durable when they
  return and idempotent: called again after a crash they finish or find it done. Between
  `undelete` and `purge` one atomic step of the provider decides; exactly one of them succeeds.
- `purge` takes a PurgePermit and nothing else.
- Errors are those of `vault.errors`, SourceError and below; OSError does not cross the port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec


class Capability(StrEnum):
    """What an adapter can do; the conformance suite selects its clauses by them."""

    CAPTURE = "capture"
    RESTORE = "restore"
    RESTORE_IN_PLACE = "restore_in_place"
    QUARANTINE = "quarantine"
    PURGE = "purge"


class Kind(IntEnum):
    """What an entry is; the numbers are part of the stored format."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2
    FIFO = 3
    CHARACTER_DEVICE = 4
    BLOCK_DEVICE = 5
    SOCKET = 6


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One name in a volume, with all its metadata and none of its content.

    `path` is relative, components joined by `/`, `b""` the root. Times are nanoseconds since 1970.
    `mode` holds the permission bits (0o7777). `size` is the logical size of a file in bytes.
    `device`, `inode` and `ctime_ns` only tell whether it changed. `link` is the path of the first
    name of the same inode, for the later ones of a hard-linked file. `target` is a symlink's text.
    `segments` are the (offset, length) of a sparse file's data, None where it has no holes; its
    content is their concatenation. `torn` marks content that kept changing while it was read.
    """

    path: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    nlink: int = 1
    link: bytes | None = None
    target: bytes | None = None
    rdev: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    segments: tuple[tuple[int, int], ...] | None = None
    torn: bool = False


class LostFolder(Entry, frozen=True, array_like=True, gc=False):
    """A folder whose own entry is lost, while entries below it are not.

    Nothing but `path` means anything. Where no folder stands it is made for its owner alone.
    """

    @classmethod
    def at(cls, path: bytes) -> LostFolder:
        """The one at a path."""
        return cls(path, Kind.DIRECTORY, 0o700, 0, 0, 0)


def order_key(path: bytes) -> bytes:
    """Sort key of a path: compares by component, since no name holds NUL or sorts below it."""
    return path.replace(b"/", b"\0")


class SourceIdentity(msgspec.Struct, frozen=True):
    """What makes this source this one and no other: `kind` and its own terms, as text.

    For a directory: `device` and `inode` of its root. Unique across environments.
    """

    kind: str
    terms: tuple[tuple[str, str], ...]


class Finding(msgspec.Struct, frozen=True):
    """Something a capture or restore met and worked around; `what` is a stable word."""

    # vanished, unreadable, changing, type-changed, not-captured, not-restored, folder-lost, extra,
    # unknown, displaced, unmatched, attack-suspected, not-judged
    what: str
    path: bytes
    detail: str


class Content(Protocol):
    """An opened file of a capture."""

    @property
    def entry(self) -> Entry:
        """The entry as it is now, complete with xattrs, segments and a true size."""

    def blocks(self) -> Iterator[bytes]:
        """The bytes of all segments in order, in blocks of at most `limits.READ_BLOCK`."""

    @property
    def stable(self) -> bool:
        """After the last block: whether the file was still while it was read."""


class Capture(Protocol):
    """A consistent-as-can-be walk over a volume."""

    identity: SourceIdentity
    started_ns: int
    findings: list[Finding]

    def entries(self) -> Iterator[Entry]:
        """All entries in order, from `lstat` alone: no xattrs, no symlink targets, no segments."""

    def complete(self, entry: Entry) -> Entry | None:
        """Fill in what `lstat` does not tell of anything but a file; None where it vanished."""

    def open(self, entry: Entry) -> AbstractContextManager[Content | None]:
        """Open a file's content; None (and a finding) where it vanished or cannot be read."""


class Restoration(Protocol):
    """Writes entries, in order, below one target; never outside it, through no symlink."""

    findings: list[Finding]

    def differs(self, entry: Entry, content: Callable[[], Iterable[bytes]]) -> bool:
        """Whether the target lacks this entry or holds another.

        `content` gives the stored bytes of its segments; it is asked for only where metadata alone
        do not prove that a file is the one that was captured.
        """

    def write(self, entry: Entry, blocks: Iterable[bytes | memoryview]) -> None:
        """Create or replace one entry; for files `blocks` are the bytes of its segments.

        A LostFolder is made with mode 0700, without owner and times, or the folder that stands
        there is left as it is; either is a finding, `folder-lost`. Raises PathUnsafe where
        anything else stands there: that is left, too, and nothing is written through it.
        """

    def finish(self) -> None:
        """Apply what must come last (modes and times of directories) and make all durable."""


class Quarantine(msgspec.Struct, frozen=True):
    """Where a tombstoned volume's data wait: the place they left and the place they are."""

    tombstone: str
    location: str
    held_at: str
    identity: SourceIdentity


class Whereabouts(StrEnum):
    """Where the data of a Quarantine are now."""

    IN_PLACE = "in_place"
    QUARANTINED = "quarantined"
    PURGING = "purging"
    GONE = "gone"


class PurgePermit(msgspec.Struct, frozen=True):
    """Leave to destroy one quarantined volume. Only `operations/purge.py` makes one."""

    quarantine: Quarantine
    snapshot: str
    granted_at: datetime
    evidence: str


class Provider(Protocol):
    """A source of data. `location` is the adapter's own address of a volume (here: a path)."""

    name: str
    capabilities: frozenset[Capability]

    def identify(self, location: str) -> SourceIdentity:
        """Who stands there. Raises SourceVanished."""

    def is_same(self, one: SourceIdentity, other: SourceIdentity) -> bool:
        """Whether two identities mean one source; what a reboot may number anew does not count."""

    def overlaps(self, location: str, other: str) -> bool:
        """Whether one of two places lies in the other, after resolving links."""

    def capture(self, location: str) -> Capture:
        """Begin a walk. Raises SourceVanished, SourceDenied."""

    def restoration(self, target: str, *, in_place: bool) -> Restoration:
        """Begin writing. Raises TargetNotEmpty unless `in_place`."""

    def plan_quarantine(self, location: str, tombstone: str) -> Quarantine:
        """Where the volume would go: decided without effect, recorded before `quarantine`.

        Raises SourceVanished, QuarantineRefused (no reversible O(1) way, for example no right).
        """

    def quarantine(self, place: Quarantine) -> None:
        """Set the volume aside. Raises SourceReplaced where another stands there now."""

    def undelete(self, place: Quarantine) -> None:
        """Bring it back. Raises PlaceTaken, SourceVanished (gone from quarantine)."""

    def whereabouts(self, place: Quarantine) -> Whereabouts:
        """Where the data are now, judged by identity and place."""

    def purge(self, permit: PurgePermit) -> None:
        """Destroy what was quarantined. Raises SourceVanished where undelete was faster."""
