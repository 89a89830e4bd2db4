"""P2 over HTTP and MCP: a delete is a tombstone, undone with the deleter's own token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.agents import Agent
from tests.promises.doors import Door, open_door
from tests.rgw import fresh_bucket
from vault.clock import SystemClock, parse_time
from vault.errors import Denied, VolumeUnknown
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
FLOOR = timedelta(hours=48)
WORDS = {"Vault-Reason": "replaced", "Vault-Task": "OPS-1"}


@pytest.fixture(scope="module")
def door(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(fresh_bucket(rgw), tmp_path_factory.mktemp("p02"), "db", "mail", "logs") as made:
        made.let("bot", "*", uses=50)
        yield made


@pytest.fixture
def token(door: Door) -> str:
    return door.token("bot", "production")


def test_a_delete_is_answered_with_the_way_back(door: Door, token: str) -> None:
    place = door.scene.root / "srv" / "mail"
    with door.raw(token) as http:
        made = http.delete("/v1/volumes/mail", headers=WORDS)
        assert made.status_code == 202, made.text
        told = made.json()
        assert told["state"] == "tombstoned"
        assert not place.exists()
        window = parse_time(told["undo_until"]) - SystemClock().now()
        assert window > FLOOR - timedelta(minutes=1)
        back = http.post(told["links"]["undelete"])
        assert (back.status_code, back.json()["state"]) == (200, "restored")
    assert (place / "data").read_bytes() == b"mail" * 1000


@pytest.mark.parametrize(
    "query",
    ["force=1", "force", "window=1s", "permanent=true&skip_quarantine=1", "purge=now&version=0"],
)
def test_no_parameter_shortens_the_window(door: Door, token: str, query: str) -> None:
    with door.raw(token) as http:
        made = http.delete(f"/v1/volumes/logs?{query}", headers=WORDS).json()
        assert parse_time(made["undo_until"]) - SystemClock().now() > FLOOR - timedelta(minutes=1)
        assert http.post(made["links"]["undelete"]).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-force"},
        {"Accept": "application/vnd.vault.v0+json", "X-HTTP-Method-Override": "PURGE"},
        {"Vault-Window": "0s", "Vault-Force": "true", "Prefer": "permanent"},
    ],
)
def test_no_header_shortens_the_window(door: Door, token: str, headers: dict[str, str]) -> None:
    with door.raw(token) as http:
        made = http.delete("/v1/volumes/logs", headers={**WORDS, **headers}).json()
        assert parse_time(made["undo_until"]) - SystemClock().now() > FLOOR - timedelta(minutes=1)
        assert http.post(made["links"]["undelete"]).is_success


@pytest.mark.parametrize("version", ["v0", "v2", "beta", ""])
def test_there_is_no_other_version_to_fall_back_to(door: Door, token: str, version: str) -> None:
    with door.raw(token) as http:
        assert http.delete(f"/{version}/volumes/db", headers=WORDS).status_code == 404
    assert door.scene.source.exists()


def test_the_same_key_gets_the_same_answer_and_deletes_once(door: Door, token: str) -> None:
    with door.raw(token) as http:
        keyed = {**WORDS, "Idempotency-Key": "once"}
        first = http.delete("/v1/volumes/logs", headers=keyed).json()
        assert http.post(first["links"]["undelete"]).is_success
        again = http.delete("/v1/volumes/logs", headers=keyed)
        assert again.json() == first
        assert (door.scene.root / "srv" / "logs").exists()  # it was not deleted a second time
        other = http.delete("/v1/volumes/mail", headers=keyed)
        assert (other.status_code, other.json()["code"]) == (422, "usage")


def test_a_delete_without_intent_is_refused_by_the_rule_that_it_breaks(
    door: Door, token: str
) -> None:
    with door.client(token) as vault:
        with pytest.raises(Denied, match="needs-reason"):
            vault.delete("db", reason="", task="OPS-1")
        with pytest.raises(Denied, match="needs-task"):
            vault.delete("db", reason="because")
        with pytest.raises(Denied, match="needs-task"):
            vault.delete("db", reason="because", task="OPS-404")
    assert door.scene.source.exists()


def test_with_the_store_away_nothing_changes(rgw_own: Server, tmp_path: Path) -> None:
    with open_door(fresh_bucket(rgw_own), tmp_path, "db") as door:
        door.let("bot", "*")
        token = door.token("bot", "production")
        rgw_own.kill()
        with door.raw(token) as http:
            answer = http.delete("/v1/volumes/db", headers=WORDS)
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
        assert door.scene.source.exists()


def test_an_agent_deletes_and_undoes_by_its_tools(door: Door) -> None:
    """A real MCP client, over standard input, with the token of an agent that is not known yet."""
    door.let("other-bot", "*", task="OPS-2")
    token = door.token("other-bot", "production")
    agent = Agent(token, door.url)
    hints: dict[str, Any] = {tool.name: tool.annotations for tool in agent.tools()}
    assert hints["delete_volume"].destructive_hint
    assert hints["list_volumes"].read_only_hint
    words = {"volume": "mail", "reason": "replaced", "task": "OPS-2"}
    refused, foreign, done = agent.call(
        ("delete_volume", {**words, "task": "OPS-404"}),
        ("delete_volume", {**words, "volume": "branch"}),
        ("delete_volume", words),
    )
    assert refused.refused
    assert "needs-task" in refused.text
    assert foreign.refused
    assert "there is no volume" in foreign.text
    assert not done.refused
    assert "undelete brings it back" in done.text
    with door.client(token) as vault:
        with pytest.raises(VolumeUnknown):
            vault.volume("branch")
        (back,) = vault.undelete_since(timedelta(minutes=5), by="other-bot")
    assert (back.volume, back.state) == ("mail", "restored")
