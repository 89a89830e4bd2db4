"""The rule set, in Cedar: who may do what. Forbid wins, and what no rule permits is denied.

Windows, locks and who may purge are not decided here: they stand in the charter, and no request
can change them. The language: https://docs.cedarpolicy.com.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import cedarpy
import msgspec
from msgspec.structs import replace

from vault.errors import SettingsError
from vault.governance.decision import Allow, Ask, Decision, Deny
from vault.governance.facts import ApprovalFact, Facts

_FOLDER: Final = Path(__file__).with_name("policies")
_DEFAULTS: Final = "default.cedar"
_SCHEMA: Final = "schema.cedarschema"
_DIGEST_LENGTH: Final = 16
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_TOKENS: Final = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|;')
_BLANK: Final = re.compile(r"(?:\s|//[^\n]*)*")
_NAMED: Final = re.compile(r'@id\s*\(\s*"([a-z0-9-]+)"')
_NUMBERED: Final = re.compile(r"^for policy `policy\d+`, ")
"""A rule's place in the whole text, which nobody has before them."""


class Rule(msgspec.Struct, frozen=True):
    """One policy of the set: its @id, what it @says, whether it permits or forbids.

    `asks`: approvals lift it (@ask). `wants` is what would satisfy it (@wants), where it says so.
    """

    id: str
    says: str
    asks: bool
    permits: bool = False
    wants: str = ""


class Policies:
    """A set of rules, parsed and valid: the shipped ones and, beside them, the user's own.

    `digest` names this very set, 16 hex digits. Raises SettingsError where the text is not valid.
    """

    def __init__(self, own: str = "") -> None:
        self.own = own
        text = f"{shipped(_DEFAULTS)}\n{own}"
        self.digest = sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
        complaint = check(own) if own else ""  # what is shipped has been checked
        if complaint:
            raise SettingsError(
                f"the policy is not valid: {complaint}",
                safe="The rules that held before still hold.",
                hint="Look at it with: vault policy check FILE",
            )
        self._set = cedarpy.PolicySet.from_str(text)
        self._rules = _rules(text)

    def rules(self) -> dict[str, Rule]:
        """Every rule by its @id."""
        return {rule.id: rule for rule in self._rules.values()}

    def evaluate(self, facts: Facts) -> tuple[bool, tuple[Rule, ...], tuple[str, ...]]:
        """Whether it is allowed, the rules that decided, and what went wrong."""
        result = cedarpy.is_authorized(_request(facts), self._set, _no_entities(), _schema())
        found = tuple(self._rules[name] for name in result.diagnostics.reasons)
        return result.allowed, found, tuple(map(str, result.diagnostics.errors))


def decide(facts: Facts, policies: Policies | None = None) -> Decision:
    """Judge a request: every rule that decided is named. What cannot be judged is denied."""
    known = policies or default_policies()
    decision, asks = _decide(facts, known)
    if not asks:
        return decision
    agreed = replace(facts, approval=ApprovalFact.GIVEN)  # is there anything to agree to?
    then, _ = _decide(agreed, known)
    if not isinstance(then, Allow):
        return Deny((*decision.reasons, *(r for r in then.reasons if r not in decision.reasons)))
    if facts.quorum < 1:
        nobody = "no-approver: nobody is enrolled to agree: vault approver add"
        return Deny((*decision.reasons, nobody))
    return Ask(decision.reasons)


def _decide(facts: Facts, policies: Policies) -> tuple[Allow | Deny, bool]:
    """What the rules say, and whether all that forbid it are lifted by approvals."""
    try:
        allowed, rules, errors = policies.evaluate(facts)
    except Exception as error:  # noqa: BLE001 - whatever fails in here, nothing is let pass
        return Deny((f"unreadable: the policy could not be evaluated: {error}",)), False
    if errors:
        return Deny(tuple(f"unreadable: {line}" for line in errors)), False
    reasons = tuple(sorted(f"{rule.id}: {rule.says}{_detail(rule.id, facts)}" for rule in rules))
    if allowed:
        return Allow(reasons), False
    if not rules:
        principal, verb = facts.request.principal, facts.request.verb
        nobody = f"no-rule: no rule allows {verb} to {principal.kind} {principal.name}"
        return Deny((nobody,)), False
    return Deny(reasons), all(rule.asks for rule in rules)


