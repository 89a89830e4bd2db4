"""What would satisfy each rule: said of every one that can stand in a request's way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.governance.entries import BOT, request
from vault.governance.facts import ApprovalFact, Facts, GrantFact, TaskFact
from vault.governance.policy import default_policies
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.remedy import remedy


def facts(who: Principal = BOT, **known: Any) -> Facts:
    """An agent's delete in production, with all this known of it."""
    return Facts(request=request(who=who), **known)


def test_every_rule_that_forbids_says_what_it_wants() -> None:
    """And those that are no policy of the file as well; one that is not known says nothing."""
    shipped = {name for name, rule in default_policies().rules().items() if not rule.permits}
    for rule in shipped | {"no-rule", "no-approver", "unreadable"}:
        known = facts(task=TaskFact.CLOSED, grant=GrantFact.SPENT, quorum=2)
        assert remedy(rule, known), rule
    assert remedy("ours", facts()) == ""
    assert remedy("person", facts()) == ""


@pytest.mark.parametrize("task", [fact for fact in TaskFact if fact is not TaskFact.FITS])
def test_a_task_is_mended_in_its_own_way(task: TaskFact) -> None:
    """By which fact it fails."""
    assert remedy("needs-task", facts(task=task)) == remedy("task-must-fit", facts(task=task))
    others = {remedy("needs-task", facts(task=other)) for other in TaskFact if other is not task}
    assert remedy("needs-task", facts(task=task)) not in others


def test_an_agreement_says_how_many_and_where_it_waits() -> None:
    """Or that nobody could agree."""
    rule = "needs-approval"
    assert "vault approver add" in remedy(rule, facts(quorum=0))
    assert (
        remedy(rule, facts(quorum=1))
        == "one person agrees: make the request, then vault approve ID"
    )
    waiting = facts(quorum=2, approval=ApprovalFact.WAITING)
    assert remedy(rule, waiting) == "2 people agree; it waits for them: vault approvals"


def test_a_scope_is_told_to_its_holder() -> None:
    """What the credential reaches, where it is known."""
    narrow = Principal(
        PrincipalKind.AGENT, "bot", environment="staging", verbs=frozenset(("undelete", "delete"))
    )
    assert remedy("out-of-scope", facts(narrow)) == (
        "a credential that reaches it (this one: the environment staging; verbs delete, undelete):"
        " vault token make"
    )
    assert remedy("out-of-scope", facts()) == "a credential that reaches it: vault token make"
