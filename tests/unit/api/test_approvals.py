"""Second signatures over HTTP, attacked: replayed, exchanged, one's own, brought by the asker."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.signers import SoftKey
from tests.unit.api.conftest import Door
from vault.governance.intent import Task
from vault.operations.grants import GrantWish
from vault.operations.policy import FILE
from vault.operations.tokens import TokenWish
from vault.oversight import Oversight

PEOPLE_TOO: Final = """
@id("people-too") @says("we look at what people delete, too") @ask("approval")
forbid (principal is Human, action == Action::"delete", resource)
when { context.quorum > 0 && context.approval != "given" };
"""


@pytest.fixture
def keys(door: Door) -> dict[str, SoftKey]:
    """Eve and Dan may agree; the agent may delete `db` and `ledger` many times, for two tasks."""
    made = {name: SoftKey() for name in ("eve", "dan")}
    (door.home / FILE).write_text(PEOPLE_TOO)  # while nobody has to agree to it
    with door.vault() as vault:
        for name in made:
            vault.oversight.add_identity(name, "human")
            token = vault.oversight.make_token(TokenWish(name=name, environment="production"))
            door.tokens[name, "production"] = token.secret
        for task in ("OPS-1", "OPS-2"):
            terms = Task(
                task=task, environment="production", assignees=("bot",), volumes=("db", "ledger")
            )
            grant = GrantWish(
                environment="production",
                volumes=("db", "ledger"),
                reason="work",
                task=task,
                uses=20,
                principal="bot",
            )
            vault.oversight.add_task(terms)
            vault.oversight.give_unasked(grant)
        for name, key in made.items():
            vault.oversight.add_approver(name, key.line, kit=door.home / "recovery.kit")
    return made


def delete(
    door: Door, volume: str = "db", who: str = "bot", reason: str = "merged", task: str = "OPS-1"
) -> Any:
    """Ask for a delete; gives what is answered."""
    headers = {"Vault-Reason": reason, "Vault-Task": task}
    answer = door.ask(who, "DELETE", f"/volumes/{volume}", headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def asked(door: Door, **changes: str) -> tuple[str, str]:
    """Ask for a delete that waits: the path of what waits, and the text to sign."""
    told = delete(door, **changes)
    assert told["state"] == "awaiting_approval"
    path = f"/approvals/{told['approval']}"
    return path, door.ask("ann", "GET", path).json()["text"]


def bring(door: Door, path: str, signature: str, who: str = "ann") -> Any:
    """Bring a signature."""
    return door.ask(who, "POST", f"{path}/signatures", json={"signature": signature})


def test_a_signature_is_good_for_one_delete(door: Door, keys: dict[str, SoftKey]) -> None:
    """Brought again, to what was done and to the same wish asked anew, it counts for nothing."""
    path, text = asked(door)
    signature = keys["eve"].sign(text)
    assert bring(door, path, signature).json()["state"] == "given"
    assert delete(door)["state"] == "tombstoned"
    assert door.ask("bot", "POST", "/volumes/db/undelete").json()["state"] == "restored"

    assert bring(door, path, signature).status_code == 404
    again, fresh = asked(door)
    assert (again == path, fresh == text) == (False, False)
    refused = bring(door, again, signature)
    assert (refused.status_code, refused.json()["code"]) == (403, "signature_refused")
    assert delete(door)["state"] == "awaiting_approval"


@pytest.mark.parametrize(
    "changes",
    [{"volume": "ledger"}, {"reason": "merged."}, {"task": "OPS-2"}],
    ids=lambda c: "-".join(c),
)
def test_a_signature_is_good_for_one_plan(
    door: Door, keys: dict[str, SoftKey], changes: dict[str, str]
) -> None:
    """Of another volume, reason or task: not by its signature, and not once the first is given."""
    path, text = asked(door)
    other, _ = asked(door, **changes)
    signature = keys["eve"].sign(text)
    assert bring(door, other, signature).json()["code"] == "signature_refused"
    assert bring(door, path, signature).json()["state"] == "given"
    assert delete(door, **changes)["state"] == "awaiting_approval"
    for name in ("db", "ledger"):
        assert door.ask("ann", "GET", f"/volumes/{name}").json()["state"] == "active"


def test_nobody_agrees_to_their_own_through_a_narrowed_token(
    door: Door, keys: dict[str, SoftKey]
) -> None:
    """Eve hands a narrowed token on; what it asks for she has asked for, whoever brings it."""
    narrowed = Oversight.narrow_token(
        door.tokens["eve", "production"], until=None, verbs=["delete"], volumes=["db"]
    )
    door.tokens["sub", "production"] = narrowed
    path, text = asked(door, who="sub", task="")
    own = bring(door, path, keys["eve"].sign(text))
    assert (own.status_code, own.json()["code"]) == (403, "signature_refused")
    for bearer in ("sub", "eve", "bot", "platform"):
        refused = bring(door, path, keys["dan"].sign(text), bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "denied"), bearer
    assert delete(door, who="sub", task="")["state"] == "awaiting_approval"
    assert bring(door, path, keys["dan"].sign(text)).json()["state"] == "given"
    assert delete(door, who="sub", task="")["state"] == "tombstoned"


def test_what_eve_agreed_to_is_not_anothers(door: Door, keys: dict[str, SoftKey]) -> None:
    """Given to the agent: a person, and a second agent, are asked about anew."""
    path, text = asked(door)
    assert bring(door, path, keys["eve"].sign(text)).json()["state"] == "given"
    assert delete(door, who="ann", task="")["state"] == "awaiting_approval"
    assert delete(door)["state"] == "tombstoned"


def test_what_waits_has_ends_of_its_own(door: Door, keys: dict[str, SoftKey]) -> None:
    """Rejected by whoever asked; then no signature counts, and the wish is refused that day."""
    path, text = asked(door)
    done = door.ask("bot", "POST", f"{path}/reject", json={"reason": "not needed"})
    assert done.json()["state"] == "rejected"
    assert bring(door, path, keys["eve"].sign(text)).status_code == 404
    headers = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
    answer = door.ask("bot", "DELETE", "/volumes/db", headers=headers)
    assert (answer.status_code, "rejected" in answer.json()["detail"]) == (403, True)
