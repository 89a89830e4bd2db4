"""Quarantine of a directory as a whole: one rename into the trash beside it, one back."""

from __future__ import annotations

import contextlib
import os

from adapters.directory import config
from adapters.directory.failures import NOT_A_DIRECTORY, shown
from adapters.directory.hold import Hold, found_folder, holds, made_folder, opened, remove_folder
from adapters.directory.identity import identity_of, is_same
from adapters.directory.kernel import rename_new
from vault.errors import PlaceTaken, SourceReplaced, SourceVanished
from vault.provider import Whereabouts


def whereabouts(hold: Hold) -> Whereabouts:
    """See Provider. Raises OSError."""
    with found_folder(hold) as folder:
        if holds(folder, config.PURGING):
            return Whereabouts.PURGING
        if folder is not None and stands_at(folder, config.DATA, hold) is True:
            return Whereabouts.QUARANTINED
    with contextlib.suppress(FileNotFoundError), opened(None, hold.anchor) as anchor:
        if stands_at(anchor, hold.name, hold) is True:
            return Whereabouts.IN_PLACE
    return Whereabouts.GONE


def stands_at(parent: int, name: bytes, hold: Hold) -> bool | None:
    """Whether the volume stands at this name; None where nothing does. Raises OSError."""
    try:
        with opened(parent, name) as fd:
            return is_same(identity_of(fd), hold.identity)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in NOT_A_DIRECTORY:
            return False
        raise


def set_aside(hold: Hold) -> None:
    """Move the volume into quarantine, or find it there and make sure that it lasts.

    Raises OSError, SourceReplaced, SourceVanished.
    """
    with opened(None, hold.anchor) as anchor:
        with found_folder(hold) as there:
            if there is not None and stands_at(there, config.DATA, hold):
                os.fsync(there)
                os.fsync(anchor)
                return
        _demand(stands_at(anchor, hold.name, hold), hold)
        with made_folder(anchor, hold) as folder:
            try:
                rename_new(anchor, hold.name, folder, config.DATA)
            except OSError:
                remove_folder(hold)
                raise
            moved = stands_at(folder, config.DATA, hold)
            if not moved:  # somebody put another there in between: give it back
                rename_new(folder, config.DATA, anchor, hold.name)
                remove_folder(hold)
                _demand(moved, hold)
            os.fsync(folder)
        os.fsync(anchor)


def bring_back(hold: Hold) -> None:
    """Move the volume back. Raises OSError, PlaceTaken, SourceVanished, SourceReplaced."""
    with opened(None, hold.anchor) as anchor, found_folder(hold) as folder:
        there = None if folder is None else stands_at(folder, config.DATA, hold)
        if folder is None or there is None:
            remove_folder(hold)  # an empty one alone: a purge that was cut short leaves it, too
            if stands_at(anchor, hold.name, hold):
                return
            raise gone(hold)
        _demand(there, hold)
        try:
            rename_new(folder, config.DATA, anchor, hold.name)
        except FileExistsError as error:
            raise taken(hold, hold.name) from error
        except FileNotFoundError as error:
            raise gone(hold) from error
        os.fsync(anchor)
        os.fsync(folder)
    remove_folder(hold)


def taken(hold: Hold, name: bytes) -> PlaceTaken:
    """Something stands where the volume (or its child `name`) has to return to."""
    place = shown(hold.anchor.rstrip(b"/") + b"/" + name)
    return PlaceTaken(
        f"Something stands at “{place}”, where the deleted data have to return to",
        safe=f"The data wait untouched at “{shown(hold.held_at)}”.",
        hint=f"Move “{place}” away and undelete again, or restore the volume to another folder.",
    )


def gone(hold: Hold) -> SourceVanished:
    """The data are not in quarantine any more."""
    return SourceVanished(
        f"Nothing waits at “{shown(hold.held_at)}” any more",
        safe="Its snapshots in the store are untouched.",
        hint="Restore the volume from its final snapshot.",
    )


def _demand(stands: bool | None, hold: Hold) -> None:
    place = shown(hold.anchor.rstrip(b"/") + b"/" + hold.name)
    if stands is None:
        raise SourceVanished(f"Nothing stands at “{place}”", safe="Nothing was changed.")
    if not stands:
        raise SourceReplaced(
            f"At “{place}” stands another directory than the one recorded",
            safe="Nothing was changed.",
            hint="Acknowledge the volume if this is meant, then delete it again.",
        )
