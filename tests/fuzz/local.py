"""Parsers of this host's own files: catalog, index, baseline, boot time, a directory store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.fuzz import corpus
from tests.unit.catalog.builders import history, snapshot
from vault.catalog.database import open_catalog
from vault.clock import format_time
from vault.errors import VaultError
from vault.lifecycle.event import EventType
from vault.operations.render import tombstone_item
from vault.operations.uptime import accumulated_uptime
from vault.repository.baseline import read_baseline
from vault.repository.former import read_pages
from vault.repository.index import LocalIndex
from vault.repository.pages import stored_row
from vault.store.address import parse_address
from vault.store.directory import establish, open_at
from vault.testing.clock import START, ManualClock


@dataclass(frozen=True)
class HomeOnly:
    """As much of a unit as reading a home's files takes."""

    home: Path
    clock: ManualClock


@cache
def folder() -> Path:
    """A folder for the files of this process, removed with it."""
    made = tempfile.TemporaryDirectory(prefix="vault-fuzz-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def at(name: str, data: bytes) -> Path:
    """A file with these bytes, and nothing of SQLite's beside it."""
    path = folder() / name
    for end in ("-wal", "-shm"):
        path.with_name(name + end).unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def run_baseline(data: bytes) -> Any:
    """A baseline: nothing, or a beginning of what was written."""
    frames = read_baseline(at("a.baseline", data), corpus.WRITER_KEYS, corpus.stored().parent)
    if frames is None:
        return None
    with closing(frames):
        pages = [former.page for former in read_pages(frames)]
    return [stored_row(page, row) for page in pages for row in page.rows]


def run_index(data: bytes) -> Any:
    """A local index: answers as it was, or that it does not know."""
    index = LocalIndex(at("index.db", data))
    try:
        index.claim("somebody")
        index.locked_until(b"p" * 32)
        index.find(b"c" * 32, 0)
        index.forget_pack(b"p" * 32)
        return sorted(index.known_objects())
    finally:
        index.close()


@cache
def catalogs() -> list[bytes]:
    """The file of a catalog with everything in it."""
    path = folder() / "whole.db"
    catalog = open_catalog(path)
    story, rows = history(
        EventType.DELETE_REQUESTED, EventType.QUARANTINE_STARTED, EventType.QUARANTINED
    )
    catalog.apply(*rows)
    catalog.snapshots.put(snapshot(story.volume))
    catalog.meta.set("filled", "vault_x")
    catalog.connection._handle.execute("PRAGMA journal_mode=DELETE")
    catalog.close()
    return [path.read_bytes()]


def run_catalog(data: bytes) -> Any:
    """A catalog: everything that is asked of one."""
    catalog = open_catalog(at("catalog.db", data))
    try:
        told: list[Any] = [[tombstone_item(t) for t in catalog.tombstones.all()]]
        told += [catalog.volumes.all(), catalog.snapshots.all(), catalog.meta.get("filled")]
        for ask in (catalog.volumes.resolve, catalog.snapshots.get, catalog.tombstones.get):
            _refused(ask, "db")
        for volume in catalog.volumes.all():
            told.append([format_time(row.stored_at) for row in catalog.events.of(volume.id)])
        catalog.check()
        return told
    finally:
        catalog.close()


def _refused(ask: Callable[[str], object], text: str) -> None:
    with suppress(VaultError):
        ask(text)


def run_uptime(data: bytes) -> Any:
    """The record of boot time."""
    at("uptime.json", data)
    unit: Any = HomeOnly(folder(), ManualClock())
    total = accumulated_uptime(unit)
    assert total >= 0
    return total


def run_lock_name(name: str) -> Any:
    """The name of a lock in a directory store, which anybody may have put there."""
    address = parse_address(f"file://{folder()}/store?immutable=no")
    store = open_at(address, None, ManualClock())
    key = "x-" + "0" * 64
    place = folder() / "store" / "locks" / key
    if not place.exists():
        establish(address, None, ManualClock(), create=True)
        (folder() / "store" / "objects" / key).touch()
        place.mkdir()
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return None
    try:
        path = place / name
        path.touch()
    except (OSError, UnicodeEncodeError):
        return None
    try:
        return store.retention(key).until, [version.version for version in store.list("x-")]
    finally:
        path.unlink()


def uptimes() -> list[bytes]:
    """The record of a host that was started twice."""
    unit: Any = HomeOnly(folder(), ManualClock())
    accumulated_uptime(unit)
    unit.clock.reboot("other")
    accumulated_uptime(unit)
    return [(folder() / "uptime.json").read_bytes()]


def lock_names() -> list[str]:
    """Names that the store gives."""
    return [f"{int(START.timestamp())}~0", f"{int(START.timestamp())}~12"]


TARGETS: Final = (
    ("baseline", lambda: [corpus.stored().baseline], run_baseline),
    ("local index", lambda: [corpus.stored().index], run_index),
    ("catalog", catalogs, run_catalog),
    ("boot time", uptimes, run_uptime),
    ("lock's name", lock_names, run_lock_name),
)
