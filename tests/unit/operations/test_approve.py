"""Second signatures: who asks, who agrees, to what, how long; and everything that is not that."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.authenticators import PRESENT, VERIFIED, SoftAuthenticator
from tests.signers import NAMESPACE, SoftKey, make_key, ssh_sign
from tests.unit.operations.approving import (
    AGENT,
    EPHEMERAL,
    OWN_RULES,
    Council,
    make_council,
)
from tests.unit.operations.conftest import OPERATOR, Site
from vault.audit.entry import EntryKind
from vault.catalog.database import open_catalog
from vault.errors import ApprovalNeeded, ApprovalUnknown, Denied, SignatureRefused, UsageError
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Verb
from vault.operations import approve, policy, roster
from vault.operations.gate import admit
from vault.operations.ledger import enter
from vault.operations.policy import FILE
from vault.operations.recheck import check_approval
from vault.settings import Environment, Span


@pytest.fixture
def council(site: Site) -> Council:
    """Ann and Bob may agree; one of them is enough."""
    return make_council(site)


def test_what_people_agree_to_is_carried_out_once(council: Council) -> None:
    """The text names everything; the signature lets this request pass, one time."""
    item = council.asked()
    told = dict(line.split(": ", 1) for line in item.text.splitlines()[1:])
    assert told["who"] == "agent deploy-bot"
    assert told["does"] == "delete"
    assert told["volume"].startswith("db (vol_")
    assert told["request"] == item.id
    assert told["reason"] == "no longer used"
    assert told["task"] == "OPS-1"
    assert told["undoable for"]
    assert told["rules"]
    assert told["good until"]
    assert council.sign(item, "bob").state == "given"
    assert council.admit().request
    assert approve.approval(council.unit, item.id).state == "used"
    again = council.asked()
    assert again.id != item.id
    with pytest.raises(ApprovalUnknown, match="is used"):
        council.sign(dataclasses.replace(again, id=item.id), "bob")


def test_many_at_once_use_it_once(council: Council) -> None:
    """Eight at the same time, each with a catalog of its own: one passes."""
    council.sign(council.asked(), "bob")
    question, unit = council.question(), council.by(AGENT)

    def one(_number: int) -> bool:
        with closing(open_catalog(unit.home / "catalog.db")) as catalog:
            try:
                admit(replace(unit, catalog=catalog), question)
            except ApprovalNeeded:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1


def test_the_same_is_asked_once(council: Council) -> None:
    """However often an agent tries, one thing waits."""
    first = council.asked()
    council.site.clock.advance(timedelta(minutes=1))
    assert council.asked().id == first.id
    assert [item.id for item in approve.approvals(council.unit)] == [first.id]


def test_a_signature_is_good_for_one_request_alone(council: Council) -> None:
    """Replayed for another one that reads alike but for its id."""
    first = council.asked()
    signature = council.keys["bob"].sign(first.text)
    other = council.asked(reason="no longer used.")
    with pytest.raises(SignatureRefused, match="does not fit the text"):
        approve.approve(council.unit, other.id, signature)
    approve.approve(council.unit, first.id, signature)
    council.admit()
    with pytest.raises(SignatureRefused, match="does not fit the text"):
        approve.approve(council.unit, council.asked().id, signature)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "another"},
        {"reason": "no longer used "},
        {"reason": "no longer used\nundoable for: 999d"},
        {"task": "OPS-2"},
        {"environment": "elsewhere"},
        {"volume_id": "vol_another"},
        {"verb": Verb.REMOVE},
    ],
    ids=str,
)
def test_whatever_changes_makes_it_void(council: Council, changes: dict[str, Any]) -> None:
    """Approved as it was, asked for otherwise: refused, or asked about anew."""
    council.let_agent("OPS-2")
    council.sign(council.asked(), "bob")
    with pytest.raises((ApprovalNeeded, Denied)):
        council.admit(**changes)
    council.admit()


def test_changed_rules_make_it_void(council: Council) -> None:
    """What was agreed to under other rules is asked about anew."""
    item = council.sign(council.asked(), "bob")
    (council.site.home / FILE).write_text(OWN_RULES)
    council.agreed_by(["bob"], lambda: policy.use(council.unit))
    assert council.asked().id != item.id


def test_another_window_makes_it_void(council: Council) -> None:
    """A longer window, too: people agreed to other words."""
    item = council.sign(council.asked(), "bob")
    where = council.question().environment
    local = council.site.write.settings.environments
    unit = council.site.write
    from_now = {**local, where: Environment(kind="protected", window=Span(days=9))}
    longer = replace(unit.settings, environments=from_now)
    council.site.write = replace(unit, settings=longer)
    assert council.asked().id != item.id


def test_another_caller_does_not_use_it(council: Council) -> None:
    """Neither a second agent with all its rights nor a person."""
    council.let_agent("OPS-1", "other-bot")
    council.sign(council.asked(), "bob")
    other = replace(AGENT, name="other-bot", token="tok_o", lineage="tok_o")
    with pytest.raises((ApprovalNeeded, Denied)):
        council.admit(other)


def test_it_ends_after_a_day(council: Council) -> None:
    """Signed in time, asked for too late; signed too late."""
    given_ = council.sign(council.asked(), "bob")
    waits = council.asked(reason="another")
    council.site.clock.advance(timedelta(hours=24))
    assert approve.approval(council.unit, given_.id).state == "expired"
    assert council.asked().id != given_.id
    with pytest.raises(ApprovalUnknown, match="is expired"):
        council.sign(waits, "bob")


def test_so_many_agree_as_are_wanted(council: Council) -> None:
    """Two of three; one who signs twice is one."""
    council.add("cyd", "bob")
    council.agreed_by(("bob",), lambda: roster.set_quorum(council.unit, 2))
    item = council.asked()
    assert item.wanted == 2
    assert council.sign(item, "bob", "bob").state == "waiting"
    with pytest.raises(ApprovalNeeded):
        council.admit()
    done = council.sign(item, "cyd")
    assert (done.state, done.approved_by) == ("given", ("bob", "cyd"))
    council.admit()


def test_nobody_agrees_to_their_own(council: Council) -> None:
    """Ann asks, by uid on this host or another; her signature does not count, Bob's does."""
    for name in (OPERATOR.name, "ANN@elsewhere", "ann"):
        asker = replace(OPERATOR, name=name)
        item = council.asked(asker, verb=Verb.REMOVE)
        with pytest.raises(SignatureRefused, match="somebody else"):
            council.sign(item, "ann")
        assert council.sign(item, "bob").state == "given"
        council.admit(asker, verb=Verb.REMOVE)