@cache
def default_policies() -> Policies:
    """The shipped rules alone."""
    return Policies()


def shipped(name: str = _DEFAULTS) -> str:
    """A shipped file of rules, or their schema."""
    return (_FOLDER / name).read_text("utf-8")


@lru_cache(maxsize=16)
def check(own: str) -> str:
    """What is wrong with a user's rules, beside the shipped ones, and where; empty for nothing."""
    complaint = _complaint(own)
    for line, rule in _statements(own) if complaint else ():
        alone = _complaint(rule)
        if alone:
            named = _NAMED.match(rule)
            return f"line {line}{f', rule {named[1]}' if named else ''}: {alone}"
    return complaint


def _statements(own: str) -> Iterator[tuple[int, str]]:
    """Each rule as it is written, from its first line on; the last one may have no end."""
    start = 0
    for end in (*(m.end() for m in _TOKENS.finditer(own) if m[0] == ";"), len(own)):
        first = _BLANK.match(own, start, end)
        begin = first.end() if first else start
        if begin < end:
            yield own.count("\n", 0, begin) + 1, own[begin:end]
        start = end


def _complaint(own: str) -> str:
    text = f"{shipped(_DEFAULTS)}\n{own}"
    try:
        result = cedarpy.validate_policies(text, shipped(_SCHEMA))
        if not result.validation_passed:
            told = (str(getattr(error, "error", error)) for error in result.errors)
            return "; ".join(_NUMBERED.sub("", line) for line in told)
        names = [rule.id for rule in _rules(text).values()]
    except (ValueError, TypeError) as error:
        return str(error)
    if not all(names):
        return f"{names.count('')} rule(s) have no @id"
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    odd = sorted(name for name in names if _ID.fullmatch(name) is None)
    if twice:
        return f"more than one rule has the @id {', '.join(twice)}"
    return f"an @id is of small letters, digits and dashes, not {', '.join(odd)}" if odd else ""


def rule_ids(decision: Decision) -> tuple[str, ...]:
    """The ids of the rules that decided."""
    return tuple(reason.partition(":")[0] for reason in decision.reasons)


@cache
def _schema() -> Any:
    return cedarpy.Schema.from_str(shipped(_SCHEMA))


@cache
def _no_entities() -> Any:
    return cedarpy.Entities.from_json_str("[]", _schema())


def _rules(text: str) -> dict[str, Rule]:
    parsed = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    rules = {}
    for name, policy in parsed.items():
        notes = policy.get("annotations", {})
        rules[name] = Rule(
            id=notes.get("id", ""),
            says=notes.get("says", ""),
            asks="ask" in notes,
            permits=policy["effect"] == "permit",
            wants=notes.get("wants", ""),
        )
    return rules


def _request(facts: Facts) -> dict[str, Any]:
    request = facts.request
    kind = request.principal.kind.value.capitalize()
    return {
        "principal": {"type": kind, "id": request.principal.name},
        "action": {"type": "Action", "id": request.verb.value},
        "resource": {"type": "Environment", "id": request.environment},
        "context": {
            "class": facts.class_,
            "via": request.principal.via.value,
            "volume": request.volume,
            "bytes": request.bytes,
            "reasoned": bool(request.reason.strip()),
            "named": bool(request.principal.name),
            "in_scope": facts.in_scope,
            "disabled": facts.disabled,
            "task": facts.task.value,
            "grant": facts.grant.value,
            "window": facts.window.value,
            "approval": facts.approval.value,
            "quorum": facts.quorum,
            "over_budget": bool(facts.over_budget),
            "frozen": bool(facts.frozen),
            "panic": bool(facts.panic),
            "signals": len(facts.signals),
        },
    }


def _detail(rule: str, facts: Facts) -> str:
    """What a reader of the reason wants to know beside the rule's own words."""
    details = {
        "over-budget": "; ".join(facts.over_budget),
        "frozen": facts.frozen,
        "panic": facts.panic,
        "task-must-fit": facts.why,
        "needs-task": facts.why,
        "needs-grant": facts.grant.value,
        "unusual": "; ".join(signal.says for signal in facts.signals),
    }
    detail = details.get(rule, "")
    return f" ({detail})" if detail else ""
