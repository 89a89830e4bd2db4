"""What counts as a step of a process: all that changes a file system, catalog, index or store."""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.directory import kernel
from adapters.directory.scribes import Scribes
from vault.store import durable
from vault.store.directory import DirectoryStore
from vault.store.s3 import S3Store
from vault.testing.crash import CrashPoint
from vault.testing.power import Disk

Commit = Callable[[sqlite3.Connection], None]
_FULL = 2
_READS = ("get", "list", "retention", "now")


def arm(point: CrashPoint) -> None:
    """Make steps of every change and of every call to the store, in this process from here on."""
    point.wrap_system()
    point.wrap(kernel._libc(), "renameat2", "syncfs")
    arm_calls(point)
    point.wrap(DirectoryStore, "put", "extend", "delete")
    point.wrap_reads(DirectoryStore, *_READS)
    point.wrap(Scribes, "_send", "_hear")
    watch_commits(around=point.around)


def arm_names(point: CrashPoint) -> None:
    """Make steps of what needs room for a name; from the one that is chosen on there is none."""
    full = False

    def fill() -> None:
        nonlocal full
        full = True

    def refused(call: Callable[..., Any], refusal: Callable[[], Any]) -> Callable[..., Any]:
        def tried(*words: Any, **named: Any) -> Any:
            point.step()
            return refusal() if full else call(*words, **named)

        return tried

    def raised() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def returned() -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    point.instead = fill
    for name in ("link", "mkdir", "mknod", "rename", "replace", "symlink"):
        setattr(os, name, refused(getattr(os, name), raised))
    libc = kernel._libc()
    setattr(libc, "renameat2", refused(libc.renameat2, returned))  # noqa: B010 - as below


def arm_seals(point: CrashPoint) -> None:
    """Make a step of the moment in which a stored file has its name, and not yet its flag."""
    point.wrap_reads(durable, "seal")


def arm_calls(point: CrashPoint) -> None:
    """Make steps of the calls to a server alone."""
    point.wrap(S3Store, "put", "extend", "delete")
    point.wrap_reads(S3Store, *_READS)


def watch_commits(
    *, around: Callable[[Callable[..., Any]], Callable[..., Any]], done: Commit = lambda _: None
) -> None:
    """Have every commit of SQLite pass through `around`; `done` is called after each."""

    class Watched(sqlite3.Connection):
        """Commits by `COMMIT`, or as a context; told apart by their file."""

        def __init__(self, database: Any, *words: Any, **named: Any) -> None:
            super().__init__(database, *words, **named)
            self._name = os.path.basename(database)

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            run = super().execute
            if sql != "COMMIT":
                return run(sql, *values)
            return around(self._finished(run))(sql, *values)  # type: ignore[no-any-return]

        def __exit__(self, *error: object) -> Any:
            return around(self._finished(super().__exit__))(*error)

        def close(self) -> None:
            done(self)  # what the log holds is made durable before it goes into the file
            around(_called(f"close {self._name}", super().close))()

        def _finished(self, run: Callable[..., Any]) -> Callable[..., Any]:
            def commit(*words: Any) -> Any:
                answer = run(*words)
                done(self)
                return answer

            return _called(f"commit {self._name}", commit)

    connect: Any = sqlite3.connect
    sqlite3.connect = lambda *a, **named: connect(*a, **{**named, "factory": Watched})


def _called(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same, of which a crash point counts the steps under this name."""

    def named(*words: Any) -> Any:
        return call(*words)

    named.__name__ = name
    return named


def watch_syncs(disk: Disk) -> None:
    """Tell the model of a disk whatever this process makes durable from here on."""
    sync, whole = os.fsync, kernel._libc().syncfs

    def synced(handle: int) -> None:
        sync(handle)
        disk.keep(handle)

    def all_synced(handle: int) -> int:
        answer: int = whole(handle)
        disk.keep_all()
        return answer

    def committed(connection: sqlite3.Connection) -> None:
        try:
            (level,) = connection.cursor().execute("PRAGMA synchronous").fetchone()
            rows = connection.cursor().execute("PRAGMA database_list").fetchall()
        except sqlite3.ProgrammingError:
            return  # closed already
        log = Path(f"{rows[0][2]}-wal")
        if level >= _FULL and rows[0][2]:
            if not disk.is_kept(log):
                disk.keep_path(log.parent)  # SQLite does so with a log's first sync
            disk.keep_path(log)

    setattr(os, "fsync", synced)  # noqa: B010 - it takes only what vault passes it
    setattr(kernel._libc(), "syncfs", all_synced)  # noqa: B010 - it has no such attribute for mypy
    watch_commits(around=lambda call: call, done=committed)