def test_nobody_agrees_through_a_narrowed_token(council: Council) -> None:
    """A sub-agent's token that comes from Ann's own: what it asks for, Ann asks for."""
    made = {"token": "tok_ann", "name": "ann", "environment": "production"}
    enter(council.unit, EntryKind.TOKEN_MADE, made)
    narrowed = replace(AGENT, token="tok_narrow", lineage="tok_ann")
    item = council.asked(narrowed)
    with pytest.raises(SignatureRefused, match="ann asked for it"):
        council.sign(item, "ann")
    bearer = Principal(PrincipalKind.HUMAN, "cyd", Via.TOKEN, token="tok_n2", lineage="tok_ann")
    signature = council.keys["bob"].sign(item.text)
    with pytest.raises(Denied, match="comes from the one that asked"):
        approve.approve(council.by(bearer), item.id, signature)
    assert approve.approve(council.unit, item.id, signature).state == "given"


def test_agents_bring_nothing_and_agree_to_nothing(council: Council) -> None:
    """With a signature in its hands, or enrolled under its name by mistake."""
    item = council.asked()
    signature = council.keys["bob"].sign(item.text)
    with pytest.raises(Denied, match="agrees to nothing"):
        approve.approve(council.by(AGENT), item.id, signature)
    enter(council.unit, EntryKind.IDENTITY_ADDED, {"name": "Bob", "kind": "agent"})
    with pytest.raises(SignatureRefused, match="no person"):
        approve.approve(council.unit, item.id, signature)


