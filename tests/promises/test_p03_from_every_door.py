"""P3 by HTTP and MCP: what a caller can ask for brings no purge nearer, whoever the caller is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.agents import Agent
from tests.promises.doors import Door, open_door
from tests.promises.scenes import answer
from tests.rgw import fresh_bucket
from vault.testing.rgw import Server
from vault.testing.trees import read_tree

pytestmark = pytest.mark.rgw
WORDS = {"Vault-Reason": "replaced", "Vault-Task": "OPS-1"}
BODIES: tuple[dict[str, object], ...] = (
    {},
    {"reason": "now"},
    {"since": "0s", "by": "bot"},
    {"window": "0s", "force": True},
)
VERBS = ("purge", "release", "expire", "collect", "destroy", "forget", "undelete/../purge")


@pytest.fixture(scope="module")
def door(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """`mail` was deleted by its agent, and has its final snapshot; only its time is missing."""
    with open_door(fresh_bucket(rgw), tmp_path_factory.mktemp("p03"), "db", "mail") as made:
        made.let("bot", "*", uses=5)
        with made.scene.vault() as vault:
            for name, kind in (("ann", "human"), ("platform", "service")):
                vault.oversight.add_identity(name, kind)
        with made.raw(made.token("bot", "production")) as http:
            assert http.delete("/v1/volumes/mail", headers=WORDS).status_code == 202
        done = made.scene.run("daemon", "--once", "--listen", "")
        assert done.returncode == 0, done.stderr
        yield made


def quarantined(door: Door) -> Path:
    """Where the deleted data stand."""
    (place,) = (door.scene.root / "srv").glob(".vault-trash/tomb_*/data")
    return place


def purged(door: Door) -> list[str]:
    """What the purger, the only one who could, says of it now: its verdicts, with reasons."""
    done = door.scene.run("purger", "--once", "--json", role="purger")
    assert done.returncode == 0, done.stderr
    return [f"{item['verdict']}: {item['reasons']}" for item in answer(done)]


@pytest.mark.parametrize("name", ["bot", "ann", "platform"])
def test_no_route_purges(door: Door, name: str) -> None:
    """Every route there is and many that there are not, with every body, by everyone."""
    before = read_tree(quarantined(door))
    with door.raw(door.token(name, "production")) as http:
        (tombstone,) = [
            item["id"]
            for item in http.get("/v1/tombstones").json()["items"]
            if item["state"] == "tombstoned"
        ]
        document = http.get("/v1/openapi.json").json()
        assert not [path for path in document["paths"] if "purge" in path or "release" in path]
        invented = [f"/v1/tombstones/{tombstone}/{verb}" for verb in VERBS]
        for path, body in product([*invented, f"/v1/tombstones/{tombstone}"], BODIES):
            for method in ("POST", "PUT", "PATCH", "DELETE", "PURGE"):
                sent = http.request(method, path, json=body, headers=WORDS)
                assert sent.status_code in (404, 405), (method, path, sent.text)
        told = http.get(f"/v1/tombstones/{tombstone}").json()
    assert told["state"] == "tombstoned"
    assert read_tree(quarantined(door)) == before
    (verdict,) = purged(door)
    assert verdict.startswith("refused")
    assert "window ends" in verdict
    assert read_tree(quarantined(door)) == before


def test_no_tool_purges_and_the_deleters_own_token_undoes(door: Door) -> None:
    agent = Agent(door.token("bot", "production"), door.url)
    assert not [tool.name for tool in agent.tools() if "purge" in tool.name]
    tombstones, purge, again = agent.call(
        ("list_tombstones", {}),
        ("purge", {"tombstone": "*", "force": True}),
        ("delete_volume", {"volume": "mail", "reason": "now", "task": "OPS-1"}),
    )
    assert purge.refused
    assert again.refused
    (verdict,) = purged(door)
    assert verdict.startswith("refused")
    (tombstone,) = [t["id"] for t in json.loads(tombstones.text) if t["state"] == "tombstoned"]
    assert not agent.ask("undelete", tombstone=tombstone).refused
    assert (door.scene.root / "srv" / "mail" / "data").read_bytes() == b"mail" * 1000
    assert purged(door) == []


def test_a_door_holds_no_right_to_purge(door: Door) -> None:
    """The process behind it: neither the purger's key, nor its credential, nor the collector's."""
    home, credentials = door.scene.home("writer"), door.scene.credentials("writer").read_text()
    assert not (home / "keys" / "purger.key").exists()
    assert "[purger]" not in credentials
    assert "[collector]" not in credentials
    assert httpx.get(f"{door.url}/healthz").is_success
