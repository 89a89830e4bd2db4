"""P11: a burst stops inline: what one identity puts into tombstones is bounded, the rest waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.agents import Agent
from tests.promises.doors import Door, open_door, serving
from tests.promises.scenes import answer as items
from tests.rgw import fresh_bucket
from vault import limits
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
VOLUMES = ("db", *(f"v{number}" for number in range(11)))
WORDS = {"Vault-Reason": "cleaning up", "Vault-Task": "OPS-1"}


@pytest.fixture(scope="module")
def door(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(fresh_bucket(rgw), tmp_path_factory.mktemp("p11"), *VOLUMES) as made:
        made.let("bot", "*", uses=1000)
        made.let("other-bot", "*", uses=1000, task="OPS-2")
        yield made


@pytest.fixture(scope="module")
def burst(door: Door) -> list[httpx.Response]:
    """Every volume, from eight threads at once, with one token and one narrowed from it."""
    token = door.token("bot", "production")
    with door.scene.vault() as vault:
        narrower = vault.oversight.narrow_token(token, until=None, verbs=["delete"], volumes=[])

    def delete(number: int) -> httpx.Response:
        with door.raw(narrower if number % 2 else token) as http:
            return http.delete(f"/v1/volumes/{VOLUMES[number]}", headers=WORDS)

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(delete, range(len(VOLUMES))))


def test_no_more_than_the_budget_is_set_aside(door: Door, burst: list[httpx.Response]) -> None:
    statuses = Counter(answer.status_code for answer in burst)
    assert statuses.keys() == {202, 429}
    assert statuses[202] == limits.AGENT_VOLUMES
    with door.scene.vault() as vault:
        gone = [t for t in vault.tombstones() if t.state == "tombstoned"]
        assert len(gone) == limits.AGENT_VOLUMES
    held = next(answer for answer in burst if answer.status_code == 429)
    assert held.headers["Retry-After"]
    assert "over-budget" in held.json()["detail"] or "frozen" in held.json()["detail"]


def test_the_identity_waits_for_a_person(door: Door, burst: list[httpx.Response]) -> None:
    assert burst
    with door.scene.vault() as vault:
        (frozen,) = vault.oversight.frozen()
        assert frozen.name == "bot"
        assert "budget" in frozen.reason
    with door.raw(door.token("bot", "production")) as http:  # a fresh token is the same identity
        answer = http.delete("/v1/volumes/v10", headers=WORDS)
        assert (answer.status_code, answer.json()["code"]) == (429, "denied")
        tombstone = http.get("/v1/tombstones").json()["items"][0]
        assert http.post(f"/v1/tombstones/{tombstone['id']}/undelete").is_success


def test_a_restart_forgives_nothing(door: Door, burst: list[httpx.Response]) -> None:
    assert burst
    with door.scene.vault() as vault:
        vault.oversight.unfreeze("bot")
    with (
        serving(door.scene) as url,
        Door(door.scene, url).raw(door.token("bot", "production")) as http,
    ):
        answer = http.delete("/v1/volumes/v10", headers=WORDS)
    assert answer.status_code == 429
    assert "over-budget" in answer.json()["detail"]


def test_others_go_on(door: Door, burst: list[httpx.Response]) -> None:
    assert burst
    with door.scene.vault() as vault:
        (standing, *_) = [v for v in vault.volumes() if v.state == "active"]
    with door.raw(door.token("other-bot", "production")) as http:
        answer = http.delete(
            f"/v1/volumes/{standing.name}", headers={**WORDS, "Vault-Task": "OPS-2"}
        )
        assert answer.status_code == 202, answer.text
        assert http.post(answer.json()["links"]["undelete"]).is_success


def test_in_a_panic_everybody_waits_and_nobody_is_kept_from_undoing(
    door: Door, burst: list[httpx.Response]
) -> None:
    assert burst
    with door.scene.vault() as vault:
        vault.oversight.panic(reason="somebody has our tokens")
    try:
        done = door.scene.run("delete", "v9", "--reason", "x", "--json")
        assert done.returncode == 61
        assert "panic" in done.stderr
        done = door.scene.run("undelete", "--by", "bot", "--since", "1h", "--json")
        assert done.returncode == 0, done.stderr
    finally:
        with door.scene.vault() as vault:
            vault.oversight.calm()
    for name in VOLUMES[1:]:
        place = door.scene.root / "srv" / name / "data"
        assert place.read_bytes() == name.encode() * 1000


def test_a_burst_by_tools_stops_as_well(rgw: Server, tmp_path: Path) -> None:
    """Two sessions of one identity at once; the rest waits for a person, and is told so."""
    with open_door(fresh_bucket(rgw), tmp_path, *VOLUMES) as door:
        door.let("bot", "*", uses=1000)
        agent = Agent(door.token("bot", "production"), door.url)
        calls = [
            ("delete_volume", {"volume": name, "reason": "cleaning up", "task": "OPS-1"})
            for name in VOLUMES
        ]
        with ThreadPoolExecutor(2) as threads:
            halves = threads.map(lambda half: agent.call(*half), (calls[::2], calls[1::2]))
            told = [answer for half in halves for answer in half]
        done = [answer for answer in told if not answer.refused]
        assert len(done) == limits.AGENT_VOLUMES
        assert all("budget" in a.text or "frozen" in a.text for a in told if a.refused)
        (waits,) = agent.call(("what_waits", {}))
        assert "You (bot) are frozen" in waits.text
        assert "vault unfreeze bot" in waits.text
        back = door.scene.run("undelete", "--by", "bot", "--since", "10m", "--json")
        assert len(items(back)) == limits.AGENT_VOLUMES
        for name in VOLUMES:
            assert (door.scene.root / "srv" / name / "data").exists()