def test_who_was_disabled_counts_no_more(council: Council) -> None:
    """What they signed before, too, and the others are not fewer that are wanted."""
    council.add("cyd", "bob")
    council.agreed_by(("bob",), lambda: roster.set_quorum(council.unit, 2))
    item = council.sign(council.asked(), "bob", "cyd")
    enter(council.unit, EntryKind.IDENTITY_DISABLED, {"name": "bob"})
    assert approve.approval(council.unit, item.id).state == "waiting"
    assert approve.approval(council.unit, item.id).wanted == 2
    with pytest.raises(SignatureRefused, match="disabled"):
        council.sign(item, "bob")
    with pytest.raises(ApprovalNeeded):
        council.admit()


def test_who_was_removed_in_between_counts_no_more(council: Council) -> None:
    """Approved by Bob, Bob removed, then asked for."""
    council.add("cyd", "bob")
    item = council.sign(council.asked(), "bob")
    council.agreed_by(("cyd",), lambda: roster.remove_approver(council.unit, "bob"))
    assert approve.approval(council.unit, item.id).state == "waiting"
    with pytest.raises(ApprovalNeeded):
        council.admit()
    with pytest.raises(SignatureRefused, match="no approver has the key"):
        council.sign(item, "bob")


def test_a_new_key_takes_the_place_of_the_former(council: Council) -> None:
    """What the former one signed does not count any more."""
    item = council.sign(council.asked(), "bob")
    fresh = SoftKey("ecdsa")
    council.add("cyd", "bob")
    council.agreed_by(("cyd",), lambda: roster.add_approver(council.unit, "bob", fresh.line))
    assert approve.approval(council.unit, item.id).state == "waiting"
    council.keys["bob"] = fresh
    assert council.sign(item, "bob").state == "given"


def test_a_protected_environment_wants_a_touch(site: Site, tmp_path: Path) -> None:
    """A key in a file agrees to nothing there, whatever was signed; untouched, none does."""
    council = Council(site)
    council.found("ann", touch=False)
    council.found("bob")
    council.let_agent()
    item = council.asked()
    with pytest.raises(SignatureRefused, match="wants no touch"):
        council.sign(item, "ann")
    key, text = make_key(tmp_path, "ed25519"), tmp_path / "request.txt"
    roster.add_approver(
        council.unit, "cyd", key.with_name(key.name + ".pub").read_text(), council.kit
    )
    text.write_text(item.text)
    with pytest.raises(SignatureRefused, match="wants no touch"):
        approve.approve(council.unit, item.id, ssh_sign(key, text).read_text())
    with pytest.raises(SignatureRefused, match="nobody touched"):
        approve.approve(council.unit, item.id, council.keys["bob"].sign(item.text, flags=0))
    with pytest.raises(ApprovalNeeded):
        council.admit()
    assert council.sign(item, "bob").state == "given"


