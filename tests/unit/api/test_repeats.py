"""Idempotency keys over HTTP: they outlive the process, and what was undone stays undone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.processes import vault_api
from tests.unit.api.conftest import Door
from vault.api.application import create_app
from vault.client import Client
from vault.errors import UsageError
from vault.library import Vault

WORDS = {"Vault-Reason": "moved to the new host", "Idempotency-Key": "k-1"}


@contextmanager
def restarted(door: Door) -> Iterator[Door]:
    """Another process of the same home."""
    app = create_app(lambda: Vault.open(door.home), rate=10_000.0)
    with TestClient(app) as client:
        yield Door(door.home, door.root, app, client, door.tokens)


def delete(door: Door, name: str = "db", **headers: str) -> Any:
    """Delete a volume of production under a key."""
    return door.ask("ann", "DELETE", f"/volumes/{name}", headers=WORDS | headers)


def state(door: Door) -> str:
    """What state the volume is in."""
    return str(door.ask("ann", "GET", "/volumes/db").json()["state"])


def test_after_a_restart_a_key_means_what_it_did(door: Door) -> None:
    first = delete(door)
    door.ask("ann", "POST", "/volumes/db/undelete")
    with restarted(door) as later:
        again = delete(later)
        assert (again.status_code, again.json()) == (202, first.json())
        assert again.headers["location"] == first.headers["location"]
        other = delete(later, "ledger")
        assert (other.status_code, other.json()["code"]) == (422, "usage")
        assert "another request" in other.json()["detail"]
        assert state(later) == "active"
        fresh = delete(later, **{"Idempotency-Key": "k-2"})
        assert fresh.json()["tombstone"] != first.json()["tombstone"]


def test_a_key_outlives_the_catalog(door: Door) -> None:
    """Lost with its host's disk; what the store holds is enough."""
    first = delete(door)
    for path in door.home.glob("catalog.db*"):
        path.unlink()
    with restarted(door) as later:
        later.ask("ann", "POST", "/volumes/db/undelete")
        again = delete(later)
        assert again.json()["tombstone"] == first.json()["tombstone"]
        assert state(later) == "active"


def test_a_second_key_for_what_is_deleted_means_it_for_ever(door: Door) -> None:
    first = delete(door)
    assert delete(door, **{"Idempotency-Key": "k-2"}).json() == first.json()
    door.ask("ann", "POST", "/volumes/db/undelete")
    with restarted(door) as later:
        assert delete(later, **{"Idempotency-Key": "k-2"}).json() == first.json()
        assert state(later) == "active"


def test_a_crowd_at_two_processes_is_one_delete(door: Door) -> None:
    with restarted(door) as other, ThreadPoolExecutor(8) as crowd:
        doors = [door, other] * 10
        answers = list(crowd.map(delete, doors))
        door.ask("ann", "POST", "/volumes/db/undelete")
        late = list(crowd.map(delete, doors))
    assert {answer.status_code for answer in answers + late} == {202}
    assert len({answer.json()["tombstone"] for answer in answers + late}) == 1
    assert state(door) == "active"


@pytest.mark.timeout(300)
def test_a_real_process_that_was_stopped_knows_its_keys(door: Door) -> None:
    environ = {"PATH": os.environ["PATH"], "VAULT_HOME": str(door.home)}
    words, token = {"reason": "merged", "key": "key of ours"}, door.tokens["ann", "production"]
    with vault_api(environ) as url, Client(url, token) as vault:
        made = vault.delete("db", **words)
        vault.undelete([made.id])
    with vault_api(environ) as url, Client(url, token) as vault:
        again = vault.delete("db", **words)
        assert (again.id, again.state) == (made.id, "restored")
        with pytest.raises(UsageError, match="another request"):
            vault.delete("ledger", **words)
        assert vault.volume("db").state == "active"
        headers = {
            "Authorization": f"Bearer {token}",
            "Vault-Reason": "merged",
            "Idempotency-Key": "key of ours",
        }
        assert httpx.delete(f"{url}/v1/volumes/db", headers=headers).status_code == 202
    assert (door.root / "srv" / "production" / "db" / "orders").exists()
