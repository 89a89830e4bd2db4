"""Who asks, what they may know, and how errors are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.signers import SoftKey
from tests.unit.api.conftest import Door, entrust
from vault.api.identify import person
from vault.api.problems import MEDIA_TYPE, status_of
from vault.errors import Denied, StoreUnreachable, VaultError
from vault.governance.principal import PrincipalKind, Via
from vault.library import Vault
from vault.oversight import Oversight

GRANT = {"volumes": ["db"], "reason": "merged", "task": "OPS-1"}


# --- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [None, "Bearer", "Bearer ", "Bearer nonsense", "Basic YW5uOmFubg==", "bearer é"],
)
def test_without_a_token_that_counts_nobody_is_known(door: Door, shown: str | None) -> None:
    headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
    answer = door.client.get("/v1/volumes", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "token_invalid"


def test_a_revoked_token_counts_no_more(door: Door) -> None:
    with door.vault() as vault:
        vault.oversight.revoke_token("bot")
    assert door.ask("bot", "GET", "/volumes").status_code == 401
    assert door.ask("ann", "GET", "/volumes").status_code == 200


def test_a_disabled_identity_is_nobody(door: Door) -> None:
    with door.vault() as vault:
        vault.oversight.disable_identity("bot")
    assert door.ask("bot", "POST", "/volumes/db/undelete").status_code == 401


def test_tokens_of_a_disabled_identity_can_be_revoked(door: Door) -> None:
    """It is let again, and what it had before counts no more."""
    with door.vault() as vault:
        vault.oversight.disable_identity("bot")
        vault.oversight.revoke_token("bot")
        vault.oversight.disable_identity("bot", enable=True)
    assert door.ask("bot", "GET", "/volumes").status_code == 401


def test_an_identity_is_frozen_however_its_name_is_typed(door: Door) -> None:
    with door.vault() as vault:
        assert vault.oversight.freeze("BOT", reason="look").name == "bot"
        assert door.ask("bot", "GET", "/whoami").json()["frozen"] == "look"
        assert not vault.oversight.unfreeze("Bot").frozen
    assert door.ask("bot", "GET", "/whoami").json()["frozen"] == ""


def test_a_narrowed_token_does_less(door: Door) -> None:
    entrust(door)
    full = door.tokens["bot", "production"]
    door.tokens["bot", "production"] = Oversight.narrow_token(
        full, until=None, verbs=["undelete"], volumes=[]
    )
    headers = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
    answer = door.ask("bot", "DELETE", "/volumes/db", headers=headers)
    assert (answer.status_code, "out-of-scope" in answer.json()["detail"]) == (403, True)
    assert door.ask("bot", "GET", "/whoami").json()["verbs"] == ["undelete"]


def test_a_door_of_one_environment_knows_no_token_of_another(door: Door) -> None:
    door.app.state.pool._open = lambda: Vault.open(door.home, environment="staging")
    door.app.state.pool.close()
    while not door.app.state.pool._idle.empty():
        door.app.state.pool._idle.get()
    assert door.ask("ann", "GET", "/volumes", "production").status_code == 401
    assert door.ask("ann", "GET", "/volumes", "staging").status_code == 200


def test_whoever_asks_is_told_who_they_are(door: Door) -> None:
    told = door.ask("bot", "GET", "/whoami", "staging").json()
    assert (told["name"], told["kind"], told["via"]) == ("bot", "agent", "token")
    assert (told["environment"], told["frozen"]) == ("staging", "")


def test_a_uid_is_a_person_of_this_host() -> None:
    known, unknown = person(0), person(4_000_000_000)
    assert known.name.startswith("root@")
    assert unknown.name.startswith("uid-4000000000@")
    assert {known.kind, unknown.kind} == {PrincipalKind.HUMAN}
    assert {known.via, unknown.via} == {Via.UID}


# --- grants, freezes, approvals, audit -----------------------------------------------------------


def test_an_agent_asks_for_a_grant_and_a_person_gives_it(door: Door) -> None:
    asked = door.ask("bot", "POST", "/grants", json=GRANT)
    assert (asked.status_code, asked.json()["state"]) == (201, "asked")
    grant = asked.json()["id"]
    assert door.ask("bot", "POST", f"/grants/{grant}/give").status_code == 403
    assert door.ask("ann", "POST", f"/grants/{grant}/give").json()["state"] == "given"
    assert door.ask("ann", "GET", f"/grants?limit={1}").json()["items"][0]["principal"] == "bot"
    assert door.ask("ann", "GET", "/grants", "staging").json()["items"] == []
    assert door.ask("ann", "POST", f"/grants/{grant}/revoke", "staging").status_code == 404
    assert door.ask("ann", "POST", f"/grants/{grant}/revoke").json()["state"] == "revoked"


def test_whoever_is_frozen_is_held_and_may_undo(door: Door) -> None:
    entrust(door)
    headers = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
    door.ask("bot", "DELETE", "/volumes/db", headers=headers)
    with door.vault() as vault:
        vault.oversight.freeze("bot", reason="it deletes too much")
    answer = door.ask("bot", "DELETE", "/volumes/ledger", headers=headers)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert door.ask("bot", "GET", "/whoami").json()["frozen"]
    assert door.ask("bot", "POST", "/volumes/db/undelete").json()["state"] == "restored"


def test_what_waits_for_people_is_told_and_done_when_they_agreed(door: Door) -> None:
    entrust(door)
    key = _enrolled(door, "eve")
    answer = _delete_by_agent(door)
    told = answer.json()
    assert (answer.status_code, told["state"]) == (202, "awaiting_approval")
    assert (told["tombstone"], told["undo_until"]) == ("", None)
    assert answer.headers["location"] == told["links"]["approval"]
    assert door.ask("bot", "GET", "/volumes/db").json()["state"] == "active"

    path = f"/approvals/{told['approval']}"
    text = door.ask("ann", "GET", path).json()["text"]
    assert "merged" in text
    signature = {"signature": key.sign(text)}
    assert door.ask("bot", "POST", f"{path}/signatures", json=signature).status_code == 403
    brought = door.ask("ann", "POST", f"{path}/signatures", json=signature)
    assert (brought.status_code, brought.json()["approved_by"]) == (200, ["eve"])
    assert door.ask("bot", "GET", "/volumes/db").json()["state"] == "active"
    assert _delete_by_agent(door).json()["state"] == "tombstoned"


def test_what_waits_elsewhere_is_not_there_and_a_refusal_counts(door: Door) -> None:
    entrust(door)
    _enrolled(door, "eve")
    ask = _delete_by_agent(door).json()["approval"]
    assert [a["id"] for a in door.ask("ann", "GET", "/approvals").json()["items"]] == [ask]
    assert door.ask("ann", "GET", "/approvals", "staging").json()["items"] == []
    assert door.ask("ann", "GET", f"/approvals/{ask}", "staging").status_code == 404
    unsigned = door.ask("ann", "POST", f"/approvals/{ask}/signatures", json={"signature": "x"})
    assert (unsigned.status_code, unsigned.json()["code"]) == (403, "signature_refused")
    done = door.ask("ann", "POST", f"/approvals/{ask}/reject", json={"reason": "in use"})
    assert done.json()["state"] == "rejected"
    assert _delete_by_agent(door).status_code == 403
    assert door.ask("bot", "GET", "/volumes/db").json()["state"] == "active"


def _enrolled(door: Door, name: str) -> SoftKey:
    key = SoftKey()
    with door.vault() as vault:
        vault.oversight.add_approver(name, key.line, kit=door.home / "recovery.kit")
    return key


def _delete_by_agent(door: Door) -> Any:
    headers = {"Vault-Reason": "merged", "Vault-Task": "OPS-1", "Idempotency-Key": "k-1"}
    return door.ask("bot", "DELETE", "/volumes/db", headers=headers)


def test_the_audit_log_is_for_people_and_has_every_request(door: Door) -> None:
    door.ask("bot", "DELETE", "/volumes/db", headers={"Vault-Reason": "mine"})
    assert door.ask("bot", "GET", "/audit").status_code == 403
    assert door.ask("platform", "GET", "/audit").status_code == 403
    entries = door.ask("ann", "GET", "/audit").json()["items"]
    last = entries[-1]
    assert (last["by"], last["body"]["verb"], last["body"]["decision"]) == ("bot", "delete", "deny")
    elsewhere = door.ask("ann", "GET", "/audit", "staging").text
    assert "production" not in elsewhere
    assert "ledger" not in elsewhere


# --- problems ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "words", "status"),
    [
        ("GET", "/volumes/nothing", {}, 404),
        ("GET", "/nothing", {}, 404),
        ("PATCH", "/volumes/db", {}, 405),
        ("GET", "/volumes?limit=0", {}, 400),
        ("POST", "/undelete", {"json": {"since": "-1s"}}, 400),
        ("POST", "/undelete", {"content": b"\xff{", "headers": {"Content-Type": "a/b"}}, 400),
        ("POST", "/grants", {"json": {**GRANT, "principal": "platform"}}, 400),
        ("POST", "/undelete", {"content": b" " * 70_000}, 413),
    ],
)
def test_every_refusal_is_a_problem(
    door: Door, method: str, path: str, words: dict[str, Any], status: int
) -> None:
    answer = door.ask("ann", method, path, **words)
    told = answer.json()
    assert answer.status_code == told["status"] == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert told["type"] == f"urn:vault:error:{told['code']}"
    assert {"title", "detail", "safe", "hint", "retryable"} <= told.keys()


def test_a_store_out_of_reach_changes_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_words: object, **_more: object) -> None:
        raise StoreUnreachable("the store does not answer", safe="Nothing was changed.")

    monkeypatch.setattr("vault.operations.audit.commit", away)
    monkeypatch.setattr("vault.operations.gate.commit", away)
    answer = door.ask("ann", "DELETE", "/volumes/db", headers={"Vault-Reason": "old"})
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unreachable")
    assert answer.headers["retry-after"]
    monkeypatch.undo()
    assert door.ask("ann", "GET", "/volumes/db").json()["state"] == "active"
    assert (door.root / "srv" / "production" / "db" / "orders").exists()


def test_every_error_of_the_tree_has_a_status() -> None:
    waiting: list[type[VaultError]] = [VaultError]
    while waiting:
        kind = waiting.pop()
        assert 400 <= status_of(kind("x")) < 600, kind
        waiting += kind.__subclasses__()


@pytest.mark.parametrize(
    ("rule", "status"), [("over-budget", 429), ("frozen", 429), ("needs-grant", 403)]
)
def test_an_excess_is_told_from_a_refusal(rule: str, status: int) -> None:
    denied = Denied("no")
    denied.rules = (rule,)
    assert status_of(denied) == status


def test_the_document_has_every_route_and_every_reference(door: Door) -> None:
    document = door.client.get("/v1/openapi.json")
    assert document.status_code == 200
    paths = document.json()["paths"]
    assert {"delete", "get", "put"} <= paths["/v1/volumes/{name}"].keys()
    schemas = document.json()["components"]["schemas"]
    named = set(_references(document.json()))
    assert not named - {f"#/components/schemas/{name}" for name in schemas}


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [ref for value in part.values() for ref in _references(value)]
    if isinstance(part, list):
        return [ref for value in part for ref in _references(value)]
    return []
