"""Frozen audit logs of catalogs: the SQL of one file, and what it answers at every later step."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.golden.make import HERE
from vault.audit.entry import Caller, Entry, EntryKind, encode_entry
from vault.audit.merkle import Frontier, leaf_hash
from vault.catalog.database import Catalog, open_catalog
from vault.catalog.migrations import MIGRATIONS
from vault.testing.clock import START

LOG: Final = "0123456789abcdef"
STEPS: Final = sorted(int(path.stem[5:]) for path in HERE.glob("log-v*.sql"))
FIRST: Final = 3
"""The step that brought the audit log."""


def entry(number: int, kind: EntryKind, /, **body: object) -> Entry:
    """One entry, newer with its number."""
    return Entry(
        id=f"aud_01kq000000000000000000000{number}",
        at=START + timedelta(minutes=number),
        uptime=60.0 * number,
        kind=kind,
        caller=Caller("human", "ann@host", "uid"),
        environment="production",
        body=body,
    )


PLACED: Final = (
    entry(1, EntryKind.IDENTITY_ADDED, name="deploy-bot", kind="agent"),
    entry(2, EntryKind.REQUEST, verb="delete", volume_name="db", decision="allow", bytes=7),
    entry(3, EntryKind.FROZEN, name="deploy-bot", reason="too fast"),
)
WAITING: Final = (entry(4, EntryKind.PANIC, reason="fire"),)


def head() -> Frontier:
    """The log's tree as the catalog remembers it."""
    return Frontier().grown(leaf_hash(encode_entry(one)) for one in PLACED)


def fill(catalog: Catalog) -> None:
    """Three entries that have their place, one that waits for it, a segment under way."""
    for one in (*PLACED, *WAITING):
        catalog.audit.add(one)
    catalog.audit.settle(LOG, enumerate(PLACED), head())
    catalog.audit.attempt(LOG, b"a segment that is under way")


def thaw(step: int, path: Path) -> None:
    """Make the file of a frozen catalog."""
    database = sqlite3.connect(path)
    database.executescript((HERE / f"log-v{step}.sql").read_text("utf-8"))
    database.close()


def main() -> int:
    """Freeze one of the present step; a frozen one is never made anew."""
    frozen = HERE / f"log-v{len(MIGRATIONS)}.sql"
    if frozen.exists():
        sys.stderr.write(f"{frozen} is frozen already.\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "catalog.db")
        catalog = open_catalog(path)
        fill(catalog)
        catalog.close()
        lines = list(sqlite3.connect(path).iterdump())
    frozen.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
