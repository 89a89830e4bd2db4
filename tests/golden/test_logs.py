"""The audit log in catalogs of every step since there is one: nothing of it is lost or changed.

`python -m tests.golden.logs` freezes the present step, once, when a migration is added.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.logs import FIRST, LOG, PLACED, STEPS, WAITING, fill, head, thaw
from vault.catalog.database import open_catalog
from vault.catalog.migrations import MIGRATIONS


def test_every_step_is_frozen() -> None:
    """A new migration comes with the file of a log that it leads to."""
    assert list(range(FIRST, len(MIGRATIONS) + 1)) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_an_older_log_answers_as_it_did(step: int, tmp_path: Path) -> None:
    """Entries in their places, what waits, what is under way, and what the books say."""
    thaw(step, tmp_path / "catalog.db")
    for _ in range(2):
        catalog = open_catalog(tmp_path / "catalog.db")
        audit = catalog.audit
        assert [one for one, _ in audit.all()] == [*PLACED, *WAITING]
        assert audit.placed() == {one.id: (LOG, at) for at, one in enumerate(PLACED)}
        assert tuple(audit.waiting(9)) == WAITING
        assert (audit.head(LOG), audit.attempted(LOG)[:9]) == (head(), b"a segment")
        assert (audit.books().freezes.panic, audit.books().freezes.frozen("deploy-bot")) == (
            "fire",
            "too fast",
        )
        catalog.check()
        catalog.close()


@pytest.mark.parametrize("step", STEPS)
def test_an_older_log_takes_in_what_comes(step: int, tmp_path: Path) -> None:
    """What waited gets its place; what is told again changes nothing."""
    thaw(step, tmp_path / "catalog.db")
    catalog = open_catalog(tmp_path / "catalog.db")
    fill(catalog)
    catalog.audit.settle(LOG, [(len(PLACED), WAITING[0])])
    assert [one for one, _ in catalog.audit.all()] == [*PLACED, *WAITING]
    assert not catalog.audit.waiting(1)
    catalog.close()
