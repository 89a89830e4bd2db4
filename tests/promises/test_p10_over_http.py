"""P10 by HTTP and MCP: an answer comes after its entry: in the bucket, whatever the answer is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agents import Agent
from tests.promises.doors import Door, open_door
from tests.rgw import fresh_bucket
from vault.library import Vault
from vault.operations.audit_items import AuditEntryItem
from vault.operations.history import AuditFilter
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
WORDS = {"Vault-Reason": "replaced", "Vault-Task": "OPS-1"}


@pytest.fixture(scope="module")
def door(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(fresh_bucket(rgw), tmp_path_factory.mktemp("p10"), "db", "mail") as made:
        made.let("bot", "mail", uses=50)
        yield made


def stored(door: Door, by: str) -> list[AuditEntryItem]:
    """What another machine reads of somebody's requests: bucket, kit, the reader's credential."""
    with Vault.from_store(door.scene.url, door.scene.kit, profile="reader") as vault:
        assert vault.oversight.audit_verify().findings == ()
        return list(vault.oversight.audit_show(AuditFilter(by=by, kind="request")))


def test_every_answer_has_its_entry_in_the_bucket(door: Door) -> None:
    """Allowed or refused; the entry says who, by which token, from where, why, and what came."""
    token = door.token("bot", "production")
    cases = (
        ("DELETE", "/v1/volumes/db", 403, "deny"),
        ("DELETE", "/v1/volumes/mail", 202, "allow"),
        ("POST", "/v1/volumes/mail/undelete", 200, "allow"),
        ("POST", "/v1/volumes/mail/snapshots", 200, "allow"),
    )
    with door.raw(token) as http:
        for number, (method, path, status, decision) in enumerate(cases, 1):
            answer = http.request(method, path, headers=WORDS)
            assert answer.status_code == status, answer.text
            entries = stored(door, "bot")
            assert len(entries) == number
            assert entries[-1].body["decision"] == decision
    first = stored(door, "bot")[0]
    assert (first.by, first.by_kind, first.environment) == ("bot", "agent", "production")
    assert (first.body["reason"], first.body["task"]) == ("replaced", "OPS-1")
    assert "needs-grant" in first.body["rules"]
    assert first.body["origin"] == "127.0.0.1"


def test_what_an_agent_does_by_its_tools_is_entered_alike(door: Door) -> None:
    before = len(stored(door, "other-bot"))
    agent = Agent(door.token("other-bot", "production"), door.url)
    words = {"volume": "db", "reason": "by a tool", "task": "OPS-404"}
    assert agent.ask("delete_volume", **words).refused
    entries = stored(door, "other-bot")
    assert len(entries) == before + 1
    assert (entries[-1].body["reason"], entries[-1].body["decision"]) == ("by a tool", "deny")
