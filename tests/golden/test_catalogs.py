"""Catalogs of every step of the schema: each is brought to the present one with the same answers.

`python -m tests.golden.catalogs` freezes the present step, once, when a migration is added.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.golden.catalogs import STEPS, answers, expected, fill, sql_of, thaw
from vault.catalog.database import open_catalog
from vault.catalog.migrations import MIGRATIONS
from vault.errors import CatalogCorrupt, CatalogTooNew


def test_every_step_is_frozen() -> None:
    """A new migration comes with the file of a catalog that it leads to."""
    assert list(range(1, len(MIGRATIONS) + 1)) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_an_older_catalog_answers_as_it_did(step: int, tmp_path: Path) -> None:
    """When it is opened first, and ever after; and every row and page of it is sound."""
    path = tmp_path / "catalog.db"
    thaw(step, path)
    for _ in range(2):
        catalog = open_catalog(path)
        assert answers(catalog) == expected()
        catalog.check()
        catalog.close()


@pytest.mark.parametrize("step", STEPS)
def test_an_older_catalog_takes_in_what_comes(step: int, tmp_path: Path) -> None:
    """What is told again changes nothing."""
    path = tmp_path / "catalog.db"
    thaw(step, path)
    catalog = open_catalog(path)
    fill(catalog)
    assert answers(catalog) == expected()
    catalog.close()


def test_a_new_catalog_has_the_schema_of_a_migrated_one(tmp_path: Path) -> None:
    """Whichever step it began at."""
    open_catalog(tmp_path / "new.db").close()
    schemas = [_schema(tmp_path / "new.db")]
    for step in STEPS:
        thaw(step, tmp_path / f"{step}.db")
        open_catalog(tmp_path / f"{step}.db").close()
        schemas.append(_schema(tmp_path / f"{step}.db"))
    assert schemas.count(schemas[0]) == len(schemas)


def _schema(path: Path) -> list[tuple[object, ...]]:
    """Tables with their columns, and indexes."""
    database = sqlite3.connect(path)
    names = database.execute("SELECT type, name FROM sqlite_master ORDER BY 1, 2").fetchall()
    told = [
        (*name, *database.execute(f"PRAGMA table_info('{name[1]}')").fetchall()) for name in names
    ]
    database.close()
    return told


def test_a_catalog_of_the_future_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Its error says so."""
    path = tmp_path / "catalog.db"
    thaw(STEPS[-1], path)
    database = sqlite3.connect(path)
    database.execute("INSERT INTO migrations VALUES (?, 'of_later')", (STEPS[-1] + 1,))
    database.commit()
    before = list(database.iterdump())
    with pytest.raises(CatalogTooNew):
        open_catalog(path)
    assert list(database.iterdump()) == before
    database.close()


def test_a_damaged_older_catalog_is_found(tmp_path: Path) -> None:
    """What the first step did not see, the reading of the row does."""
    path = tmp_path / "catalog.db"
    thaw(1, path)
    database = sqlite3.connect(path)
    database.execute("UPDATE tombstones SET body = substr(body, 1, 40)")
    database.commit()
    database.close()
    catalog = open_catalog(path)
    with pytest.raises(CatalogCorrupt):
        catalog.tombstones.all()
    catalog.close()


def test_frozen_files_are_of_their_step() -> None:
    """As their migrations' table says."""
    for step in STEPS:
        database = sqlite3.connect(":memory:")
        database.executescript(sql_of(step).read_text("utf-8"))
        assert database.execute("SELECT max(number) FROM migrations").fetchone() == (step,)
        database.close()
