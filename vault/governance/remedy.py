"""What would satisfy each rule that stands in a request's way, in words for whoever asked."""

from __future__ import annotations

from typing import Final

from vault.governance.facts import ApprovalFact, Facts, GrantFact, TaskFact

_FIXED: Final = {
    "no-rule": "nothing of the requester's: somebody else does it, or a rule of the home allows it",
    "needs-name": "a credential that says whose it is: vault token make NAME",
    "disabled": "a person lets it act again: vault identity disable NAME --enable",
    "needs-reason": "the same with a reason: --reason TEXT",
    "frozen": "a person looks, and lets it go on: vault unfreeze NAME",
    "panic": "the panic is ended: vault calm",
    "over-budget": "a person looks and does it, or time passes until it is within the budget",
    "rejected": "another request; this very one may be made again once the refused one has expired",
    "needs-window": "a maintenance window opens: vault window list says when",
    "no-approver": "people are enrolled who can agree: vault approver add",
    "unreadable": "the rules can be evaluated: vault policy show says what is wrong with them",
}
_TASKS: Final = {
    TaskFact.UNNAMED: "the same with its task: --task ID",
    TaskFact.UNKNOWN: "the task is added: vault task add",
    TaskFact.CLOSED: "a task that is open: vault task list",
    TaskFact.NOT_ASSIGNED: "a task that is assigned to the requester: vault task list",
    TaskFact.NOT_COVERING: "a task that covers this verb and volume: vault task list",
}
_GRANTS: Final = {
    GrantFact.NONE: "a grant is asked for, and given: vault grant request",
    GrantFact.ASKED: "a person gives the grant that was asked for: vault grant give",
    GrantFact.EXPIRED: "another grant, since the former one has expired: vault grant request",
    GrantFact.SPENT: "another grant, since the former one is used up: vault grant request",
}
_APPROVED: Final = frozenset(
    (
        *("needs-approval", "unusual", "loosens"),
        *("keeps-less", "lets-go", "moves-out", "purges-early"),
    )
)


def remedy(rule: str, facts: Facts) -> str:
    """What would satisfy a shipped rule for this request; empty for one that is not known here."""
    if rule in ("task-must-fit", "needs-task"):
        return _TASKS.get(facts.task, "")
    if rule == "needs-grant":
        return _GRANTS.get(facts.grant, "")
    if rule == "out-of-scope":
        return _scope(facts)
    if rule in _APPROVED:
        return _agreement(facts)
    return _FIXED.get(rule, "")


def _scope(facts: Facts) -> str:
    who = facts.request.principal
    limits = (
        ("the environment", who.environment),
        ("verbs", ", ".join(sorted(who.verbs or ()))),
        ("volumes", ", ".join(sorted(who.volumes or ()))),
    )
    told = "; ".join(f"{name} {value}" for name, value in limits if value)
    return f"a credential that reaches it{f' (this one: {told})' * bool(told)}: vault token make"


def _agreement(facts: Facts) -> str:
    if facts.quorum < 1:
        return _FIXED["no-approver"]
    people = "one person agrees" if facts.quorum == 1 else f"{facts.quorum} people agree"
    if facts.approval is ApprovalFact.WAITING:
        return f"{people}; it waits for them: vault approvals"
    return f"{people}: make the request, then vault approve ID"
