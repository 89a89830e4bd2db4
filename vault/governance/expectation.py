"""Expectations: what a user wants their rules to answer, as cases in a file of TOML.

    [[case]]
    name = "agents need a window"
    verb = "delete"
    who = "agent"
    task = "fits"
    grant = "fits"
    window = "closed"
    expect = "deny"
    rules = ["needs-window"]

What a case does not say is as `Case` has it: the usual, with nothing in the way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vault.errors import UsageError
from vault.governance.facts import ApprovalFact, Facts, GrantFact, Signal, TaskFact, WindowFact
from vault.governance.policy import Policies, decide, rule_ids
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request, all that holds for it, and what is expected.

    `rules` are some of those that have to decide. `task` is how the task fits; `bytes` the volume's
    size; `signals` how many unusual things were seen.
    """

    verb: Verb
    expect: Literal["allow", "ask", "deny"]
    name: str = ""
    rules: tuple[str, ...] = ()
    who: PrincipalKind = PrincipalKind.HUMAN
    principal: str = "someone"
    via: Via = Via.TOKEN
    environment: str = "production"
    class_: Literal["protected", "ephemeral"] = msgspec.field(name="class", default="protected")
    volume: str = "volume"
    bytes: int = 0
    reason: str = "a reason"
    task: TaskFact = TaskFact.UNNAMED
    grant: GrantFact = GrantFact.NONE
    window: WindowFact = WindowFact.NOT_ASKED
    approval: ApprovalFact = ApprovalFact.UNASKED
    quorum: int = 0
    in_scope: bool = True
    disabled: bool = False
    over_budget: bool = False
    frozen: bool = False
    panic: bool = False
    signals: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    case: tuple[Case, ...]


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a case: `met` where the answer, and the rules that it names, are as expected.

    `name` is the case's own, or its number and verb.
    """

    name: str
    met: bool
    expected: str
    answered: str
    missing: tuple[str, ...]
    reasons: tuple[str, ...]


def read_cases(text: str) -> tuple[Case, ...]:
    """The cases of a file. Raises UsageError, which names what is at fault."""
    try:
        cases = msgspec.toml.decode(text, type=_File).case
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(
            f"the cases cannot be read: {error}",
            hint='A case: [[case]], verb = "delete", who = "agent", expect = "deny"',
        ) from None
    if not cases:
        raise UsageError("there is no case in it", hint="Begin each with a line [[case]].")
    return cases


def judge(cases: tuple[Case, ...], rules: Policies) -> tuple[CaseResult, ...]:
    """Put every case to these rules."""
    return tuple(_judged(number, case, rules) for number, case in enumerate(cases, start=1))


def _judged(number: int, case: Case, rules: Policies) -> CaseResult:
    decision = decide(_facts(case), rules)
    answered = type(decision).__name__.lower()
    missing = tuple(rule for rule in case.rules if rule not in rule_ids(decision))
    return CaseResult(
        name=case.name or f"{number}: {case.verb}",
        met=answered == case.expect and not missing,
        expected=case.expect,
        answered=answered,
        missing=missing,
        reasons=decision.reasons,
    )


def _facts(case: Case) -> Facts:
    request = Request(
        verb=case.verb,
        volume=case.volume,
        environment=case.environment,
        principal=Principal(case.who, case.principal, case.via),
        reason=case.reason,
        task="" if case.task is TaskFact.UNNAMED else "task",
        bytes=case.bytes,
    )
    return Facts(
        request=request,
        class_=case.class_,
        in_scope=case.in_scope,
        disabled=case.disabled,
        task=case.task,
        window=case.window,
        grant=case.grant,
        approval=case.approval,
        quorum=case.quorum,
        over_budget=("a budget",) * case.over_budget,
        frozen="it is" * case.frozen,
        panic="there is one" * case.panic,
        signals=tuple(Signal(f"signal-{n}", 1.0, f"signal {n}") for n in range(case.signals)),
    )
