"""What goes wrong on a file system, in vault's words: errno → error; a bounded list of findings."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from vault import limits
from vault.errors import DiskFull, PathUnsafe, SourceDenied, SourceError
from vault.provider import Finding
from vault.room import NO_ROOM

_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBADF}
_DISK: Final = {errno.EIO, errno.EROFS, errno.ENODEV, errno.ESTALE, errno.ENXIO}

GONE: Final = {errno.ENOENT, errno.ESTALE}
NOT_A_DIRECTORY: Final = {errno.ENOTDIR, errno.ELOOP}


def is_systemic(error: OSError) -> bool:
    """Whether the process or the disk is at its end, rather than this one file."""
    return error.errno in _EXHAUSTED


def ends_restore(error: OSError) -> bool:
    """Whether no further entry could be written either."""
    return error.errno in NO_ROOM | _EXHAUSTED | _DISK


def shown(path: bytes) -> str:
    """A path as text that can be printed and stored: what is not UTF-8 is escaped."""
    return path.decode("utf-8", "backslashreplace")


def reason(error: OSError) -> str:
    """The system's words for it."""
    return error.strerror or type(error).__name__


def as_failure(error: OSError, doing: str) -> SourceError:
    """The vault error that tells of this one; `doing` completes “Could not …”."""
    message = f"Could not {doing}: {reason(error)}"
    if error.errno in NO_ROOM:
        return DiskFull(
            message,
            safe="What was written before is complete; the unfinished file was removed.",
            hint="Make room, then restore again, into a new or empty folder.",
        )
    if error.errno in _DENIED:
        return SourceDenied(message, hint="Check the owner and mode, or run as a user who may.")
    return SourceError(message)


@contextmanager
def spilling() -> Iterator[None]:
    """Around what is written to temporary files: without them nothing complete can be told.

    Raises SourceError.
    """
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"Could not write a temporary file: {reason(error)}",
            safe="Nothing of the volume was changed; its former snapshots are stored.",
            hint="Make room in the folder for temporary files, or name another: TMPDIR.",
        ) from error


def unsafe(path: bytes, why: str) -> PathUnsafe:
    """One entry is left out, for it could reach outside the target, or nothing a capture yields."""
    return PathUnsafe(
        f"“{shown(path)}” was not restored: {why}",
        safe="Nothing outside the target was touched.",
        hint="A stored manifest should never say this: verify the vault.",
    )


class Findings:
    """A list of findings that stays bounded: beyond `limits.FINDINGS_MAX` of a kind it counts."""

    def __init__(self) -> None:
        self.items: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def report(self, what: str, path: bytes, detail: str) -> None:
        """Add one."""
        self._counts[what] += 1
        if self._counts[what] <= limits.FINDINGS_MAX:
            self.items.append(Finding(what, path, detail))

    def close(self) -> None:
        """Say how many were only counted."""
        for what, count in self._counts.items():
            if count > limits.FINDINGS_MAX:
                more = count - limits.FINDINGS_MAX
                self.items.append(Finding(what, b"", f"and {more} more that are not listed"))
        self._counts.clear()