def test_a_passkey_agrees_in_a_protected_environment(site: Site) -> None:
    """Made and used by a browser; not for another person, nor without verifying them."""
    council, device, page = Council(site), SoftAuthenticator(), "https://vault.example.org"
    council.let_agent()
    options = roster.passkey_creation(council.unit, "ann", page)
    made = device.create(options)
    with pytest.raises(SignatureRefused):
        roster.add_passkey(council.unit, "bob", made, page, council.kit)
    assert roster.add_passkey(council.unit, "ann", made, page, council.kit).touch
    council.found("bob")
    item = council.asked()
    challenge = approve.passkey_challenge(council.unit, item.id, "ann")
    with pytest.raises(UsageError):
        approve.passkey_challenge(council.unit, item.id, "bob")
    device.flags = PRESENT
    with pytest.raises(SignatureRefused):
        approve.approve(council.unit, item.id, device.get(challenge))
    device.flags = PRESENT | VERIFIED
    done = approve.approve(council.unit, item.id, device.get(challenge))
    assert (done.state, done.approved_by) == ("given", ("ann",))
    council.admit()
    log = [entry for entry, _ in council.unit.catalog.audit.all()]
    charter = council.unit.charter
    assert check_approval(log, item.id, vault=charter.vault, root=charter.root) == ("ann",)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_an_ephemeral_environment_takes_keys_in_files(
    site: Site, tmp_path: Path, kind: str
) -> None:
    """Signed by the real ssh-keygen, in the right namespace only."""
    council = Council(site)
    (site.home / FILE).write_text(OWN_RULES)
    policy.use(council.unit)
    key, text = make_key(tmp_path, kind), tmp_path / "request.txt"
    line = key.with_name(key.name + ".pub").read_text()
    roster.add_approver(council.unit, "cyd", line, council.kit)
    item = council.asked(environment=EPHEMERAL)
    text.write_text(item.text)
    wrong = ssh_sign(key, text, "file")
    with pytest.raises(SignatureRefused, match="made for"):
        approve.approve(council.unit, item.id, wrong.read_text())
    wrong.unlink()
    done = approve.approve(council.unit, item.id, ssh_sign(key, text, NAMESPACE).read_text())
    assert (done.state, done.approved_by) == ("given", ("cyd",))
    council.admit(environment=EPHEMERAL)


def test_a_refusal_is_final_for_a_day(council: Council) -> None:
    """By a person or by who asked, with a reason; a signature that comes later changes nothing."""
    item = council.sign(council.asked(), "bob")
    with pytest.raises(UsageError, match="say why"):
        approve.reject(council.unit, item.id, " ")
    other = replace(AGENT, name="other-bot")
    with pytest.raises(Denied):
        approve.reject(council.by(other), item.id, "mischief")
    told = approve.reject(council.unit, item.id, "still in use")
    assert (told.state, told.rejected_by, told.rejected_for) == (
        *("rejected", OPERATOR.name),
        "still in use",
    )
    with pytest.raises(Denied, match="refused this very request"):
        council.admit()
    with pytest.raises(ApprovalUnknown, match="is rejected"):
        council.sign(item, "bob")
    own = council.asked(reason="another")
    assert approve.reject(council.by(AGENT), own.id, "not needed").state == "rejected"
    council.site.clock.advance(timedelta(hours=25))
    assert council.asked().state == "waiting"


@pytest.mark.parametrize(
    "limits", [{"verbs": frozenset({"snapshot"})}, {"volumes": frozenset({"other"})}]
)
def test_a_token_that_does_less_refuses_nothing(council: Council, limits: dict[str, Any]) -> None:
    """Narrowed to something else; with the verb, or for this volume, it refuses."""
    item = council.asked()
    ann = Principal(PrincipalKind.HUMAN, "ann", Via.TOKEN, environment="production")
    with pytest.raises(Denied, match="limited"):
        approve.reject(council.by(replace(ann, **limits)), item.id, "no")
    reaching = replace(ann, verbs=frozenset({"approve"}), volumes=frozenset({"db"}))
    assert approve.reject(council.by(reaching), item.id, "no").state == "rejected"


def test_unknown_ones_are_told_apart_from_none(council: Council) -> None:
    """By no id, by too little of one, and of another environment."""
    item = council.asked()
    for text in ("ask_zzzzzz", "ask_", "", "a"):
        with pytest.raises(ApprovalUnknown):
            approve.approval(council.unit, text)
    assert approve.approval(council.unit, item.id[:20]).id == item.id
    elsewhere = replace(council.unit, catalog=council.unit.catalog.scoped("elsewhere"))
    assert approve.approvals(elsewhere) == ()
    with pytest.raises(ApprovalUnknown):
        approve.approve(elsewhere, item.id, council.keys["bob"].sign(item.text))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=400))
def test_garbage_is_refused(council: Council, garbage: str) -> None:
    """Nothing is entered for it."""
    items = approve.approvals(council.unit)
    item = items[0] if items else council.asked()
    last = council.unit.catalog.audit.last_id()
    with pytest.raises(SignatureRefused):
        approve.approve(council.unit, item.id, garbage)
    assert council.unit.catalog.audit.last_id() == last
