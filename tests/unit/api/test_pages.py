"""Listings over HTTP: followed page by page, and no answer has more than it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient

from tests.signers import SoftKey
from tests.unit.api.conftest import Door, entrust, make_door

LISTINGS: Final = (
    *("/volumes", "/snapshots", "/tombstones", "/grants", "/audit", "/approvers"),
    *("/approvals?all=true", "/approvals", "/audit?by=ann", "/snapshots?volume=db"),
)
MOST: Final = 1000


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A vault with several of everything."""
    root = tmp_path_factory.mktemp("pages")
    home, app, tokens = make_door(root)
    with TestClient(app) as client:
        door = Door(home, root, app, client, tokens)
        for name in ("db", "ledger", "db"):
            door.ask("ann", "POST", f"/volumes/{name}/snapshots")
        for reason in ("one", "two", "three"):
            door.ask("bot", "POST", "/grants", json={"volumes": ["db"], "reason": reason})
            door.ask("ann", "DELETE", "/volumes/ledger", headers={"Vault-Reason": reason})
            door.ask("ann", "POST", "/volumes/ledger/undelete")
        for task in ("OPS-1", "OPS-2", "OPS-3"):
            entrust(door, task=task)
        with door.vault() as vault:
            for name in ("eve", "bob"):
                vault.oversight.add_approver(name, SoftKey().line, kit=home / "recovery.kit")
        for task in ("OPS-1", "OPS-2", "OPS-3"):
            why = {"Vault-Reason": "merged", "Vault-Task": task}
            waits = door.ask("bot", "DELETE", "/volumes/db", headers=why)
            assert waits.json()["state"] == "awaiting_approval", waits.text
        yield door


def get(door: Door, path: str, **query: Any) -> Any:
    """One page, for Ann."""
    path, _, more = path.partition("?")
    told = dict(pair.split("=") for pair in more.split("&") if pair)
    answer = door.ask("ann", "GET", path, params=told | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def followed(door: Door, path: str, limit: int) -> list[Any]:
    """All items, page by page."""
    items: list[Any] = []
    page = get(door, path, limit=limit)
    while page["next"] is not None:
        assert len(page["items"]) == limit
        items += page["items"]
        page = get(door, path, limit=limit, after=page["next"])
    assert len(page["items"]) <= limit
    return [*items, *page["items"]]


@pytest.mark.parametrize("path", LISTINGS)
def test_pages_follow_one_another(full: Door, path: str) -> None:
    """Whatever their size: all there is, once, in order."""
    whole = get(full, path, limit=MOST)
    assert whole["next"] is None
    assert len(whole["items"]) > 1
    names = [item.get("id") or item["name"] for item in whole["items"]]
    assert names == sorted(set(names))
    for limit in (1, 2, len(names), len(names) + 1):
        assert followed(full, path, limit) == whole["items"]


def test_every_listing_has_pages_of_a_bounded_size(full: Door) -> None:
    """By the document, so that a new one has them, too; and what is too much is refused."""
    document = full.client.get("/v1/openapi.json").json()
    listed = set()
    for path, methods in document["paths"].items():
        answer = str(methods.get("get", {}).get("responses", {}).get("200"))
        if "Listing" not in answer:
            continue
        listed.add(path)
        bounds = {p["name"]: p["schema"] for p in methods["get"]["parameters"]}
        assert bounds["limit"]["maximum"] == MOST, path
        assert "after" in bounds, path
        for wrong in (0, MOST + 1):
            answer = full.ask("ann", "GET", path.removeprefix("/v1"), params={"limit": wrong})
            assert answer.status_code == 400, path
    assert listed == {"/v1" + path.partition("?")[0] for path in LISTINGS}


def test_the_log_is_asked_for_what_fits(full: Door) -> None:
    everything = get(full, "/audit", limit=MOST)["items"]

    def ids(**query: str) -> list[str]:
        found = get(full, "/audit", limit=MOST, **query)["items"]
        return [item["id"] for item in found]

    third = everything[2]
    assert ids(since=third["at"]) == [e["id"] for e in everything if e["at"] >= third["at"]]
    assert ids(by="bot") == [e["id"] for e in everything if e["by"] == "bot"] != []
    assert ids(kind="request", by="bot") == [
        e["id"] for e in everything if (e["kind"], e["by"]) == ("request", "bot")
    ]
    ledger = full.ask("ann", "GET", "/volumes/ledger").json()["id"]
    about = [e["id"] for e in everything if e["volume"] == ledger]
    assert ids(volume=ledger) == about != []
    assert set(about) < set(ids(volume="ledger"))  # and what was asked for by its name
    assert ids(volume="nothing") == []
    for wrong in ({"kind": "odd"}, {"since": "2026-01-01T00:00:00"}, {"since": "soon"}):
        assert full.ask("ann", "GET", "/audit", params=wrong).status_code == 400
