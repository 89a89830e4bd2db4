"""All books together, and the facts that a request's entry keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.governance.entries import NOW, ODD, entry, request
from vault.audit.entry import Entry, EntryKind
from vault.governance.books import Books
from vault.governance.facts import (
    ApprovalFact,
    Facts,
    GrantFact,
    Signal,
    TaskFact,
    WindowFact,
    facts_body,
    read_facts,
)

_TEXT = st.text(max_size=8)
FACTS = st.builds(
    Facts,
    request=st.just(request()),
    class_=st.sampled_from(("protected", "ephemeral")),
    in_scope=st.booleans(),
    disabled=st.booleans(),
    task=st.sampled_from(list(TaskFact)),
    why=_TEXT,
    window=st.sampled_from(list(WindowFact)),
    grant=st.sampled_from(list(GrantFact)),
    approval=st.sampled_from(list(ApprovalFact)),
    quorum=st.integers(0, 9),
    over_budget=st.lists(_TEXT, max_size=3).map(tuple),
    frozen=_TEXT,
    panic=_TEXT,
    signals=st.lists(
        st.builds(Signal, _TEXT, st.floats(allow_nan=False, allow_infinity=False), _TEXT),
        max_size=3,
    ).map(tuple),
)


@given(FACTS)
def test_facts_are_read_back_as_they_were(facts: Facts) -> None:
    """Through JSON, too: a request can be judged again later."""
    body = msgspec.json.decode(msgspec.json.encode(facts_body(facts)))
    assert read_facts(facts.request, body) == facts


@pytest.mark.parametrize(
    "body",
    [{"grant": "plenty"}, {"quorum": "two"}, {"signals": [{"name": "x"}]}, {"frozen": None}],
    ids=str,
)
def test_facts_that_are_not_known_are_not_guessed(body: dict[str, Any]) -> None:
    """Whoever reads them is told."""
    with pytest.raises(msgspec.ValidationError):
        read_facts(request(), body)


def test_each_book_takes_what_is_its_own() -> None:
    """One pass over the log fills all of them."""
    books = Books()
    for kind, body in (
        (EntryKind.IDENTITY_ADDED, {"name": "bot", "kind": "agent"}),
        (EntryKind.TASK_ADDED, {"task": "OPS-1", "environment": "production"}),
        (EntryKind.APPROVER_ADDED, {"name": "ann", "key": "k", "touch": True}),
        (EntryKind.FROZEN, {"name": "bot", "reason": "too fast"}),
        (EntryKind.PANIC, {"reason": "an incident"}),
        (EntryKind.POLICY_CHANGED, {"text": "// mine"}),
        (EntryKind.KEY_ROTATED, {"public": "k", "until": NOW.isoformat()}),
    ):
        books.apply(entry(kind, body))
    assert [i.name for i in books.identities.all()] == ["bot"]
    assert [t.task for t in books.tasks.all()] == ["OPS-1"]
    assert books.roster.quorum == 1
    assert books.freezes.frozen("bot") == "too fast"
    assert books.freezes.panic == "an incident"
    assert books.policy == "// mine"
    assert books.tokens.keys(NOW) == ("k",)
    assert not books.grants.all()
    assert not books.approvals.all()
    assert not books.windows.all()
    assert not books.tokens.all()


@given(ODD)
def test_odd_entries_never_fail(odd: list[Entry]) -> None:
    """And let nothing pass that was not there before."""
    books = Books()
    for one in odd:
        books.apply(one)
    assert books.grants.fact(request(), NOW)[0] is not GrantFact.FITS
    assert isinstance(books.policy, str)
