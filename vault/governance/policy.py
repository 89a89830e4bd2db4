"""The rule set, in Cedar: who may do what. Forbid wins, and what no rule permits is denied.

Windows, locks and who may purge are not decided here: they stand in the charter, and no request
can change them. The language: https://docs.cedarpolicy.com.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import cedarpy

from vault.errors import SettingsError
from vault.governance.decision import Allow, Ask, Decision, Deny
from vault.governance.facts import Facts

_FOLDER: Final = "policies"
_DEFAULTS: Final = "default.cedar"
_SCHEMA: Final = "schema.cedarschema"
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy of the set: its @id, what it @says, and whether approvals lift it (@ask)."""

    id: str
    says: str
    asks: bool


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

    def evaluate(self, facts: Facts) -> tuple[bool, tuple[Rule, ...], tuple[str, ...]]:
        """Whether it is allowed, the rules that decided, and what went wrong."""
        result = cedarpy.is_authorized(_request(facts), self._set, _no_entities(), _schema())
        found = tuple(self._rules[name] for name in result.diagnostics.reasons)
        return result.allowed, found, tuple(map(str, result.diagnostics.errors))


def decide(facts: Facts, policies: Policies | None = None) -> Decision:
    """Judge a request: every rule that decided is named. What cannot be judged is denied."""
    try:
        allowed, rules, errors = (policies or default_policies()).evaluate(facts)
    except Exception as error:  # noqa: BLE001 - whatever fails in here, nothing is let pass
        return Deny((f"unreadable: the policy could not be evaluated: {error}",))
    if errors:
        return Deny(tuple(f"unreadable: {line}" for line in errors))
    reasons = tuple(sorted(f"{rule.id}: {rule.says}{_detail(rule.id, facts)}" for rule in rules))
    if allowed:
        return Allow(reasons)
    if not rules:
        principal, verb = facts.request.principal, facts.request.verb
        return Deny((f"no-rule: no rule allows {verb} to {principal.kind} {principal.name}",))
    if not all(rule.asks for rule in rules):
        return Deny(reasons)
    if facts.quorum < 1:
        return Deny((*reasons, "no-approver: nobody is enrolled to agree: vault approver add"))
    return Ask(reasons)


@cache
def default_policies() -> Policies:
    """The shipped rules alone."""
    return Policies()


def shipped(name: str = _DEFAULTS) -> str:
    """A shipped file of rules, or their schema."""
    return files("vault.governance").joinpath(_FOLDER, name).read_text("utf-8")


def check(own: str) -> str:
    """What is wrong with a user's rules, beside the shipped ones; empty for nothing."""
    text = f"{shipped(_DEFAULTS)}\n{own}"
    try:
        result = cedarpy.validate_policies(text, shipped(_SCHEMA))
        if not result.validation_passed:
            return "; ".join(str(getattr(error, "error", error)) for error in result.errors)
        unnamed = [name for name, rule in _rules(text).items() if not rule.id]
    except (ValueError, TypeError) as error:
        return str(error)
    return f"{len(unnamed)} rule(s) have no @id" if unnamed else ""


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
        rules[name] = Rule(notes.get("id", ""), notes.get("says", ""), "ask" in notes)
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
