"""Limits of the door: how many requests of one caller, by a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.unit.api.conftest import make_door
from vault.api.application import create_app
from vault.clock import SystemClock
from vault.library import Vault
from vault.testing.clock import ManualClock

RATE = 2.0


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(SystemClock().now())


@pytest.fixture
def client(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A door that lets two requests a second pass, and four at once; and two callers' tokens."""
    home, _, tokens = make_door(tmp_path)
    app = create_app(lambda: Vault.open(home), rate=RATE, clock=clock)
    with TestClient(app) as made:
        yield made, {name: tokens[name, "staging"] for name in ("ann", "bot")}


def test_too_many_at_once_are_put_off(
    client: tuple[TestClient, dict[str, str]], clock: ManualClock
) -> None:
    door, tokens = client
    ann, bot = ({"Authorization": f"Bearer {tokens[name]}"} for name in ("ann", "bot"))
    statuses = [door.get("/v1/volumes", headers=ann).status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    assert door.get("/v1/volumes", headers=bot).status_code == 200
    late = door.get("/v1/volumes", headers=ann)
    assert int(late.headers["retry-after"]) > 0
    assert late.json()["code"] == "too_many_requests"
    clock.sleep(1 / RATE)
    assert door.get("/v1/volumes", headers=ann).status_code == 200
    assert door.get("/v1/volumes", headers=ann).status_code == 429
