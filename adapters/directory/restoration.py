"""Writes entries below one target: by descriptors, in order, through no symlink, never outside."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from adapters.directory import comparison, mapping, mounts
from adapters.directory.failures import (
    NOT_A_DIRECTORY,
    Findings,
    as_failure,
    ends_restore,
    reason,
    shown,
    unsafe,
)
from adapters.directory.filling import Blocks
from adapters.directory.identity import OPEN_DIRECTORY
from adapters.directory.metadata import Metadata
from adapters.directory.placing import Placing
from adapters.directory.scribes import Scribes
from adapters.directory.standing import Standing
from adapters.directory.survey import Survey
from adapters.directory.syncing import Syncing
from adapters.directory.trail import open_below
from vault.errors import TargetNotEmpty
from vault.provider import Entry, Finding, Kind, LostFolder, order_key

_DIRECTORY: Final = Kind.DIRECTORY.value
_FILE: Final = Kind.FILE.value
_KINDS: Final = frozenset(kind.value for kind in Kind)
_NO_NAME: Final = frozenset({b"", b".", b".."})
_WORD: Final = 1 << 63
_NOBODY: Final = (1 << 32) - 1  # chown takes it for “leave as it is”
_ABSENT: Final = {errno.ENOENT} | NOT_A_DIRECTORY
_MADE: Final = "it was made anew, for its owner alone (mode 0700)"
_LEFT: Final = "the folder that stood there was left as it is"


class DirectoryRestoration:
    """See vault.provider.Restoration. The target is made with the first write."""

    def __init__(self, target: str, *, in_place: bool) -> None:
        """Raises TargetNotEmpty, SourceDenied."""
        self._standing: Standing | None = None
        self._syncing: Syncing | None = None
        self._survey: Survey | None = None
        self._empty = self._new = False
        self._renewed: set[bytes] = set()
        self._log = Findings()
        self.findings: list[Finding] = self._log.items
        self._metadata = Metadata(self._log)
        self._scribes = Scribes(self._log, self._metadata)
        self._target = os.path.realpath(os.fsencode(target))
        self._in_place = in_place
        self._placing = Placing(self._log, self._metadata, in_place=in_place)
        self._looked = self._written = b""
        self._failed: bytes | None = None
        _check_target(self._target, in_place=in_place)

    def __del__(self) -> None:
        """Let go of the target where the restore was broken off."""
        for held in (self._scribes, self._syncing, self._standing, self._survey):
            if held is not None:
                held.close()

    def differs(self, entry: Entry, content: Callable[[], Iterable[bytes]]) -> bool:
        """See Restoration; mode, owner and attributes count too. Raises PathUnsafe, SourceError.

        Asked of every entry in order, ahead of `write` or in step with it, it also finds extras.
        """
        self._looked = _checked(entry, self._looked)
        if self._empty or not self._in_place:
            return True
        try:
            if self._survey is None:
                self._survey = Survey(os.open(self._target, OPEN_DIRECTORY), self._log)
            survey = self._survey
            if survey.differs(entry):
                return True
            if entry.link is None:
                return entry.kind == _FILE and self._is_renewed(survey, entry, content)
            if entry.link in self._renewed:
                return True
            with _first(survey.root, entry.link) as first:
                return not comparison.same_inode((survey.fd, os.path.basename(entry.path)), first)
        except OSError as error:
            if error.errno in _ABSENT:
                self._empty = self._survey is None  # what is written there from now on is no extra
                return True
            raise as_failure(error, f"look at “{shown(entry.path)}”") from error

    def _is_renewed(
        self, survey: Survey, entry: Entry, content: Callable[[], Iterable[bytes]]
    ) -> bool:
        """Whether a file whose metadata agree has other bytes; its later names then have to follow.

        They are still names of the inode that is about to be replaced, and nothing else tells.
        """
        place = (survey.fd, os.path.basename(entry.path))
        if comparison.same_content(place, entry, content):
            return False
        if entry.nlink > 1:
            self._renewed.add(entry.path)
        return True

    def write(self, entry: Entry, blocks: Blocks) -> None:
        """See Restoration. Raises PathUnsafe (only this entry is left out), DiskFull, SourceError.

        An entry that this place cannot hold is a finding, `not-restored`.
        """
        self._written = _checked(entry, self._written)
        try:
            self._write(entry, blocks)
        except OSError as error:
            if ends_restore(error):
                raise as_failure(error, f"write “{shown(entry.path)}”") from error
            if entry.kind == _DIRECTORY:
                self._failed = entry.path
            self._log.report("not-restored", entry.path, reason(error))

    def finish(self) -> None:
        """See Restoration. Raises SourceError, DiskFull."""
        try:
            standing, syncing = self._stand()
            standing.rise()
            self._scribes.wait()
            self._scribes.close()
            standing.finish()
            if self._survey is not None:
                self._survey.finish()
            syncing.finish()
        except OSError as error:
            raise as_failure(error, f"finish “{shown(self._target)}”") from error
        standing.close()
        self._standing = None
        self._metadata.close()
        self._log.close()

    def _write(self, entry: Entry, blocks: Blocks) -> None:
        standing, syncing = self._stand()
        if not entry.path:
            standing.rise()
            if isinstance(entry, LostFolder):
                self._report_lost(entry, _MADE if self._new else _LEFT)
            else:
                standing.describe(entry)
            return
        name = self._reach(standing, entry.path)
        standing.touch()
        try:
            if entry.link is not None:
                self._scribes.wait()
                with _first(standing.root, entry.link) as first:
                    self._placing.link(standing.fd, name, entry, first)
            elif entry.kind == _FILE:
                syncing.wrote(entry.size)
                if self._in_place or not self._scribes.take(standing.root, entry, blocks):
                    self._placing.file(standing.fd, name, entry, blocks)
            elif isinstance(entry, LostFolder):
                self._make_way(standing, name, entry)
            elif entry.kind == _DIRECTORY:
                self._placing.directory(standing.fd, name, entry)
                standing.enter(name)
                standing.describe(entry)
            else:
                self._placing.node(standing.fd, name, entry)
        except FileExistsError as error:
            raise unsafe(entry.path, "something stands there already") from error

    def _make_way(self, standing: Standing, name: bytes, folder: LostFolder) -> None:
        """Stand in a folder that nothing describes; what else stands there is never moved aside."""
        try:
            os.mkdir(name, 0o700, dir_fd=standing.fd)
            done = _MADE
        except FileExistsError:
            if not self._in_place:
                raise
            done = _LEFT
        try:
            standing.enter(name)
        except OSError as error:
            if error.errno in _ABSENT:
                raise unsafe(folder.path, "what stands there is no folder") from error
            raise
        if done is _MADE:
            standing.close_to_others()
        self._report_lost(folder, done)

    def _report_lost(self, folder: LostFolder, done: str) -> None:
        self._log.report(
            "folder-lost",
            folder.path or b".",
            f"its own entry is lost: {done}. What could be read below it is safe; "
            "the mode, owner, times and attributes that the snapshot had of it are not known",
        )

    def _reach(self, standing: Standing, path: bytes) -> bytes:
        try:
            return standing.go(path)
        except OSError as error:
            reported = self._failed is not None and mounts.is_within(path, self._failed)
            if error.errno in _ABSENT and not reported:
                raise unsafe(path, "its folder is not a folder of the target") from error
            raise

    def _stand(self) -> tuple[Standing, Syncing]:
        if self._standing is None or self._syncing is None:
            self._new = not os.path.lexists(self._target)
            os.makedirs(self._target, 0o700, exist_ok=True)
            root = os.open(self._target, OPEN_DIRECTORY | os.O_NOFOLLOW)
            self._standing = Standing(root, self._metadata, self._scribes.defer)
            self._syncing = Syncing(root)
        return self._standing, self._syncing


@contextmanager
def _first(root: int, link: bytes) -> Iterator[tuple[int, bytes]]:
    """The open parent and the name that a hard link leads to. Raises OSError, PathUnsafe."""
    parent, _, name = link.rpartition(b"/")
    try:
        fd = open_below(root, parent)
    except OSError as error:
        if error.errno in NOT_A_DIRECTORY:
            raise unsafe(link, "a link leads through what is not a folder") from error
        raise
    try:
        yield fd, name
    finally:
        os.close(fd)


def _checked(entry: Entry, last: bytes) -> bytes:
    """Refuse what no walk yields; gives the entry's place in the order. Raises PathUnsafe."""
    path, link = entry.path, entry.link
    if path and not _is_plain(path):
        raise unsafe(path, "its path leaves the target")
    if not _is_sound(entry):
        raise unsafe(path, "it is malformed")
    key = order_key(path)
    if key < last:
        raise unsafe(path, "it comes out of order")
    if link is not None and (not _is_plain(link) or order_key(link) >= key):
        raise unsafe(path, "it is a link to what does not stand before it in the target")
    return key


