"""The books of approvals and approvers, and the text that people sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vault.audit.entry import Caller, Entry, EntryKind
from vault.governance.approval import Approvals, Plan, Roster, digest_of_plan, plan_text
from vault.governance.facts import ApprovalFact

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
PLAN = Plan(
    vault="vault_1",
    ask="ask_1",
    requester="deploy-bot",
    kind="agent",
    verb="delete",
    volume="db",
    volume_id="vol_1",
    environment="production",
    class_="protected",
    window="48h",
    reason="no longer used",
    task="OPS-1",
    policy="abc",
    expires_at=NOW + timedelta(hours=24),
)
SHOWN = (
    *("requester", "kind", "verb", "volume", "volume_id", "environment", "class_", "window"),
    *("reason", "task", "policy", "about", "vault", "ask"),
)


def entry(kind: EntryKind, body: dict[str, Any]) -> Entry:
    """An entry as a host writes it."""
    caller = Caller("human", "ann@host")
    return Entry(id="aud_1", at=NOW, uptime=1.0, kind=kind, caller=caller, body=body)


def books(*entries: tuple[EntryKind, dict[str, Any]]) -> tuple[Approvals, Roster]:
    """Both books after these entries, the plan asked for first."""
    approvals, roster = Approvals(), Roster()
    asked = (EntryKind.APPROVAL_ASKED, msgspec.to_builtins(PLAN))
    for kind, body in (asked, *entries):
        approvals.apply(entry(kind, body))
        roster.apply(entry(kind, body))
    return approvals, roster


def added(name: str, *, touch: bool = True) -> tuple[EntryKind, dict[str, Any]]:
    """Somebody is enrolled."""
    return EntryKind.APPROVER_ADDED, {"name": name, "key": f"key-{name}", "touch": touch}


def signed(name: str, key: str = "") -> tuple[EntryKind, dict[str, Any]]:
    """Somebody agrees."""
    terms = {"ask": "ask_1", "approver": name, "key": key or f"key-{name}", "signature": "…"}
    return EntryKind.APPROVAL_SIGNED, terms


def test_the_text_is_readable_and_whole() -> None:
    """Word for word: what people have agreed to stays what it was."""
    assert plan_text(PLAN) == (
        "vault: approval of a request\n"
        "vault: vault_1\n"
        "request: ask_1\n"
        "who: agent deploy-bot\n"
        "does: delete\n"
        "volume: db (vol_1)\n"
        "environment: production (protected)\n"
        "undoable for: 48h\n"
        "reason: no longer used\n"
        "task: OPS-1\n"
        "rules: abc\n"
        "good until: 2027-03-02T12:00:00Z\n"
    )


@given(st.sampled_from(SHOWN), st.text())
def test_no_value_brings_a_line_of_its_own(name: str, value: str) -> None:
    """Whatever it holds: as many lines, all of them to be printed."""
    text = plan_text(msgspec.structs.replace(PLAN, **{name: value}))
    assert len(text.splitlines()) <= len(plan_text(PLAN).splitlines()) + (name == "about")
    assert text.replace("\n", "").isprintable()
    text.encode()


@given(st.sampled_from(("reason", "task", "about", "window", "policy")), st.text(), st.text())
def test_two_values_are_two_texts(name: str, one: str, other: str) -> None:
    """Also such as are written with escapes."""
    texts = {plan_text(msgspec.structs.replace(PLAN, **{name: value})) for value in (one, other)}
    assert len(texts) == len({one, other})


def test_escapes_do_not_pass_for_what_they_stand_for() -> None:
    """A newline, and the very letters that stand for one."""
    written = msgspec.structs.replace(PLAN, reason="a\\u{a}b")
    assert digest_of_plan(written) != digest_of_plan(msgspec.structs.replace(PLAN, reason="a\nb"))


def test_it_is_found_while_it_counts() -> None:
    """Waiting, given, used; expired at the very moment."""
    approvals, roster = books(added("ann"), added("bob"))
    again = msgspec.structs.replace(PLAN, ask="", expires_at=NOW)
    assert approvals.find(again, roster, NOW) == (ApprovalFact.WAITING, "ask_1")
    assert approvals.find(PLAN, roster, PLAN.expires_at) == (ApprovalFact.UNASKED, "")
    approvals.apply(entry(*signed("bob")))
    assert approvals.find(again, roster, NOW) == (ApprovalFact.GIVEN, "ask_1")
    last = PLAN.expires_at - timedelta(microseconds=1)
    assert approvals.find(again, roster, last) == (ApprovalFact.GIVEN, "ask_1")
    assert approvals.find(again, roster, PLAN.expires_at) == (ApprovalFact.UNASKED, "")
    approvals.apply(entry(EntryKind.APPROVAL_USED, {"ask": "ask_1"}))
    assert approvals.find(again, roster, NOW) == (ApprovalFact.UNASKED, "")


@given(st.sampled_from([name for name in SHOWN if name != "ask"]))
def test_anything_else_is_not_found(name: str) -> None:
    """One term changed: nothing was agreed to."""
    approvals, roster = books(added("bob"), signed("bob"))
    other = msgspec.structs.replace(PLAN, **{name: "another"})
    assert approvals.find(other, roster, NOW) == (ApprovalFact.UNASKED, "")


def test_only_present_keys_that_are_touched_count() -> None:
    """Not who was never enrolled, was removed, has another key now, or one in a file."""
    for entries in (
        (added("ann"), signed("bob")),
        (added("ann"), added("bob"), signed("bob"), (EntryKind.APPROVER_REMOVED, {"name": "bob"})),
        (added("bob"), signed("bob", "key-former")),
        (added("bob", touch=False), signed("bob")),
    ):
        approvals, roster = books(*entries)
        assert approvals.find(PLAN, roster, NOW) == (ApprovalFact.WAITING, "ask_1"), entries
    plain = msgspec.structs.replace(PLAN, ask="ask_2", class_="ephemeral")
    approvals, roster = books(
        added("bob", touch=False),
        (EntryKind.APPROVAL_ASKED, msgspec.to_builtins(plain)),
        (EntryKind.APPROVAL_SIGNED, signed("bob")[1] | {"ask": "ask_2"}),
    )
    assert approvals.find(plain, roster, NOW) == (ApprovalFact.GIVEN, "ask_2")


def test_nobody_enrolled_is_nobody_agreed() -> None:
    """A quorum of none is not met by none."""
    approvals, roster = books()
    assert roster.quorum == 0
    assert approvals.find(PLAN, roster, NOW) == (ApprovalFact.WAITING, "ask_1")


def test_the_first_terms_of_an_id_stay() -> None:
    """A second entry of the same id changes nothing that people read."""
    other = msgspec.to_builtins(msgspec.structs.replace(PLAN, volume="other"))
    approvals, _ = books((EntryKind.APPROVAL_ASKED, other))
    found = approvals.get("ask_1")
    assert found is not None
    assert found.plan == PLAN


_BODIES = st.dictionaries(
    st.sampled_from(("ask", "name", "approver", "key", "touch", "quorum", "kind", "reason", "x")),
    st.none() | st.text(max_size=3) | st.integers() | st.lists(st.integers(), max_size=2),
)


@given(st.lists(st.tuples(st.sampled_from(list(EntryKind)), _BODIES), max_size=9))
def test_odd_entries_are_skipped(odd: list[tuple[EntryKind, dict[str, Any]]]) -> None:
    """Of a later vault, or of one that lies: never a failure, never an agreement."""
    approvals, roster = books(*odd)
    assert approvals.find(PLAN, roster, NOW)[0] is not ApprovalFact.GIVEN
    assert roster.quorum >= 0
