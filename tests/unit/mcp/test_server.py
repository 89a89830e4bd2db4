"""The door for agents: a real MCP client, `vault mcp` and `vault api` as processes, real tokens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.agents import Agent
from tests.signers import SoftKey
from tests.unit.mcp.conftest import Place, Transport
from vault.client import Client
from vault.clock import SystemClock, format_time
from vault.errors import VaultError

BOTH = pytest.mark.parametrize("by", ["stdio", "http"])
READS = {
    *("whoami", "list_volumes", "list_snapshots", "list_tombstones", "list_grants", "what_waits")
}
PROTECTS = {"take_snapshot", "request_grant", "undelete"}
DESTROYS = {"delete_volume"}


@BOTH
def test_every_tool_says_what_it_does_to_things(place: Place, by: Transport) -> None:
    """Clients ask their user before they call what is destructive: the hints are set."""
    found = {tool.name: tool for tool in place.agent("bot", by).tools()}
    assert found.keys() == READS | PROTECTS | DESTROYS
    for name, tool in found.items():
        hints: Any = tool.annotations
        assert hints.read_only_hint is (name in READS), name
        assert bool(hints.destructive_hint) is (name in DESTROYS), name
        assert hints.open_world_hint is False
        assert tool.description
        assert all(word["description"] for word in tool.input_schema["properties"].values()), name


@BOTH
def test_from_asking_to_undoing(place: Place, by: Transport) -> None:
    """What is missing is told at each step, with the words that people would need."""
    volume = {"stdio": "mail", "http": "wiki"}[by]
    agent = place.agent("bot", by)
    words = {"volume": volume, "reason": "merged", "task": "OPS-1"}
    refused, asked, waits = agent.call(
        ("delete_volume", words), ("request_grant", words), ("what_waits", {})
    )
    assert refused.refused
    assert "needs-grant" in refused.text
    (grant,) = re.findall(r"grant_\w+", asked.text.partition(" ")[0])
    assert f"vault grant give {grant}" in asked.text
    assert f"bot asks to delete {volume} (merged); waits for a person to give it" in waits.text
    assert place.data(volume).exists()

    with place.vault() as vault:
        vault.oversight.give_grant(grant)
    done, told, grants = agent.call(
        ("delete_volume", words), ("list_tombstones", {}), ("list_grants", {})
    )
    assert not done.refused, done.text
    assert not place.data(volume).exists()
    (tombstone,) = re.findall(r"tomb_\w+", done.text)
    assert tombstone in told.text
    assert '"state": "spent"' in grants.text
    back = agent.ask("undelete", tombstone=tombstone)
    assert back.text == f"“{volume}” is back at {place.data(volume).parent}."
    assert place.data(volume).read_text() == volume
    taken, snapshots = agent.call(
        ("take_snapshot", {"volume": volume}), ("list_snapshots", {"volume": volume})
    )
    assert re.findall(r"snap_\w+", taken.text)[0] in snapshots.text


@BOTH
def test_what_http_refuses_is_refused_here_in_the_same_words(place: Place, by: Transport) -> None:
    """Another environment's, another's task, no reason, what is not there, a word too long."""
    words: dict[str, list[dict[str, str]]] = {
        "stray": [
            {"volume": "db", "reason": "merged", "task": "OPS-1"},
            {"volume": "db", "reason": "merged"},
        ],
        "bot": [
            {"volume": "branch", "reason": "merged", "task": "OPS-1"},
            {"volume": "db", "reason": " ", "task": "OPS-1"},
            {"volume": "db", "reason": "merged", "task": "OPS-404"},
            {"volume": "nothing", "reason": "merged"},
            {"volume": "db", "reason": "x" * 3000},
            {"volume": "../../db", "reason": "merged"},
        ],
    }
    for name, cases in words.items():
        agent = place.agent(name, by)
        told = agent.call(*(("delete_volume", case) for case in cases))
        for case, refused in zip(cases, told, strict=True):
            assert refused.refused, case
            with Client(place.daemon, agent.token) as http, pytest.raises(VaultError) as error:
                http.delete(case["volume"], reason=case["reason"], task=case.get("task", ""))
            assert error.value.message in refused.text, case
    assert place.data("db").exists()
    assert place.data("branch").exists()


@BOTH
def test_a_grant_is_asked_for_with_a_most_and_a_start_as_by_http(
    place: Place, by: Transport
) -> None:
    agent, begins = place.agent("bot", by), SystemClock().now() + timedelta(hours=2)
    words = {"volume": "db", "reason": "merged", "task": "OPS-1"}
    terms = {"bytes": 7_000_000, "starts_at": begins.isoformat()}
    asked = agent.ask("request_grant", **words, **terms)
    assert f"from {format_time(begins)} until {format_time(begins + timedelta(hours=1))}" in (
        asked.text
    )
    assert asked.text.endswith("7000000 bytes at most.")
    with place.vault() as vault:
        (made,) = (g for g in vault.oversight.grants() if g.id == asked.text.partition(" ")[0])
    assert (made.bytes, made.starts_at) == (7_000_000, begins)

    wrong: list[dict[str, Any]] = [
        {"bytes": -1},
        {"bytes": 10**18 + 1},
        {"starts_at": "soon"},
        {"starts_at": "2026-11-28T12:00:00"},
        {"starts_at": (begins + timedelta(days=4000)).isoformat()},
    ]
    told = agent.call(*(("request_grant", {**words, **case}) for case in wrong))
    wish = {"volumes": ["db"], "reason": "merged", "task": "OPS-1"}
    shown = {"Authorization": f"Bearer {agent.token}"}
    for case, refused in zip(wrong, told, strict=True):
        answer = httpx.post(f"{place.daemon}/v1/grants", json={**wish, **case}, headers=shown)
        assert refused.refused, case
        assert answer.json()["detail"] in refused.text, case


@BOTH
def test_there_is_no_tool_for_more(place: Place, by: Transport) -> None:
    words = {"volume": "db", "tombstone": "*", "grant": "*", "force": True}
    more = ("purge", "delete_snapshot", "delete_tombstone", "give_grant", "approve", "unfreeze")
    for told in place.agent("bot", by).call(*((tool, words) for tool in more)):
        assert told.refused
        assert "Unknown tool" in told.text


def test_words_that_no_tool_has_change_nothing(place: Place) -> None:
    words = {"volume": "db", "reason": "x", "force": True, "window": "0s", "permanent": True}
    assert place.agent("stray", "http").ask("delete_volume", **words).refused
    assert place.data("db").exists()


def test_by_http_nobody_acts_with_the_token_of_the_process(place: Place) -> None:
    """The process itself was started with a person's token, which would do."""
    for token in ("", "nonsense"):
        agent = Agent(token, server=place.server)
        for told in agent.call(("list_volumes", {}), ("whoami", {})):
            assert told.refused
            assert "db" not in told.text
    assert "shows no token" in Agent("", server=place.server).ask("whoami").text
    assert '"name": "bot"' in place.agent("bot", "http").ask("whoami").text


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_page_in_a_browser_does_not_reach_it(place: Place, header: dict[str, str]) -> None:
    """A name that was bound to this address is not believed."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"Accept": "application/json, text/event-stream"}
    answer = httpx.post(place.server, json=call, headers={**accept, **header})
    assert answer.status_code in (403, 421)


def test_a_daemon_that_is_gone_is_told_in_words(place: Place) -> None:
    agent = Agent(place.token("bot"), "http://127.0.0.1:9")
    told = agent.ask("delete_volume", volume="db", reason="x")
    assert told.refused
    assert "does not answer" in told.text
    assert "can succeed later" in told.text
    assert "Traceback" not in told.text


def test_what_waits_for_approvers_is_told_and_done_once_they_agreed(place: Place) -> None:
    key, words = SoftKey(), {"volume": "logs", "reason": "merged", "task": "OPS-1"}
    agent = place.agent("bot", "http")
    grant = agent.ask("request_grant", **words).text.partition(" ")[0]
    stray = place.agent("stray", "http")
    with place.vault() as vault:
        vault.oversight.give_grant(grant)
        vault.oversight.add_approver("eve", key.line, kit=place.home / "recovery.kit")
    held, waits = agent.call(("delete_volume", words), ("what_waits", {}))
    assert not held.refused
    assert held.text.startswith("Nothing was changed: delete of “logs” waits for approval")
    assert "0 of 1 person agreed; it waits for approvers other than bot" in held.text
    (ask, *_) = re.findall(r"ask_\w+", held.text)
    assert f"{ask}: bot wants to delete “logs” (merged)" in waits.text
    assert place.data("logs").exists()
    with place.vault() as vault:
        vault.oversight.approve(ask, key.sign(vault.oversight.approval(ask).text))
    agreed, done, after = agent.call(
        ("what_waits", {}), ("delete_volume", words), ("what_waits", {})
    )
    assert "1 of 1 person agreed; it waits for bot to ask again the same way" in agreed.text
    assert "is deleted as tomb_" in done.text
    assert ask not in after.text
    with place.vault() as vault:
        vault.oversight.freeze("stray", reason="enough of it")
    frozen, refused = stray.call(("what_waits", {}), ("delete_volume", {**words, "volume": "db"}))
    assert "You (stray) are frozen: enough of it" in frozen.text
    assert "frozen" in refused.text
