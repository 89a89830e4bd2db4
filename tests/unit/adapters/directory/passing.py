"""Capture into memory and restore from it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from adapters.directory import provider
from adapters.directory.destruction import destroy
from adapters.directory.scan import DirectoryCapture
from vault.clock import SystemClock
from vault.provider import Entry, Finding, Kind

Stored = list[tuple[Entry, list[bytes]]]


def begun(root: Path) -> DirectoryCapture:
    """A capture of a folder."""
    return DirectoryCapture(str(root), SystemClock())


def taken(root: Path) -> tuple[Stored, list[Finding]]:
    """All entries with their contents, and what was found on the way."""
    capture = begun(root)
    stored: Stored = []
    for entry in capture.entries():
        if entry.kind == Kind.FILE and entry.link is None:
            with capture.open(entry) as content:
                if content is not None:
                    blocks = list(content.blocks())
                    stored.append((content.entry, blocks))
        else:
            complete = capture.complete(entry)
            if complete is not None:
                stored.append((complete, []))
    return stored, capture.findings


def put(
    target: Path, stored: Iterable[tuple[Entry, list[bytes]]], *, in_place: bool = False
) -> list[Finding]:
    """Restore; gives the findings."""
    restoration = provider().restoration(str(target), in_place=in_place)
    for entry, blocks in stored:
        if restoration.differs(entry, partial(iter, blocks)):
            restoration.write(entry, blocks)
    restoration.finish()
    return restoration.findings


def put_after_looking(target: Path, stored: Stored) -> list[Finding]:
    """Restore in place, all of it looked at before anything is written; gives the findings."""
    restoration = provider().restoration(str(target), in_place=True)
    missing = [
        (entry, blocks)
        for entry, blocks in stored
        if restoration.differs(entry, partial(iter, blocks))
    ]
    for entry, blocks in missing:
        restoration.write(entry, blocks)
    restoration.finish()
    return restoration.findings


def folder(path: bytes, mode: int = 0o755) -> Entry:
    """A directory's entry, as made by hand."""
    return Entry(path, Kind.DIRECTORY, mode, os.geteuid(), os.getegid(), 10**18)


def file(path: bytes, size: int = 0, mode: int = 0o644) -> Entry:
    """A file's entry, as made by hand."""
    return Entry(path, Kind.FILE, mode, os.geteuid(), os.getegid(), 10**18, size)


def symlink(path: bytes, target: bytes) -> Entry:
    """A symlink's entry, as made by hand."""
    return Entry(path, Kind.SYMLINK, 0o777, os.geteuid(), os.getegid(), 10**18, target=target)


def paths(stored: Stored) -> list[bytes]:
    """The paths alone."""
    return [entry.path for entry, _ in stored]


def words(findings: Iterable[Finding]) -> list[tuple[str, bytes]]:
    """What was found where, without the details."""
    return [(finding.what, finding.path) for finding in findings]


def remove(folder: str | Path) -> None:
    """Remove a tree, closed folders and endless paths too."""
    path = Path(folder)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        destroy(parent, os.fsencode(path.name))
        os.rmdir(path.name, dir_fd=parent)
    finally:
        os.close(parent)
