"""Frozen catalogs: the SQL of one file for each step of the schema, and what all of them answer."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.golden.make import HERE
from vault.catalog.database import Catalog, open_catalog
from vault.catalog.events import EventRow
from vault.catalog.migrations import MIGRATIONS
from vault.catalog.snapshots import SnapshotRow
from vault.lifecycle.event import Actor, Event, EventType
from vault.lifecycle.retention import Keep
from vault.testing.clock import START

STEPS: Final = sorted(int(path.stem[9:]) for path in HERE.glob("catalog-v*.sql"))
VOLUMES: Final = ("vol_01kq0000000000000000000000", "vol_01kq0000000000000000000001")
TOMBSTONE: Final = "tomb_01kq0000000000000000000000"

_STORY: Final[tuple[tuple[int, EventType, dict[str, str]], ...]] = (
    (0, EventType.VOLUME_ADDED, {"name": "db", "environment": "production", "location": "/srv/db"}),
    (1, EventType.VOLUME_ADDED, {"name": "naïve", "environment": "staging", "keep": "daily=3"}),
    (1, EventType.SOURCE_VANISHED, {}),
    (0, EventType.DELETE_REQUESTED, {"volume_name": "db", "window_seconds": "172800"}),
    (0, EventType.QUARANTINE_STARTED, {"location": "/srv/db", "held_at": "/srv/.trash/db"}),
    (0, EventType.QUARANTINED, {"uptime": "1000.5"}),
    (0, EventType.FINAL_SNAPSHOT, {"snapshot": "snap_01kq0000000000000000000001"}),
    (0, EventType.HELD, {}),
    (0, EventType.PURGED, {}),  # which the table does not allow
)


def sql_of(step: int) -> Path:
    """Where the catalog of a step is frozen."""
    return HERE / f"catalog-v{step}.sql"


def thaw(step: int, path: Path) -> None:
    """Make the file of a frozen catalog."""
    database = sqlite3.connect(path)
    database.executescript(sql_of(step).read_text("utf-8"))
    database.close()


def answers(catalog: Catalog) -> Any:
    """All that is asked of a catalog, as plain values."""
    told = {
        "volumes": catalog.volumes.all(),
        "tombstones": catalog.tombstones.all(),
        "snapshots": catalog.snapshots.all(),
        "events": [catalog.events.of(volume) for volume in VOLUMES],
        "of its tombstone": catalog.events.of_tombstone(TOMBSTONE),
        "named": [catalog.volumes.resolve("naïve"), catalog.volumes.resolve(VOLUMES[0])],
        "notes": [catalog.meta.get("filled"), catalog.meta.get("nothing")],
    }
    return msgspec.json.decode(msgspec.json.encode(told))


def expected() -> Any:
    """What every frozen catalog answers."""
    return msgspec.json.decode((HERE / "catalogs.json").read_bytes())


def fill(catalog: Catalog) -> None:
    """Two volumes, a tombstone with a hold, three snapshots, a note."""
    catalog.apply(*_events())
    for number in range(3):
        catalog.snapshots.put_rows([_snapshot(number)])
    catalog.meta.set("filled", "vault_01kq0000000000000000000000")


def _events() -> Iterator[EventRow]:
    for number, (volume, kind, details) in enumerate(_STORY):
        at = START + timedelta(minutes=number)
        event = Event(
            id=f"evt_01kq000000000000000000000{number}",
            vault="vault_01kq0000000000000000000000",
            type=kind,
            volume=VOLUMES[volume],
            at=at,
            actor=Actor("human", "ann"),
            tombstone=TOMBSTONE if number > 2 else "",
            reason="golden",
            details=details,
        )
        key = f"events/{event.volume}/{event.id}-{'0' * 64}"
        yield EventRow(event, key, "v1", "ab" * 32, "writer", at)


def _snapshot(number: int) -> SnapshotRow:
    identifier, at = f"snap_01kq000000000000000000000{number}", START + timedelta(hours=number)
    return SnapshotRow(
        id=identifier,
        volume=VOLUMES[number % 2],
        volume_name="db",
        environment=("production", "staging")[number % 2],
        key=f"snapshots/{VOLUMES[number % 2]}/{identifier}-{'0' * 64}",
        version="v1",
        stored_at=at,
        signer_hex="ab" * 32,
        adapter="directory",
        parent="",
        session="sess_01kq0000000000000000000000",
        started_at=at - timedelta(seconds=1),
        finished_at=at,
        files=3,
        bytes=1 << 40,
        bytes_added=7,
        findings=number,
        final_for=TOMBSTONE if number == 1 else "",
        keep=Keep(1, 2, 3, 4),
        retain_until=at + timedelta(days=30),
        locked_until=at + timedelta(days=40),
    )


def main() -> int:
    """Freeze a catalog of the present step; a frozen one is never made anew."""
    frozen = sql_of(len(MIGRATIONS))
    if frozen.exists():
        sys.stderr.write(f"{frozen} is frozen already.\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "catalog.db")
        catalog = open_catalog(path)
        fill(catalog)
        told = msgspec.json.format(msgspec.json.encode(answers(catalog)), indent=1)
        catalog.close()
        lines = list(sqlite3.connect(path).iterdump())
    frozen.write_text("\n".join(lines) + "\n", "utf-8")
    if not (HERE / "catalogs.json").exists():
        (HERE / "catalogs.json").write_bytes(told + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
