"""The single call into governance, before any effect: Allow passes, Ask and Deny raise.

Order: a tracker is asked, where one has to be; then, under one lock of this home: facts → decision
→ the request's entry waits in the audit log, which is what grants, approvals and budgets are
counted by → the log is in the store → answer. So two requests at once never use one grant twice,
and no effect is without its entry. Of a reading, the log is in the store after its last byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from vault.clock import format_span
from vault.errors import ApprovalNeeded, Denied, GateError, StoreError, Unauthentic, VaultError
from vault.governance.approval import Plan
from vault.governance.decision import Allow, Ask, Decision
from vault.governance.facts import ApprovalFact, Facts, facts_body
from vault.governance.intent import Task, Tracked
from vault.governance.policy import decide, rule_ids
from vault.governance.principal import Principal
from vault.governance.request import DESTRUCTIVE, Request, Verb
from vault.lifecycle.volume import Volume
from vault.operations import approve, behaviour, freeze, policy
from vault.operations.audit import commit, hear_writers
from vault.operations.ledger import Place, enter_request
from vault.operations.tracking import look_up
from vault.operations.unit import ReadUnit, RecordUnit, class_of, exclusive, window_of
from vault.operations.uptime import accumulated_uptime

if TYPE_CHECKING:
    from vault.repository.snapshot import SnapshotHeader

_NEVER_WAIT: Final[Mapping[Verb, tuple[type[VaultError], ...]]] = {
    Verb.RESTORE: (StoreError,),
    Verb.JOIN: (Unauthentic,),
}
"""Who brings data back is let pass though the log cannot be written now, and who joins though it
cannot by this host yet; the entry waits."""


class Question(msgspec.Struct, frozen=True):
    """What is asked for: of a volume (its name and id), or about an environment or anything else.

    `about` says in words what an administrative request would change.
    """

    verb: Verb
    volume: str = ""
    volume_id: str = ""
    environment: str = ""
    reason: str = ""
    task: str = ""
    about: str = ""


def question_of(verb: Verb, volume: Volume, *, reason: str = "", task: str = "") -> Question:
    """What is asked for of a volume."""
    return Question(verb, volume.name, volume.id, volume.environment, reason, task)


class Admission(msgspec.Struct, frozen=True):
    """A request that was let pass: `request` is its entry's id in the audit log."""

    request: str


class _Judged(msgspec.Struct, frozen=True):
    """A request, decided: its entry's id, and what people agree to where they have to."""

    entry: str
    decision: Decision
    ask: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request with all that is known of it; `grant` and `ask` are what it would use up.

    `tracked` is its task, where a tracker knows it and vault does not.
    """

    facts: Facts
    plan: Plan
    grant: str
    ask: str
    tracked: Task | None


def admit(unit: RecordUnit, question: Question) -> Admission:
    """Ask the rules whether this request may have an effect.

    Raises Denied, ApprovalNeeded, StoreError; on any of them nothing has changed.
    """
    judged = _judge(unit, question)
    _store(unit, question, _NEVER_WAIT.get(question.verb, ()))
    return _answer(question, judged)


def _judge(unit: RecordUnit, question: Question) -> _Judged:
    """Decide, and let the entry of it wait."""
    tracked = look_up(unit, question.verb, question.environment, question.task)
    if question.verb in DESTRUCTIVE:
        hear_writers(unit)  # a panic or a freeze at another host, or a revoked token, is one here
    with exclusive(unit.home, "gate"):
        now = unit.reader.now()
        rules, _ = policy.current(unit)
        case = gather(unit, question, now, rules.digest, tracked)
        decision = decide(case.facts, rules)
        place = Place(question.environment, question.volume_id)
        given = isinstance(decision, Allow) and case.facts.approval is ApprovalFact.GIVEN
        body, uses = _body(case, decision, rules.digest), case.ask if given else ""
        entry = enter_request(unit, body, place, uses)
        case = _followed(unit, case, decision, now)
    return _Judged(entry.id, decision, case.ask)


def _store(unit: RecordUnit, question: Question, unheard: tuple[type[VaultError], ...]) -> None:
    """Bring the entry into the store; after one of these errors it waits, and that is said."""
    try:
        commit(unit)
    except unheard as error:
        unit.progress.warn(
            f"This {question.verb} ({question.about}) is not in the audit log yet: {error.message}."
            " The entry waits here and is brought in later; the data are not affected."
        )


def _answer(question: Question, judged: _Judged) -> Admission:
    """What was decided. Raises Denied, ApprovalNeeded."""
    if not isinstance(judged.decision, Allow):
        raise _refusal(question, judged.decision, judged.ask)
    return Admission(judged.entry)


@contextmanager
def reading(unit: ReadUnit, verb: Verb, header: SnapshotHeader, about: str) -> Iterator[None]:
    """Ask before a snapshot's contents are shown or copied, where this host can enter that it was.

    The entry waits, durably, before the first byte, and is in the store after the last one. Whoever
    needs their data gets them, whatever keeps the entry from being made: a full disk, a store that
    takes nothing now, a key that was revoked; they are told. Raises Denied, ApprovalNeeded.
    """
    if not isinstance(unit, RecordUnit) or unit.role != "writer":
        yield  # with the kit and the store alone there is no log to enter it in
        return
    place = (header.volume_name, header.volume, header.environment)
    question = Question(verb, *place, about=about)
    try:
        judged = _judge(unit, question)
    except GateError:
        raise
    except VaultError as error:
        unit.progress.warn(
            f"This {verb} ({about}) is not entered in the audit log: {error.message}."
            " The data are not affected."
        )
        yield
        return
    try:
        _answer(question, judged)
        yield
    finally:
        _store(unit, question, (VaultError,))


def admit_reading(unit: ReadUnit, verb: Verb, header: SnapshotHeader, about: str) -> None:
    """As `reading`; the entry is in the store on return, where it can be."""
    with reading(unit, verb, header, about):
        pass


def gather(
    unit: RecordUnit,
    question: Question,
    now: datetime,
    rules: str,
    tracked: Tracked | None = None,
) -> Case:
    """What is known of a request of this unit's principal. Nothing here decides."""
    books, who = unit.catalog.audit.books(), unit.principal
    class_ = class_of(unit, question.environment)
    request = Request(
        verb=question.verb,
        volume=question.volume,
        volume_id=question.volume_id,
        environment=question.environment,
        principal=who,
        reason=question.reason,
        task=question.task,
        bytes=_size(unit, question.volume_id),
    )
    plan = Plan(
        vault=unit.charter.vault,
        ask="",
        requester=who.name,
        kind=who.kind,
        verb=question.verb,
        volume=question.volume,
        volume_id=question.volume_id,
        environment=question.environment,
        class_=class_,
        window=format_span(window_of(unit, question.environment)) if question.volume else "",
        reason=question.reason,
        task=question.task,
        policy=rules,
        expires_at=now,
        about=question.about,
    )
    known = books.identities.get(who.name)
    task, why = books.tasks.fact(request, now, tracked)
    grant, grant_id = books.grants.fact(request, now)
    approval, ask = books.approvals.find(plan, books.roster, now)
    over, signals = behaviour.gather(unit, request, now, accumulated_uptime(unit))
    facts = Facts(
        request=request,
        class_=class_,
        in_scope=_in_scope(who, question, now) and not books.tokens.refuse(who),
        disabled=known is not None and known.disabled,
        task=task,
        why=why,
        window=books.windows.fact(question.environment, now),
        grant=grant,
        approval=approval,
        quorum=books.roster.quorum,
        over_budget=over,
        frozen=books.freezes.frozen(who.name, who.environment),
        panic=books.freezes.panic,
        signals=signals,
    )
    foreign = tracked if isinstance(tracked, Task) else None
    return Case(facts=facts, plan=plan, grant=grant_id, ask=ask, tracked=foreign)