def _is_plain(path: bytes) -> bool:
    return b"\0" not in path and _NO_NAME.isdisjoint(path.split(b"/"))


def _is_sound(entry: Entry) -> bool:
    """Whether the system's calls can take these values at all."""
    if entry.kind == _DIRECTORY:
        shaped = entry.link is None
    else:
        shaped = entry.kind in _KINDS and entry.path != b""
    return (
        shaped
        and 0 <= entry.uid < _NOBODY
        and 0 <= entry.gid < _NOBODY
        and mapping.EARLIEST <= entry.mtime_ns <= mapping.LATEST
        and 0 <= entry.size < _WORD
        and 0 <= entry.rdev < _WORD
        and b"\0" not in (entry.target or b"")
        and (not entry.xattrs or all(b"\0" not in name for name, _ in entry.xattrs))
    )


def _check_target(target: bytes, *, in_place: bool) -> None:
    place = shown(target)
    try:
        with os.scandir(target) as found:
            taken = next(found, None) is not None
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise TargetNotEmpty(
            f"“{place}” is a file, not a folder", hint="Give the path of a new or empty folder."
        ) from error
    except OSError as error:
        raise as_failure(error, f"look into “{place}”") from error
    if taken and not in_place:
        raise TargetNotEmpty(
            f"“{place}” is not empty",
            safe="Nothing in it was touched.",
            hint="Give a new or empty folder. --in-place is for the volume's own place.",
        )
