"""Limits of the door: how many requests of one caller, by a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.unit.api.conftest import make_door
from vault.api.application import create_app
from vault.clock import SystemClock
from vault.governance.biscuits import narrow
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


def test_narrowing_a_token_makes_no_new_caller(
    client: tuple[TestClient, dict[str, str]],
) -> None:
    """Whoever holds one can make any number of them."""
    door, tokens = client
    narrowed = [
        narrow(tokens["ann"], until=None, verbs=["list"], volumes=[f"v{number}"])
        for number in range(6)
    ]
    statuses = [
        door.get("/v1/whoami", headers={"Authorization": f"Bearer {token}"}).status_code
        for token in (tokens["ann"], *narrowed)
    ]
    assert statuses == [200] * 4 + [429] * 3


def test_who_makes_up_tokens_is_one_caller_and_stands_in_nobodys_way(
    client: tuple[TestClient, dict[str, str]], clock: ManualClock
) -> None:
    """Who has counted here before is not that caller; others behind the same address wait."""
    door, tokens = client
    ann, bot = ({"Authorization": f"Bearer {tokens[name]}"} for name in ("ann", "bot"))
    assert door.get("/v1/whoami", headers=ann).status_code == 200
    made_up = [f"vlt_{number}{tokens['ann'][5:]}" for number in range(3)]
    made_up += [f"Bearer.of.{number}" for number in range(3)]
    statuses = [
        door.get("/v1/whoami", headers={"Authorization": f"Bearer {token}"}).status_code
        for token in made_up
    ]
    assert statuses == [401] * 4 + [429] * 2
    assert door.get("/v1/whoami", headers=ann).status_code == 200
    assert door.get("/v1/whoami", headers=bot).status_code == 429
    clock.sleep(1 / RATE)
    assert [door.get("/v1/whoami", headers=bot).status_code for _ in range(2)] == [200] * 2


def test_of_several_tokens_the_one_that_counts_is_the_caller(
    client: tuple[TestClient, dict[str, str]],
) -> None:
    """A second one, made up each time, makes nobody else of them."""
    door, tokens = client
    statuses = [
        door.get(
            "/v1/whoami",
            headers=[
                ("Authorization", f"Bearer {tokens['ann']}"),
                ("Authorization", f"Bearer made.up.{number}"),
            ],
        ).status_code
        for number in range(6)
    ]
    assert statuses == [200] * 4 + [429] * 2
