"""Explain: which rules decide, or decided, a request, and what would satisfy each that forbids it.

Nothing is asked for here: no gate is passed, no approval waits, no budget or grant is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from vault.errors import IdentityUnknown, UsageError
from vault.governance.decision import Decision
from vault.governance.facts import Facts
from vault.governance.policy import Policies, decide
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.remedy import remedy
from vault.governance.request import Verb
from vault.ids import match_prefix
from vault.operations import gate, policy
from vault.operations.unit import RecordUnit

_SHORTEST: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """A request that nobody makes: by whom (empty: the caller), what, on which volume, and why.

    `kind` is needed for a name that no identity has. `via` is how they would be known.
    """

    verb: str
    name: str = ""
    kind: str = ""
    via: str = ""
    volume: str = ""
    environment: str = "production"
    reason: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonItem:
    """One rule that decided: it permits, forbids or asks; `wants` is what would satisfy it."""

    rule: str
    does: str
    says: str
    wants: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a request is answered, and why. `id` is its entry's, empty where nobody made it.

    `decided` is what was answered then, `now` what the rules in force say of the same facts;
    `reasons` are those of `decided`. `complaint` says what is wrong with the home's file of rules.
    """

    id: str
    decided: str
    now: str
    verb: str
    volume: str
    environment: str
    kind: str
    name: str
    via: str
    reason: str
    task: str
    policy: str
    complaint: str
    reasons: tuple[ReasonItem, ...]


def explain(unit: RecordUnit, entry: str) -> Explanation:
    """Why a request of the audit log was answered as it was. Raises UsageError: it is not there."""
    if not entry:
        raise UsageError("name a request of the audit log", hint="vault audit show --kind request")
    scope = unit.catalog.environment
    requests = {
        known.id: known
        for known in unit.catalog.audit.requests()
        if scope in ("", known.environment)
    }
    found = requests.get(match_prefix(entry, requests) or "") if len(entry) >= _SHORTEST else None
    if found is None:
        raise UsageError(
            f"no request of the audit log is called “{entry}”",
            hint="See: vault audit show --kind request",
        )
    facts = policy.facts_of(found)
    if facts is None:
        raise UsageError(
            f"{found.id} was written by a vault that tells other facts than this one",
            hint="Read it as it is: vault audit show --json",
        )
    rules, complaint = policy.current(unit)
    decided = str(found.body.get("decision", ""))
    reasons = found.body.get("reasons")
    lines = tuple(map(str, reasons)) if isinstance(reasons, list) else ()
    judged_by = str(found.body.get("policy", ""))
    terms = {"id": found.id, "decided": decided, "complaint": complaint, "policy": judged_by}
    return _explanation(facts, rules, lines, terms)


def suppose(unit: RecordUnit, wish: Supposition) -> Explanation:
    """How such a request would be answered now, by what is known now.

    Raises UsageError, IdentityUnknown, VolumeUnknown.
    """
    rules, complaint = policy.current(unit)
    other = replace(unit, principal=_principal(unit, wish))
    case = gate.gather(other, _question(unit, wish), unit.reader.now(), rules.digest)
    decision = decide(case.facts, rules)
    terms = {"id": "", "decided": word(decision), "complaint": complaint}
    return _explanation(case.facts, rules, decision.reasons, terms | {"policy": rules.digest})


def word(decision: Decision) -> str:
    """A decision in one word: allow, ask, deny."""
    return type(decision).__name__.lower()


def _explanation(
    facts: Facts, rules: Policies, lines: tuple[str, ...], terms: dict[str, str]
) -> Explanation:
    request, known = facts.request, rules.rules()
    reasons = []
    for line in lines:
        rule, _, says = line.partition(": ")
        own = known.get(rule)
        permits, asks = (own.permits, own.asks) if own is not None else (False, False)
        wants = "" if permits else (own.wants if own is not None else "") or remedy(rule, facts)
        does = "permits" if permits else "asks" if asks else "forbids"
        reasons.append(ReasonItem(rule=rule, does=does, says=says, wants=wants))
    return Explanation(
        now=word(decide(facts, rules)),
        verb=request.verb,
        volume=request.volume,
        environment=request.environment,
        kind=request.principal.kind,
        name=request.principal.name,
        via=request.principal.via,
        reason=request.reason,
        task=request.task,
        reasons=tuple(reasons),
        **terms,
    )


def _principal(unit: RecordUnit, wish: Supposition) -> Principal:
    if not wish.name:
        if wish.kind or wish.via:
            raise UsageError("whose request is it?", hint="Name them: --as deploy-bot")
        return unit.principal
    known = unit.catalog.audit.books().identities.get(wish.name)
    kind = known.kind.value if known is not None else wish.kind
    if not kind:
        raise IdentityUnknown(
            f"there is no identity “{wish.name}”",
            hint="Say of what kind it would be: --kind agent; or see: vault identity list",
        )
    if wish.kind not in ("", kind):
        raise UsageError(f"{wish.name} is of the kind {kind}", hint=f"Leave out --kind {wish.kind}")
    if kind not in PrincipalKind.__members__.values():
        raise UsageError(f"there is no kind “{kind}”", hint="human, agent or service")
    via = wish.via or Via.TOKEN
    if via not in Via.__members__.values():
        raise UsageError(f"nobody is known by “{via}”", hint=f"There are: {', '.join(Via)}.")
    return Principal(PrincipalKind(kind), wish.name, Via(via))


def _question(unit: RecordUnit, wish: Supposition) -> gate.Question:
    if wish.verb not in Verb.__members__.values():
        raise UsageError(f"there is no verb “{wish.verb}”", hint=f"There are: {', '.join(Verb)}.")
    verb = Verb(wish.verb)
    if wish.volume and verb is not Verb.ADD:
        volume = unit.catalog.volumes.resolve(wish.volume)
        return gate.question_of(verb, volume, reason=wish.reason, task=wish.task)
    return gate.Question(
        verb,
        volume=wish.volume,
        environment=wish.environment,
        reason=wish.reason,
        task=wish.task,
    )
