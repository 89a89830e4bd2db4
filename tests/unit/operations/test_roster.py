"""The roster: founded by the root key, changed by its quorum, never by one person alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.signers import SoftKey
from tests.unit.operations.approving import AGENT, Council, make_council
from tests.unit.operations.conftest import OPERATOR, Site
from vault.audit.entry import EntryKind
from vault.codec.keyring import RecoveryKit
from vault.codec.signing import SigningKey
from vault.errors import ApprovalNeeded, Denied, KitMissing, KitWrong, SignatureRefused, UsageError
from vault.governance.principal import PrincipalKind
from vault.operations import approve, homes, roster
from vault.operations.ledger import enter


@pytest.fixture
def council(site: Site) -> Council:
    """Ann and Bob may agree; one of them is enough."""
    return make_council(site)


def names(council: Council) -> list[str]:
    """Who may agree."""
    return [approver.name for approver in roster.approvers(council.unit)]


def test_the_first_is_enrolled_by_the_root_key_alone(site: Site, tmp_path: Path) -> None:
    """Without the kit, with one that cannot sign, with another vault's: nobody."""
    council, line = Council(site), SoftKey().line
    kit = council.kit
    whole = homes.read_kit(kit)
    assert whole.root is not None
    reads_only = tmp_path / "reads.kit"
    text = kit.read_text()
    reads_only.write_text("".join(x for x in text.splitlines(True) if "root-secret" not in x))
    other = tmp_path / "other.kit"
    other.write_text(_another(whole).text())
    for wrong in (reads_only, other):
        with pytest.raises(KitWrong):
            roster.add_approver(council.unit, "ann", line, wrong)
    away = kit.rename(tmp_path / "away.kit")
    with pytest.raises(KitMissing):
        roster.add_approver(council.unit, "ann", line)
    assert names(council) == []
    assert roster.quorum(council.unit) == 0
    roster.add_approver(council.unit, "ann", line, away)
    assert names(council) == ["ann"]
    assert roster.quorum(council.unit) == 1


def test_one_person_alone_adds_nobody(site: Site) -> None:
    """One is enrolled, without the kit at hand: their own signature does not count."""
    council = Council(site)
    council.found("ann")
    mallory = SoftKey()
    with pytest.raises(ApprovalNeeded) as caught:
        roster.add_approver(council.unit, "mallory", mallory.line)
    item = approve.approval(council.unit, caught.value.ask)
    assert f"key {' '.join(mallory.line.split(' ')[:2])}" in item.text
    for key in (council.keys["ann"], mallory):
        with pytest.raises(SignatureRefused):
            approve.approve(council.unit, item.id, key.sign(item.text))
    with pytest.raises(ApprovalNeeded):
        roster.add_approver(council.unit, "mallory", mallory.line)
    assert names(council) == ["ann"]


def test_two_are_founded_and_then_the_kit_enrols_no_more(council: Council) -> None:
    """With it in hand one person is still one person."""
    with pytest.raises(ApprovalNeeded) as caught:
        roster.add_approver(council.unit, "cyd", SoftKey().line, council.kit)
    item = approve.approval(council.unit, caught.value.ask)
    with pytest.raises(SignatureRefused, match="somebody else"):
        council.sign(item, "ann")
    assert names(council) == ["ann", "bob"]
    council.add("cyd", "bob")
    assert names(council) == ["ann", "bob", "cyd"]


def test_what_was_agreed_to_is_what_is_done(council: Council) -> None:
    """Agreed to Cyd's key; with another key, or for another name, it waits anew. Used once."""
    line, other = SoftKey().line, SoftKey().line
    with pytest.raises(ApprovalNeeded) as caught:
        roster.add_approver(council.unit, "cyd", line)
    council.sign(approve.approval(council.unit, caught.value.ask), "bob")
    for name, key in (("cyd", other), ("dan", line)):
        with pytest.raises(ApprovalNeeded):
            roster.add_approver(council.unit, name, key)
    roster.add_approver(council.unit, "cyd", line)
    with pytest.raises(ApprovalNeeded):
        roster.remove_approver(council.unit, "cyd")
    assert names(council) == ["ann", "bob", "cyd"]


def test_keys_in_files_never_change_the_roster(site: Site) -> None:
    """A roster of them is still founded by the kit, until two in it have to be touched."""
    council = Council(site)
    council.found("ann", "bob", touch=False)
    with pytest.raises(ApprovalNeeded) as caught:
        roster.add_approver(council.unit, "cyd", SoftKey().line)
    with pytest.raises(SignatureRefused, match="wants no touch"):
        council.sign(approve.approval(council.unit, caught.value.ask), "bob")
    council.found("cyd", "dan")
    with pytest.raises(ApprovalNeeded):
        roster.add_approver(council.unit, "eve", SoftKey().line, council.kit)


def test_a_quorum_can_always_be_met(council: Council) -> None:
    """Never more than there are keys with a touch, neither set so nor left so."""
    for number in (0, -1, 3):
        with pytest.raises(UsageError, match="1 to 2"):
            roster.set_quorum(council.unit, number)
    council.agreed_by(("bob",), lambda: roster.set_quorum(council.unit, 2))
    assert roster.quorum(council.unit) == 2
    with pytest.raises(UsageError, match="too few"):
        roster.remove_approver(council.unit, "ann")
    other = replace(OPERATOR, name="zoe@host")
    council.agreed_by(("ann", "bob"), lambda: roster.set_quorum(council.by(other), 1))
    council.agreed_by(("bob",), lambda: roster.remove_approver(council.unit, "ann"))
    assert names(council) == ["bob"]
    with pytest.raises(UsageError, match="no approver"):
        roster.remove_approver(council.unit, "ann")


def test_one_name_one_key_one_person(council: Council) -> None:
    """Two names for one key, or one name in two spellings, would be two voices of one."""
    mine = council.keys["ann"].line
    for name, line in (("cyd", mine), ("Ann", SoftKey().line), ("cyd", f"{mine} other comment")):
        with pytest.raises(UsageError, match="ann is enrolled"):
            roster.add_approver(council.unit, name, line)
    for name in ("", "a b", "аnn", "ann\n", "-x"):
        with pytest.raises(UsageError):
            roster.add_approver(council.unit, name, SoftKey().line)


def test_only_people_enrol_and_are_enrolled(site: Site) -> None:
    """No agent enrols, with the kit in its hands; none is enrolled under its own name."""
    council = Council(site)
    service = replace(AGENT, kind=PrincipalKind.SERVICE)
    for principal in (AGENT, service):
        with pytest.raises(Denied, match="people enrol people"):
            roster.add_approver(council.by(principal), "cyd", SoftKey().line, council.kit)
        with pytest.raises((Denied, UsageError)):
            roster.set_quorum(council.by(principal), 1)
    enter(council.unit, EntryKind.IDENTITY_ADDED, {"name": "deploy-bot", "kind": "agent"})
    for name in ("deploy-bot", "Deploy-Bot"):
        with pytest.raises(UsageError, match="no person"):
            roster.add_approver(council.unit, name, SoftKey().line, council.kit)
    assert names(council) == []


def _another(kit: RecoveryKit) -> RecoveryKit:
    root = SigningKey.generate()
    return dataclasses.replace(kit, root=root, root_public=root.public_hex)
