"""Plans where a volume would go, moves it there and back, and destroys it with a permit."""

from __future__ import annotations

import os
from typing import Protocol

from adapters.directory import beside, config, inside, kernel, mounts
from adapters.directory.destruction import destroy
from adapters.directory.failures import reason, shown
from adapters.directory.hold import (
    Hold,
    check_trash,
    found_folder,
    holds,
    is_plain,
    opened,
    remove_folder,
)
from adapters.directory.identity import as_text, identity_of, is_on, open_volume
from vault.errors import QuarantineRefused, SourceDenied, SourceReplaced, SourceVanished
from vault.provider import PurgePermit, Quarantine, Whereabouts


class _Way(Protocol):
    """The two ways of quarantine: the modules `beside` and `inside`."""

    def whereabouts(self, hold: Hold) -> Whereabouts: ...
    def set_aside(self, hold: Hold) -> None: ...
    def bring_back(self, hold: Hold) -> None: ...


def plan(location: str, tombstone: str) -> Quarantine:
    """See Provider. Raises SourceVanished, QuarantineRefused, OSError."""
    fd, real = open_volume(location)
    try:
        identity = identity_of(fd)
        hold = Hold(
            anchor=os.path.dirname(real),
            name=os.path.basename(real),
            tombstone=os.fsencode(tombstone),
            inside=False,
            identity=identity,
        )
        if real == b"/":
            raise refused(location, "it is the root of the file system")
        if not is_plain(tombstone):
            raise refused(location, f"“{tombstone}” cannot be the name of a folder")
        below = mounts.mounted_below(real)
        if below:
            raise refused(location, f"other file systems are mounted in it: {_listed(below)}")
        if kernel.is_mount(fd, real):
            hold = Hold(real, hold.name, hold.tombstone, True, identity)
        _check_rights(fd, hold, location)
        _check_names(hold, location)
    finally:
        os.close(fd)
    return Quarantine(tombstone, as_text(real), as_text(hold.held_at), identity)


def set_aside(place: Quarantine) -> None:
    """See Provider. Raises SourceReplaced, SourceVanished, QuarantineRefused."""
    hold = Hold.of(place)
    way = _way(hold)
    try:
        now = way.whereabouts(hold)
        if now is Whereabouts.PURGING:
            raise refused(place.location, "its purge has begun")
        way.set_aside(hold)
    except FileNotFoundError as error:
        raise SourceVanished(
            f"Nothing stands at “{place.location}”", safe="Nothing was changed."
        ) from error
    except OSError as error:
        raise refused(place.location, reason(error)) from error


def bring_back(place: Quarantine) -> None:
    """See Provider. Raises PlaceTaken, SourceVanished, SourceReplaced, OSError."""
    hold = Hold.of(place)
    try:
        _way(hold).bring_back(hold)
    except FileNotFoundError as error:
        raise beside.gone(hold) from error


def whereabouts(place: Quarantine) -> Whereabouts:
    """See Provider. Raises OSError; SourceVanished where the disk it was on is not to be found."""
    hold = Hold.of(place)
    where = _way(hold).whereabouts(hold)
    if where is not Whereabouts.GONE:
        return where
    _check_mounted(hold)
    return _way(hold).whereabouts(hold)  # the disk may have come in between


def purge(permit: PurgePermit) -> None:
    """See Provider. Raises SourceVanished, SourceReplaced, SourceDenied, OSError."""
    hold = Hold.of(permit.quarantine)
    below = mounts.mounted_below(os.path.dirname(hold.held_at))
    if below:
        raise SourceDenied(
            f"Other file systems are mounted in the quarantined data: {_listed(below)}",
            safe="Nothing was destroyed.",
            hint="Unmount them, then purge again.",
        )
    with found_folder(hold) as folder:
        if folder is None or not _decide(hold, folder):
            _check_done(hold)
            return
        destroy(folder, config.PURGING)
        if hold.inside:  # an emptied mount point still stands there: leave word
            kernel.rename_new(folder, config.PURGING, folder, config.PURGED)
            os.fsync(folder)
            return
        os.rmdir(config.PURGING, dir_fd=folder)
    remove_folder(hold)


def _decide(hold: Hold, folder: int) -> bool:
    """The one rename that undelete and purge both want; False where nothing is left to want."""
    if holds(folder, config.PURGING):
        return True
    if not hold.inside and beside.stands_at(folder, config.DATA, hold) is False:
        raise SourceReplaced(
            f"At “{shown(hold.held_at)}” stands another directory than the one quarantined",
            safe="Nothing was destroyed.",
        )
    try:
        kernel.rename_new(folder, hold.data, folder, config.PURGING)
    except FileNotFoundError:
        return False
    os.fsync(folder)
    return True


def _check_done(hold: Hold) -> None:
    """With nothing to purge, either purge was done before, or undelete was faster."""
    _check_mounted(hold)
    if _way(hold).whereabouts(hold) is not Whereabouts.GONE:
        raise SourceVanished(
            f"“{shown(hold.held_at)}” was undeleted before its purge",
            safe="Nothing was destroyed.",
        )
    if not hold.inside:
        remove_folder(hold)


def _check_mounted(hold: Hold) -> None:
    """An unmounted disk is not a destroyed volume. Raises SourceVanished."""
    path = hold.anchor
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    with opened(None, path) as fd:
        if not is_on(fd, hold.identity):
            raise SourceVanished(
                f"The file system of “{shown(hold.anchor)}” is not mounted",
                safe="Nothing was changed.",
                hint="Mount it again; what waits in quarantine is on it.",
            )


def refused(location: str, why: str) -> QuarantineRefused:
    """A volume that cannot be set aside."""
    return QuarantineRefused(
        f"“{location}” cannot be set aside: {why}",
        safe="Nothing was changed.",
        hint="It is still protected by its snapshots; remove the obstacle, then delete it again.",
    )


def _way(hold: Hold) -> _Way:
    return inside if hold.inside else beside


def _check_rights(fd: int, hold: Hold, location: str) -> None:
    if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
        raise refused(location, "its file system is read-only")
    wanted = os.R_OK | os.W_OK | os.X_OK
    own = b"/proc/self/fd/%d" % fd
    for path, what in ((hold.anchor, "the folder that holds it"), (own, "the folder itself")):
        if not os.access(path, wanted, effective_ids=True):
            raise refused(location, f"this process may not write to {what}")
    sticky, me = os.stat(hold.anchor), os.geteuid()
    if sticky.st_mode & 0o1000 and me not in {0, sticky.st_uid, os.fstat(fd).st_uid}:
        raise refused(location, "the folder that holds it lets only owners move things")


def _check_names(hold: Hold, location: str) -> None:
    """Refuse a trash that cannot be used, and a tombstone that is there already."""
    with opened(None, hold.anchor) as anchor:
        try:
            info = os.stat(config.TRASH, dir_fd=anchor, follow_symlinks=False)
        except FileNotFoundError:
            return
        check_trash(anchor, info, hold.anchor)
    with found_folder(hold) as folder:
        if folder is not None and os.listdir(folder):
            raise refused(location, "something waits in quarantine under this tombstone already")


def _listed(paths: list[bytes]) -> str:
    return ", ".join(map(shown, paths[:3])) + " …" * (len(paths) > 3)
