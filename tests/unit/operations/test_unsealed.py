"""Objects that lack what guards them beside their lock: told of, guarded again, no hindrance."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_purge import WINDOW, finalized, verdict
from vault.operations.verify import mend, verify
from vault.store.contract import Lock


@pytest.fixture
def loose(site: Site, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The keys that lack it; to extend one gives it back."""
    keys: set[str] = set()
    retention, extend = site.memory.retention, site.memory.extend

    def told(key: str, *, version: str | None = None) -> Lock:
        return replace(retention(key, version=version), firm=key not in keys)

    def extended(key: str, until: datetime, *, version: str) -> datetime:
        keys.discard(key)
        return extend(key, until, version=version)

    monkeypatch.setattr(site.memory, "retention", told)
    monkeypatch.setattr(site.memory, "extend", extended)
    return keys


@pytest.mark.parametrize("prefix", ["packs/", "keys/", "snapshots/", "charter/"])
def test_verify_tells_of_it_and_the_writer_mends_it(
    site: Site, loose: set[str], prefix: str
) -> None:
    finalized(site)
    found = next(site.memory.list(prefix))
    held = site.memory.retention(found.key).until
    loose.add(found.key)
    report = verify(site.write, deep=False)
    assert [(one.what, one.path) for one in report.findings] == [("unsealed", found.key)]
    assert verify(site.write, deep=False).findings  # to look changes nothing
    mend(site.write, report)
    assert verify(site.write, deep=False).findings == ()
    assert site.memory.retention(found.key).until == held


def test_what_has_lapsed_is_told_of_and_no_failure(site: Site, loose: set[str]) -> None:
    finalized(site)
    site.clock.advance(timedelta(days=800))
    loose.update(found.key for found in site.memory.list("packs/"))
    report = verify(site.write, deep=False)
    assert {one.what for one in report.findings} == {"unsealed"}
    mend(site.write, report)


def test_a_final_snapshot_that_lacks_it_can_be_purged_by(site: Site, loose: set[str]) -> None:
    finalized(site)
    loose.update(found.key for found in site.memory.list("packs/"))
    site.clock.advance(WINDOW)
    assert verdict(site)[0] == "purged"
