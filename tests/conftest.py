"""What all tests share: the real S3 server, and how hypothesis looks for examples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from vault.store.durable import is_sealed, unseal

pytest_plugins = ["tests.rgw"]

# CI replays the same examples every time; a person's machine looks for new ones.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def many_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many deletes by one person are no accident here."""
    monkeypatch.setattr("vault.limits.HUMAN_DELETES", 1000)
    monkeypatch.setattr("vault.limits.ENVIRONMENT_DELETES", 1000)


@pytest.fixture(scope="session", autouse=True)
def _nothing_stays_for_good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test leaves files that nobody can delete: stores of tests take `?immutable=no`."""
    yield
    if os.geteuid() == 0:
        places = os.walk(tmp_path_factory.getbasetemp())  # what is too deep for a path is no store
        marks = [Path(place, "vault-store") for place, _, names in places if "vault-store" in names]
        stores = [mark.parent for mark in marks if is_sealed(mark)]
        for path in (path for store in stores for path in store.rglob("*") if path.is_file()):
            unseal(path)
        assert not stores, f"immutable stores were left behind: {stores}"
