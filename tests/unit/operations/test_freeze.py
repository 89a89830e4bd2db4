"""A panic and its end: begun at once by one person, ended by as many as have to agree."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import AGENT, Council, make_council
from tests.unit.operations.conftest import OPERATOR, Site
from vault.errors import ApprovalNeeded, Denied, SignatureRefused
from vault.governance.principal import Via
from vault.operations import approve, freeze, roster
from vault.operations.approve import ApprovalItem

WHY = "somebody has our tokens"


@pytest.fixture
def council(site: Site) -> Council:
    """Two of Ann, Bob and Cyd have to agree; Ann is who asks."""
    made = make_council(site)
    made.add("cyd", "bob")
    made.agreed_by(("bob",), lambda: roster.set_quorum(made.unit, 2))
    made.let_agent("OPS-2", OPERATOR.name)
    return made


def waits(council: Council) -> ApprovalItem:
    """The wish to end the panic, which waits for people."""
    with pytest.raises(ApprovalNeeded) as caught:
        freeze.calm(council.unit)
    return approve.approval(council.unit, caught.value.ask)


def stopped(council: Council) -> bool:
    """Whether a person's delete, which waits for nobody else, is refused for the panic alone."""
    try:
        council.admit(OPERATOR, task="OPS-2")
    except Denied as denied:
        return denied.rules == ("panic",)
    return False


def test_a_panic_is_over_when_as_many_agree_as_are_wanted(council: Council) -> None:
    """Who asks does not count, one is too few, and what they agreed to ends this panic alone."""
    council.admit(OPERATOR, task="OPS-2")
    assert freeze.panic(council.unit, WHY).frozen
    item = waits(council)
    assert (item.verb, item.wanted) == ("calm", 2)
    with pytest.raises(SignatureRefused, match="somebody else"):
        council.sign(item, "ann")
    council.sign(item, "bob")
    assert waits(council).id == item.id
    assert stopped(council)
    council.sign(item, "cyd")
    assert stopped(council)
    assert not freeze.calm(council.unit).frozen
    assert freeze.frozen(council.unit) == ()
    council.admit(OPERATOR, task="OPS-2")
    freeze.panic(council.unit, "again")
    assert waits(council).id != item.id
    assert stopped(council)


def test_nobody_ends_a_panic_alone(council: Council) -> None:
    """Neither a person with a token of their own nor, whoever has agreed, an agent."""
    freeze.panic(council.unit, WHY)
    bearer = council.by(replace(OPERATOR, name="ann", via=Via.TOKEN))
    with pytest.raises(ApprovalNeeded):
        freeze.calm(bearer)
    council.sign(waits(council), "bob", "cyd")
    with pytest.raises(Denied):
        freeze.calm(council.by(AGENT))
    assert freeze.everyone(council.unit).reason == WHY
    assert stopped(council)
