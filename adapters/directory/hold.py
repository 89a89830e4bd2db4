"""Where a quarantined volume waits: `<anchor>/.vault-trash/<tombstone>/`, closed to others."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from adapters.directory import config
from adapters.directory.failures import GONE, NOT_A_DIRECTORY, shown
from adapters.directory.identity import OPEN_DIRECTORY
from adapters.directory.kernel import exists
from vault.errors import QuarantineRefused, SourceError
from vault.provider import Quarantine, SourceIdentity

_ATTEMPTS: Final = 5
_NOTHING_CHANGED: Final = "Nothing was changed."


class Hold(msgspec.Struct, frozen=True):
    """The same as a Quarantine, in this adapter's terms.

    `anchor` is the directory that the trash stands in: the volume's parent, or (`inside`) the
    volume itself where it is a mount point. `name` is the volume's name in its parent.
    """

    anchor: bytes
    name: bytes
    tombstone: bytes
    inside: bool
    identity: SourceIdentity

    @classmethod
    def of(cls, place: Quarantine) -> Hold:
        """Read a Quarantine. Raises SourceError where its two places do not belong together."""
        location = os.fsencode(place.location)
        held = os.fsencode(place.held_at)
        if not location.startswith(b"/") or b"\0" in location:
            raise SourceError(f"{location!r} is no place on this host", safe=_NOTHING_CHANGED)
        parent, _, name = location.rpartition(b"/")
        tombstone = os.fsencode(place.tombstone)
        for inside, anchor in ((False, parent or b"/"), (True, location)):
            hold = cls(anchor, name, tombstone, inside, place.identity)
            if hold.held_at == held and is_plain(place.tombstone):
                return hold
        raise SourceError(
            f"“{place.held_at}” is not where “{place.location}” would wait in quarantine",
            safe=_NOTHING_CHANGED,
        )

    @property
    def data(self) -> bytes:
        """What the data are called in the tombstone's folder."""
        return config.CHILDREN if self.inside else config.DATA

    @property
    def held_at(self) -> bytes:
        """The path of the data in quarantine."""
        return b"/".join((self.anchor.rstrip(b"/"), config.TRASH, self.tombstone, self.data))


def is_plain(tombstone: str) -> bool:
    """Whether an id can be the name of a folder."""
    return tombstone.isascii() and tombstone.replace("_", "").replace("-", "").isalnum()


@contextmanager
def opened(parent: int | None, name: bytes) -> Iterator[int]:
    """Open a directory (below an open one, or by its path) and close it. Raises OSError."""
    flags = OPEN_DIRECTORY | (0 if parent is None else os.O_NOFOLLOW)
    fd = os.open(name, flags, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def found_folder(hold: Hold) -> Iterator[int | None]:
    """Open the tombstone's folder; None where it is not there. Raises OSError."""
    with contextlib.ExitStack() as stack:
        try:
            anchor = stack.enter_context(opened(None, hold.anchor))
            trash = stack.enter_context(opened(anchor, config.TRASH))
            folder = stack.enter_context(opened(trash, hold.tombstone))
        except OSError as error:
            if error.errno not in GONE | NOT_A_DIRECTORY:
                raise
            folder = None
        yield folder


@contextmanager
def made_folder(anchor: int, hold: Hold) -> Iterator[int]:
    """Make (or find) the tombstone's folder, durable, and open it. Raises QuarantineRefused."""
    for _ in range(_ATTEMPTS):
        trash = _made(anchor, config.TRASH)
        try:
            check_trash(anchor, os.fstat(trash), hold.anchor)
            folder = _made(trash, hold.tombstone)
        except FileNotFoundError:  # another volume's undelete removed the empty trash just now
            continue
        finally:
            os.close(trash)
        try:
            yield folder
        finally:
            os.close(folder)
        return
    raise QuarantineRefused("The trash folder keeps vanishing", safe=_NOTHING_CHANGED)


def _made(parent: int, name: bytes) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
    try:
        return os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno not in NOT_A_DIRECTORY:
            raise
        raise QuarantineRefused(
            f"“{shown(name)}” is not a folder of vault's",
            safe=_NOTHING_CHANGED,
            hint="Look at who put it there, and move it away.",
        ) from error


def check_trash(anchor: int, info: os.stat_result, path: bytes) -> None:
    """Refuse a trash that others own, may enter, or that lies on another file system."""
    trash = shown(path.rstrip(b"/") + b"/" + config.TRASH)
    if not stat.S_ISDIR(info.st_mode):
        why = "is not a folder"
    elif info.st_uid != os.geteuid():
        why = f"belongs to user {info.st_uid}"
    elif info.st_mode & 0o077:
        why = "is open to other users"
    elif info.st_dev != os.fstat(anchor).st_dev:
        why = "is on another file system"
    else:
        return
    raise QuarantineRefused(
        f"“{trash}” {why}: the data would not be safe in it",
        safe=_NOTHING_CHANGED,
        hint="It must be a folder of this user with mode 0700; move the one there away.",
    )


def remove_folder(hold: Hold) -> None:
    """Remove the tombstone's empty folder, and the trash where it was the last. Raises OSError."""
    with opened(None, hold.anchor) as anchor:
        with contextlib.suppress(FileNotFoundError), opened(anchor, config.TRASH) as trash:
            with contextlib.suppress(OSError):  # what else lies in it is not ours to remove
                os.rmdir(hold.tombstone, dir_fd=trash)
            os.fsync(trash)
        with contextlib.suppress(OSError):  # others wait in it
            os.rmdir(config.TRASH, dir_fd=anchor)
        os.fsync(anchor)


def holds(folder: int | None, name: bytes) -> bool:
    """Whether a tombstone's folder holds this stage."""
    return folder is not None and exists(folder, name)
