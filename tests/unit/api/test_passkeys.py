"""Passkeys over HTTP: made and used by a browser's authenticator, in software."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.authenticators import PRESENT, VERIFIED, SoftAuthenticator
from tests.signers import SoftKey
from tests.unit.api.conftest import Door, entrust

PAGE = "https://vault.example.org"
WORDS = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
OTHER = json.dumps({"challenge": "AAAA"})


def options(door: Door, name: str, origin: str = PAGE) -> str:
    """What a browser is asked to make a passkey with."""
    path = f"/approvers/{name}/passkey/creation"
    answer = door.ask("ann", "POST", path, json={"origin": origin})
    assert answer.status_code == 200, answer.text
    return json.dumps(answer.json()["public_key"])


def made(door: Door, name: str, response: str, origin: str = PAGE) -> Any:
    """What becomes of a browser's answer."""
    body = {"origin": origin, "response": json.loads(response)}
    return door.ask("ann", "POST", f"/approvers/{name}/passkey", json=body)


@pytest.fixture
def device(door: Door) -> SoftAuthenticator:
    """Eve's: its passkey is enrolled by its line, and an agent may delete `db` once."""
    entrust(door)
    device = SoftAuthenticator(PAGE)
    line = made(door, "eve", device.create(options(door, "eve"))).json()["key"]
    with door.vault() as vault:
        vault.oversight.add_approver("eve", line, kit=door.home / "recovery.kit")
    return device


def challenge(door: Door, approval: str, approver: str = "eve", who: str = "ann") -> Any:
    """What a browser is asked to agree with."""
    return door.ask(who, "GET", f"/approvals/{approval}/challenge?approver={approver}")


def agree(door: Door, approval: str, signature: str) -> Any:
    """Bring what an authenticator answered."""
    path = f"/approvals/{approval}/signatures"
    return door.ask("ann", "POST", path, json={"signature": signature})


def waiting(door: Door) -> str:
    """Let the agent's delete wait; gives what waits."""
    told = door.ask("bot", "DELETE", "/volumes/db", headers=WORDS).json()
    assert told["state"] == "awaiting_approval"
    return str(told["approval"])


def test_from_a_browser_to_a_delete_that_was_agreed_to(
    door: Door, device: SoftAuthenticator
) -> None:
    (listed,) = door.ask("ann", "GET", "/approvers").json()["items"]
    assert (listed["name"], listed["touch"], listed["key"].split()[0]) == (
        *("eve", True),
        "webauthn@vault",
    )
    ask = waiting(door)
    asked = json.dumps(challenge(door, ask).json()["public_key"])
    done = agree(door, ask, device.get(asked)).json()
    assert (done["state"], done["approved_by"]) == ("given", ["eve"])
    answer = door.ask("bot", "DELETE", "/volumes/db", headers=WORDS)
    assert answer.json()["state"] == "tombstoned"


def test_making_one_enrols_nobody(door: Door) -> None:
    """With the kit still in the home, and by whoever asks."""
    answer = made(door, "mallory", SoftAuthenticator(PAGE).create(options(door, "mallory")))
    assert (answer.status_code, answer.json()["name"]) == (200, "mallory")
    assert door.ask("ann", "GET", "/approvers").json()["items"] == []
    with door.vault() as vault:
        assert vault.oversight.quorum() == 0


def test_one_that_was_made_otherwise_is_refused(door: Door) -> None:
    """For another person or page, or by a device that did not verify the person."""
    device, asked = SoftAuthenticator(PAGE), options(door, "eve")
    refused = [made(door, "dan", device.create(asked)), made(door, "eve", device.create(OTHER))]
    refused.append(made(door, "eve", SoftAuthenticator("https://evil.example").create(asked)))
    refused.append(made(door, "eve", SoftAuthenticator(PAGE, flags=PRESENT).create(asked)))
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_refused")
    for origin in ("http://vault.example.org", "https://vault.example.org/x", "vault"):
        body = {"origin": origin}
        answer = door.ask("ann", "POST", "/approvers/eve/passkey/creation", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "usage")


def test_agents_make_none_and_have_none(door: Door) -> None:
    for who, name, status in (("bot", "eve", 403), ("ann", "bot", 400), ("platform", "dan", 403)):
        path = f"/approvers/{name}/passkey/creation"
        assert door.ask(who, "POST", path, json={"origin": PAGE}).status_code == status


def test_an_answer_that_does_not_fit_agrees_to_nothing(
    door: Door, device: SoftAuthenticator
) -> None:
    """To another text, from another page or device, not verified, or of another ceremony."""
    ask = waiting(door)
    asked = json.dumps(challenge(door, ask).json()["public_key"])
    stranger = SoftAuthenticator(PAGE, credential=device.credential)
    wrong = [device.get(OTHER), device.get(asked, kind="webauthn.create"), stranger.get(asked)]
    device.flags = PRESENT
    wrong.append(device.get(asked))
    device.flags, device.origin = PRESENT | VERIFIED, "https://evil.example"
    wrong.append(device.get(asked))
    for signature in wrong:
        answer = agree(door, ask, signature)
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_refused")
    device.origin = PAGE
    assert agree(door, ask, device.get(asked)).json()["state"] == "given"


def test_what_waits_elsewhere_has_no_challenge_here(door: Door, device: SoftAuthenticator) -> None:
    assert device.counter == 0
    ask = waiting(door)
    here = door.ask("ann", "GET", f"/approvals/{ask}/challenge?approver=eve", "staging")
    nowhere = door.ask("ann", "GET", "/approvals/ask_0000000/challenge?approver=eve", "staging")
    assert (here.status_code, nowhere.status_code) == (404, 404)
    assert here.text.replace(ask, "X") == nowhere.text.replace("ask_0000000", "X")
    assert challenge(door, ask, approver="dan").status_code == 400
    key = SoftKey()
    with door.vault() as vault:
        vault.oversight.add_approver("dan", key.line, kit=door.home / "recovery.kit")
    assert challenge(door, ask, approver="dan").status_code == 400
