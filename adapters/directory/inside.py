"""Quarantine of a mount point: its children into a closed folder inside, each by a rename.

`incoming` fills, then becomes `children` in one rename: only then it is whole. This becomes
`returning` in one rename: only then undelete has won over purge. Both are taken up again after a
crash, and at no instant is a child without a name.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from adapters.directory import attributes, config, mapping
from adapters.directory.beside import gone, taken
from adapters.directory.failures import Findings, shown
from adapters.directory.hold import (
    Hold,
    found_folder,
    holds,
    made_folder,
    opened,
    remove_folder,
)
from adapters.directory.identity import identity_of, is_same
from adapters.directory.kernel import exists, rename_new
from adapters.directory.metadata import Metadata
from vault.errors import QuarantineRefused, SourceReplaced
from vault.provider import Whereabouts

_PASSES: Final = 100


def whereabouts(hold: Hold) -> Whereabouts:
    """See Provider. With no trash left, an empty mount point is one whose data are gone."""
    with found_folder(hold) as folder:
        if holds(folder, config.PURGING):
            return Whereabouts.PURGING
        if _stage(folder) is not None:
            return Whereabouts.QUARANTINED
        if holds(folder, config.PURGED):
            return Whereabouts.GONE
    try:
        with opened(None, hold.anchor) as volume:
            there = is_same(identity_of(volume), hold.identity) and bool(_children(volume))
    except FileNotFoundError:
        there = False
    return Whereabouts.IN_PLACE if there else Whereabouts.GONE


def set_aside(hold: Hold) -> None:
    """Move the children into quarantine, from wherever a crash has left off.

    Raises OSError, SourceReplaced, QuarantineRefused.
    """
    with opened(None, hold.anchor) as volume:
        _demand(volume, hold)
        before = os.fstat(volume)
        with made_folder(volume, hold) as folder:
            if exists(folder, config.CHILDREN):
                os.fsync(folder)
                return
            if not exists(folder, config.INCOMING):
                # The folder's own time keeps the volume's, which every rename changes.
                os.mkdir(config.INCOMING, 0o700, dir_fd=folder)
                os.utime(folder, ns=(before.st_mtime_ns, before.st_mtime_ns))
            with opened(folder, config.INCOMING) as incoming:
                _gather(volume, incoming, folder, hold)
                _dress(volume, incoming, os.fstat(folder).st_mtime_ns)
                os.fsync(incoming)
            os.fsync(volume)
            kept = os.fstat(folder).st_mtime_ns
            rename_new(folder, config.INCOMING, folder, config.CHILDREN)
            os.utime(folder, ns=(kept, kept))
            os.fsync(folder)


def bring_back(hold: Hold) -> None:
    """Move the children back. Raises OSError, PlaceTaken, SourceVanished, SourceReplaced."""
    with opened(None, hold.anchor) as volume, found_folder(hold) as folder:
        _demand(volume, hold)
        stage = _stage(folder)
        if folder is None or stage is None:
            if whereabouts(hold) is not Whereabouts.IN_PLACE:
                raise gone(hold)
            if holds(folder, config.INCOMING):
                os.rmdir(config.INCOMING, dir_fd=folder)
            return remove_folder(hold)
        kept = os.fstat(folder).st_mtime_ns
        if stage != config.RETURNING:
            _decide(volume, folder, stage, hold)
        with opened(folder, config.RETURNING) as returning:
            os.fchmod(returning, 0o700)
            for name in _children(returning):
                _put_back(returning, volume, name, hold)
            os.fsync(volume)
        os.rmdir(config.RETURNING, dir_fd=folder)
        remove_folder(hold)
        os.utime(volume, ns=(kept, kept))
        return None


def _gather(volume: int, incoming: int, folder: int, hold: Hold) -> None:
    """Move until nothing is left, also what is created meanwhile. Raises QuarantineRefused."""
    for _ in range(_PASSES):
        names = _children(volume)
        if not names:
            return
        for name in names:
            try:
                rename_new(volume, name, incoming, name)
            except FileNotFoundError:
                continue
            except OSError:
                _give_up(volume, incoming, folder, hold)
                raise
    _give_up(volume, incoming, folder, hold)
    raise QuarantineRefused(
        "New files keep appearing in the volume",
        safe="Nothing was changed.",
        hint="Stop what writes to it, then delete it again.",
    )


def _give_up(volume: int, incoming: int, folder: int, hold: Hold) -> None:
    kept = os.fstat(folder).st_mtime_ns
    for name in _children(incoming):
        _put_back(incoming, volume, name, hold)
    os.rmdir(config.INCOMING, dir_fd=folder)
    remove_folder(hold)
    os.utime(volume, ns=(kept, kept))


def _stage(folder: int | None) -> bytes | None:
    """Under which name a tombstone's folder holds children; None where it holds none."""
    for name in (config.CHILDREN, config.RETURNING, config.INCOMING):
        if folder is not None and holds(folder, name):
            with opened(folder, name) as fd:
                if name != config.INCOMING or os.listdir(fd):
                    return name
    return None


def _decide(volume: int, folder: int, stage: bytes, hold: Hold) -> None:
    """Look for what is in the way, then take the data from purge's reach."""
    with opened(folder, stage) as data:
        for name in _children(data):
            if exists(volume, name):
                raise taken(hold, name)
    kept = os.fstat(folder).st_mtime_ns
    try:
        rename_new(folder, stage, folder, config.RETURNING)
    except FileNotFoundError as error:
        raise gone(hold) from error
    os.utime(folder, ns=(kept, kept))
    os.fsync(folder)


def _put_back(source: int, volume: int, name: bytes, hold: Hold) -> None:
    try:
        rename_new(source, name, volume, name)
    except FileExistsError as error:
        raise taken(hold, name) from error


def _dress(volume: int, data: int, mtime_ns: int) -> None:
    """Give the folder of the children what the volume's root has, for its final snapshot."""
    entry = mapping.entry_of(b"", os.fstat(volume))
    found = attributes.read(volume, lambda _name, _error: None)
    Metadata(Findings()).apply(
        data, msgspec.structs.replace(entry, mtime_ns=mtime_ns, xattrs=found)
    )


def _children(fd: int) -> list[bytes]:
    """All names in an open directory but the trash."""
    return [name for name in map(os.fsencode, os.listdir(fd)) if name != config.TRASH]


def _demand(volume: int, hold: Hold) -> None:
    if not is_same(identity_of(volume), hold.identity):
        raise SourceReplaced(
            f"At “{shown(hold.anchor)}” stands another volume than the one recorded",
            safe="Nothing was changed.",
            hint="Check what is mounted there; acknowledge the volume if this is meant.",
        )
