"""The catalog's file: crashes, damage, other processes, newer versions."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.catalog.builders import history
from vault.catalog import connection
from vault.catalog.database import open_catalog
from vault.catalog.migrations import MIGRATIONS
from vault.catalog.rebuild import set_aside
from vault.errors import CatalogBusy, CatalogCorrupt, CatalogError, CatalogTooNew, VaultError

WRITERS = """
import sys
from pathlib import Path
from tests.unit.catalog.builders import history
from vault.catalog.database import open_catalog
catalog = open_catalog(Path(sys.argv[1]))
print("open", flush=True)
number = 0
while number != int(sys.argv[2]):
    _, rows = history(name=f"{sys.argv[3]}-{number}")
    catalog.apply(*rows)
    print(number, flush=True)
    number += 1
"""


def writer(path: Path, count: int, name: str) -> subprocess.Popen[str]:
    """A process that adds `count` volumes (-1: without end) and prints each once it is added."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(path), str(count), name],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "catalog.db"


def test_what_was_written_is_found_again(path: Path) -> None:
    story, rows = history()
    catalog = open_catalog(path)
    catalog.apply(*rows)
    catalog.close()
    again = open_catalog(path)
    again.check()
    assert again.volumes.resolve("db").id == story.volume
    again.close()


def test_only_its_owner_reads_it(path: Path) -> None:
    catalog = open_catalog(path)
    catalog.meta.set("a", "b")
    for file in (path, path.with_name("catalog.db-wal")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    catalog.close()


def test_commits_are_synced(path: Path) -> None:
    catalog = open_catalog(path)
    assert catalog.connection.rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert catalog.connection.rows("PRAGMA synchronous") == [{"synchronous": 2}]
    catalog.close()


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    process = writer(path, -1, "db")
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    catalog = open_catalog(path)
    catalog.check()
    names = {volume.name for volume in catalog.volumes.all()}
    assert {f"db-{number}" for number in told[1:]} <= names
    assert catalog.connection.rows("SELECT count(*) AS n FROM events") == [{"n": len(names)}]
    catalog.close()


def test_many_processes_open_and_write_at_once(path: Path) -> None:
    processes = [writer(path, 10, f"p{number}") for number in range(4)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, answers
    catalog = open_catalog(path)
    assert len(catalog.volumes.all()) == 40
    catalog.check()
    catalog.close()


def test_many_threads_share_one_catalog(path: Path) -> None:
    catalog = open_catalog(path)
    errors: list[VaultError] = []

    def add(name: str) -> None:
        try:
            for number in range(5):
                catalog.apply(*history(name=f"{name}-{number}")[1])
                catalog.volumes.all()
        except VaultError as error:
            errors.append(error)

    threads = [threading.Thread(target=add, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(catalog.volumes.all()) == 20
    catalog.close()


def test_a_holder_that_does_not_let_go_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_catalog(path).close()
    monkeypatch.setattr("vault.limits.CATALOG_WAIT_SECONDS", 0.05)
    catalog = open_catalog(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogBusy):
        catalog.meta.set("a", "b")
    assert catalog.volumes.all() == []  # reading waits for no one
    holder.execute("ROLLBACK")
    catalog.meta.set("a", "b")
    holder.close()
    catalog.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 300])
def test_a_file_that_is_no_catalog(path: Path, damage: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    if not damage:
        open_catalog(path).close()  # empty is new
        return
    with pytest.raises(CatalogCorrupt) as caught:
        open_catalog(path)
    assert "vault rebuild" in caught.value.hint
    assert "stored" in caught.value.safe


def test_damaged_pages_are_found(path: Path) -> None:
    catalog = open_catalog(path)
    for number in range(50):
        catalog.apply(*history(name=f"db-{number}")[1])
    catalog.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 :] = os.urandom(len(data) - 4096 * 3)
    path.write_bytes(data)
    with pytest.raises(CatalogCorrupt) as caught:
        _look_everywhere(path)
    assert "vault rebuild" in caught.value.hint


def _look_everywhere(path: Path) -> None:
    catalog = open_catalog(path)
    catalog.volumes.all()
    catalog.check()


def test_a_row_that_cannot_be_read_is_damage(path: Path) -> None:
    catalog = open_catalog(path)
    catalog.apply(*history()[1])
    with catalog.connection.writing() as database:
        database.execute("UPDATE volumes SET body = x'7b'")
    with pytest.raises(CatalogCorrupt):
        catalog.volumes.all()
    catalog.close()


def test_a_damaged_file_is_set_aside_and_a_new_one_made(path: Path) -> None:
    assert set_aside(path) is None
    path.parent.mkdir()
    path.write_bytes(b"damage" * 1000)
    path.with_name("catalog.db-wal").write_bytes(b"more")
    assert set_aside(path) == path.with_name("catalog.db.damaged")
    catalog = open_catalog(path)
    assert catalog.volumes.all() == []
    catalog.close()


def test_a_newer_catalog_is_left_alone(path: Path) -> None:
    catalog = open_catalog(path)
    with catalog.connection.writing() as handle:
        handle.execute("INSERT INTO migrations VALUES (?, 'unheard_of')", (len(MIGRATIONS) + 1,))
    catalog.close()
    with pytest.raises(CatalogTooNew):
        open_catalog(path)


def test_steps_are_numbered_and_recorded_once(path: Path) -> None:
    open_catalog(path).close()
    catalog = open_catalog(path)
    rows = catalog.connection.rows("SELECT number, name FROM migrations ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, len(MIGRATIONS) + 1))
    assert rows[0]["name"] == "begin"
    catalog.close()


def test_a_place_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path / "file" / "catalog.db")
    assert "catalog.db" in caught.value.message


def test_a_place_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path)
    assert str(tmp_path) in caught.value.message


def test_times_as_text_sort_as_times_do() -> None:
    whole = connection.from_column("2026-04-24T09:00:00.000000")
    half = whole.replace(microsecond=500_000)
    assert connection.to_column(whole) < connection.to_column(half)
    assert connection.from_column(connection.to_column(half)) == half


def test_a_file_that_is_there_is_opened_by_sqlite_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing any other descriptor of it would drop the locks of this process's connections."""
    path = tmp_path / "catalog.db"
    closed: list[int] = []
    whole = os.close

    def noted(handle: int) -> None:
        closed.append(handle)
        whole(handle)

    with closing(open_catalog(path)):
        monkeypatch.setattr(os, "close", noted)
        with closing(open_catalog(path)):
            assert closed == []