def _in_scope(who: Principal, question: Question, now: datetime) -> bool:
    """Whether the credential reaches this: verb, volume, environment, and time by the store."""
    volumes = {question.volume, question.volume_id} - {""}
    return (
        who.environment in ("", question.environment)
        and (who.verbs is None or question.verb in who.verbs)
        and (who.volumes is None or bool(volumes & who.volumes))
        and (who.expires_at is None or now < who.expires_at)
    )


def _size(unit: RecordUnit, volume: str) -> int:
    rows = unit.catalog.snapshots.of(volume) if volume else []
    return rows[-1].bytes if rows else 0


def _body(case: Case, decision: Decision, rules: str) -> dict[str, Any]:
    request = case.facts.request
    allowed = isinstance(decision, Allow)
    return {
        "verb": request.verb.value,
        "volume_name": request.volume,
        "reason": request.reason,
        "task": request.task,
        "tracked": msgspec.to_builtins(case.tracked),
        "about": case.plan.about,
        "bytes": request.bytes,
        "decision": type(decision).__name__.lower(),
        "rules": list(rule_ids(decision)),
        "reasons": list(decision.reasons),
        "policy": rules,
        "grant": case.grant if allowed else "",
        "ask": case.ask if allowed else "",
        "lineage": request.principal.lineage,
        "origin": request.principal.origin,
        "facts": facts_body(case.facts),
    }


def _followed(unit: RecordUnit, case: Case, decision: Decision, now: datetime) -> Case:
    """What follows at once: an excess freezes, people are asked."""
    if case.facts.over_budget and not case.facts.frozen:
        freeze.trip(unit, case.plan.environment, case.facts.over_budget)
    if isinstance(decision, Ask) and case.facts.approval is not ApprovalFact.WAITING:
        case = replace(case, ask=approve.ask(unit, case.plan, now))
    return case


def _refusal(question: Question, decision: Decision, ask: str) -> Denied | ApprovalNeeded:
    what = f"{question.verb} of “{question.volume}”" if question.volume else str(question.verb)
    reasons = "; ".join(decision.reasons)
    if isinstance(decision, Ask):
        waits = ApprovalNeeded(
            f"{what} waits for approval: {reasons}",
            hint=f"When people have agreed, ask again the same way: vault approve {ask}",
        )
        waits.ask = ask
        return waits
    denied = Denied(
        f"{what} is refused: {reasons}",
        hint="Change the request so that the rules named here are met.",
    )
    denied.rules = rule_ids(decision)
    return denied
