"""The books of identities and of freezes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.governance.entries import ODD, entry
from vault.audit.entry import Entry, EntryKind
from vault.errors import UsageError
from vault.governance.freeze import Freezes
from vault.governance.identity import Identities, check_name
from vault.governance.principal import PrincipalKind


def added(name: str, kind: str = "agent", **terms: Any) -> Entry:
    """Somebody adds an identity."""
    return entry(EntryKind.IDENTITY_ADDED, {"name": name, "kind": kind, **terms})


def book(*entries: Entry) -> Identities:
    """The book after these entries."""
    identities = Identities()
    for one in entries:
        identities.apply(one)
    return identities


def frozen(*entries: Entry) -> Freezes:
    """The book of freezes after these entries."""
    freezes = Freezes()
    for one in entries:
        freezes.apply(one)
    return freezes


def test_a_name_keeps_its_kind() -> None:
    """An agent that is added once more as a person, or in capitals, is an agent still."""
    identities = book(
        added("bot"), added("bot", "human"), added("BOT", "human"), added("ann", "human")
    )
    assert [(i.name, i.kind) for i in identities.all()] == [
        ("ann", PrincipalKind.HUMAN),
        ("bot", PrincipalKind.AGENT),
    ]
    assert identities.get("BOT") is None
    alike = identities.like("BOT")
    assert alike is not None
    assert alike.name == "bot"
    assert identities.like("boot") is None


def test_who_is_disabled_can_be_enabled_again() -> None:
    """By the exact name, and nobody else with them."""
    off = entry(EntryKind.IDENTITY_DISABLED, {"name": "bot"})
    identities = book(added("bot"), added("ann", "human"), off)
    assert {i.name: i.disabled for i in identities.all()} == {"ann": False, "bot": True}
    identities.apply(entry(EntryKind.IDENTITY_ENABLED, {"name": "bot"}))
    assert not any(i.disabled for i in identities.all())
    identities.apply(entry(EntryKind.IDENTITY_DISABLED, {"name": "nobody"}))
    assert len(identities.all()) == 2


def test_a_subject_is_one_identitys() -> None:
    """Of none is nobody's."""
    identities = book(added("ci", "service", subject="repo:acme/app"), added("bot"))
    found = identities.of_subject("repo:acme/app")
    assert found is not None
    assert found.name == "ci"
    assert identities.of_subject("repo:acme/other") is None
    assert identities.of_subject("") is None


@pytest.mark.parametrize("name", ["bot", "deploy-bot", "ann@laptop", "a.b_c-9", "A" * 64, "0"])
def test_plain_names_can_be_had(name: str) -> None:
    """And are given back as they are."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "-bot",
            ".bot",
            "@host",
            "A" * 65,
            "bot\n",
            "bot ",
            "a/b",
            "../bot",
            "a b",
            "bot*",
        ),
        *("b\u00f6t", "b\u03bft", "bot\u200b", "\uff42ot", "bot\x00", 'bot"', "bot,ann", "bot;ann"),
    ],
    ids=ascii,
)
def test_names_that_look_like_others_cannot(name: str) -> None:
    """Letters of other scripts, of no width, paths, and what means something elsewhere."""
    with pytest.raises(UsageError):
        check_name(name)


@given(st.text())
def test_what_can_be_a_name_is_plain(name: str) -> None:
    """ASCII that can be printed, whatever is tried."""
    try:
        check_name(name)
    except UsageError:
        return
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= 64


def test_a_freeze_lasts_until_somebody_has_looked() -> None:
    """With its last reason; of one alone."""
    freeze = entry(EntryKind.FROZEN, {"name": "bot", "reason": "too fast"})
    freezes = frozen(freeze, entry(EntryKind.FROZEN, {"name": "ann"}))
    assert freezes.frozen("bot") == "too fast"
    assert freezes.frozen("ann") == "no reason was given"
    assert freezes.frozen("BOT") == freezes.frozen("") == ""
    assert list(freezes.all()) == ["ann", "bot"]
    freezes.apply(entry(EntryKind.FROZEN, {"name": "bot", "reason": "again"}))
    assert freezes.frozen("bot") == "again"
    freezes.apply(entry(EntryKind.UNFROZEN, {"name": "bot"}))
    freezes.apply(entry(EntryKind.UNFROZEN, {"name": "bot"}))
    assert freezes.all() == {"ann": "no reason was given"}


def test_a_freeze_names_its_environment_to_nobody_elsewhere() -> None:
    """The same identity holds a credential for another one: that it is frozen is all it learns."""
    told = {"name": "bot", "reason": "production has a budget of 120"}
    freezes = frozen(entry(EntryKind.FROZEN, told, environment="production"))
    assert "production" in freezes.frozen("bot")
    assert "production" in freezes.frozen("bot", "production")
    assert freezes.frozen("bot", "staging") == "it has exceeded a budget"
    assert freezes.frozen("ann", "staging") == ""
    freezes.apply(entry(EntryKind.FROZEN, {"name": "bot", "reason": "ann looks into it"}))
    assert freezes.frozen("bot", "staging") == "ann looks into it"


def test_a_panic_is_everyones_and_no_freeze() -> None:
    """Calm ends it, and unfreezes nobody."""
    freezes = frozen(
        entry(EntryKind.FROZEN, {"name": "bot", "reason": "too fast"}),
        entry(EntryKind.PANIC, {"reason": "tokens got out"}),
    )
    assert freezes.panic == "tokens got out"
    assert freezes.all() == {"bot": "too fast"}
    freezes.apply(entry(EntryKind.CALM))
    assert freezes.panic == ""
    assert freezes.frozen("bot") == "too fast"
    assert frozen(entry(EntryKind.PANIC)).panic == "no reason was given"


@given(ODD)
def test_odd_entries_never_fail(odd: list[Entry]) -> None:
    """Whatever they hold: every identity has a kind, every freeze a reason."""
    assert all(i.kind in PrincipalKind for i in book(*odd).all())
    assert all(frozen(*odd).all().values())
