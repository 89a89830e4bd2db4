"""Approve and reject: people agree to, or refuse, the very text of a request that waits.

Neither passes the gate: it is the signature that has the authority to agree, whoever carries it,
and to refuse is safe. Both are entered, with the name of who agreed in the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from vault import codec
from vault.audit.entry import EntryKind
from vault.errors import ApprovalUnknown, Denied, SignatureRefused, UsageError
from vault.governance.approval import Approver, Asked, Plan, plan_text, same_person
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.request import Verb
from vault.ids import match_prefix, next_id
from vault.limits import APPROVAL_LIFE
from vault.operations.audit import commit
from vault.operations.ledger import Place, enter
from vault.operations.unit import LocalUnit, RecordUnit, exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalItem:
    """What waits for people, or waited: `text` is what they sign, `wanted` how many have to."""

    id: str
    state: str
    requester: str
    verb: str
    volume: str
    about: str
    environment: str
    reason: str
    task: str
    approved_by: tuple[str, ...]
    wanted: int
    rejected_by: str
    rejected_for: str
    expires_at: datetime
    text: str


def ask(unit: RecordUnit, plan: Plan, now: datetime) -> str:
    """Let a plan wait for people; gives its id. Called by the gate, which holds its lock."""
    identifier = next_id("ask", now)
    asked = msgspec.structs.replace(
        plan, ask=identifier, expires_at=now + APPROVAL_LIFE, lineage=unit.principal.lineage
    )
    body = msgspec.to_builtins(asked)
    enter(unit, EntryKind.APPROVAL_ASKED, body, Place(plan.environment))
    return identifier


def approvals(unit: RecordUnit, *, everything: bool = False) -> tuple[ApprovalItem, ...]:
    """What waits for people; with `everything` also what waits no more."""
    now, scope = unit.reader.now(), unit.catalog.environment
    items = (
        approval_item(unit, asked, now)
        for asked in unit.catalog.audit.books().approvals.all()
        if scope in ("", asked.plan.environment)
    )
    return tuple(item for item in items if everything or item.state in ("waiting", "given"))


def approval(unit: RecordUnit, text: str) -> ApprovalItem:
    """One of them by its id or the beginning of it. Raises ApprovalUnknown, IdAmbiguous."""
    return approval_item(unit, _find(unit, text), unit.reader.now())


def approve(unit: RecordUnit, text: str, signature: str) -> ApprovalItem:
    """Count an approver's signature, whichever person brings it: it is the signature that agrees.

    Raises ApprovalUnknown; SignatureRefused: nobody of the roster made it for this text, the
    requester did, or a key that wants no touch, in a protected environment; Denied: an agent, or a
    token of the requester's lineage, brings it; StoreError.
    """
    with exclusive(unit.home, "gate"):
        asked = _waiting(unit, text)
        _insist_bearer(unit.principal, asked.plan)
        approver = _signer(unit, asked, signature)
        body = {
            "ask": asked.plan.ask,
            "approver": approver.name,
            "key": approver.key,
            "signature": signature,
        }
        enter(unit, EntryKind.APPROVAL_SIGNED, body, Place(asked.plan.environment))
    commit(unit)
    return approval(unit, asked.plan.ask)


def passkey_challenge(unit: RecordUnit, text: str, name: str) -> str:
    """What an approver's browser is asked with so that they agree by passkey, as JSON.

    Its answer is the signature that `approve` takes. Raises ApprovalUnknown, UsageError: who this
    is has no passkey; ExtraMissing.
    """
    asked = _waiting(unit, text)
    approver = unit.catalog.audit.books().roster.get(name)
    if approver is None:
        raise UsageError(f"“{name}” is no approver", hint="See: vault approver list")
    passkeys = codec.agreement.loaded()
    key = passkeys.read_passkey(approver.key)
    return str(passkeys.assertion(key, plan_text(asked.plan).encode()))


def reject(unit: RecordUnit, text: str, reason: str) -> ApprovalItem:
    """Refuse what waits; a person may, and whoever asked. The same is not asked again meanwhile.

    Raises ApprovalUnknown, Denied, UsageError, StoreError.
    """
    if not reason.strip():
        raise UsageError("say why", hint="vault reject ID --reason 'it is still in use'")
    with exclusive(unit.home, "gate"):
        asked, who = _waiting(unit, text), unit.principal
        if who.kind is not PrincipalKind.HUMAN and who.name != asked.plan.requester:
            raise Denied("people refuse, and whoever asked", hint="Ask a person to look at it.")
        if who.name != asked.plan.requester:
            _insist_reach(who, asked.plan)
        body = {"ask": asked.plan.ask, "approver": who.name, "reason": reason}
        enter(unit, EntryKind.APPROVAL_REJECTED, body, Place(asked.plan.environment))
    commit(unit)
    return approval(unit, asked.plan.ask)


def approval_item(unit: LocalUnit, asked: Asked, now: datetime) -> ApprovalItem:
    """As people see it."""
    roster, plan = unit.catalog.audit.books().roster, asked.plan
    return ApprovalItem(
        id=plan.ask,
        state=asked.state(roster, now),
        requester=plan.requester,
        verb=plan.verb,
        volume=plan.volume,
        about=plan.about,
        environment=plan.environment,
        reason=plan.reason,
        task=plan.task,
        approved_by=tuple(asked.agreed(roster)),
        wanted=roster.quorum,
        rejected_by=asked.rejected_by,
        rejected_for=asked.rejected_for,
        expires_at=plan.expires_at,
        text=plan_text(plan),
    )


def _find(unit: LocalUnit, text: str) -> Asked:
    books, scope = unit.catalog.audit.books(), unit.catalog.environment
    there = [a for a in books.approvals.all() if scope in ("", a.plan.environment)]
    found = match_prefix(text, (asked.plan.ask for asked in there)) if len(text) >= 6 else None
    asked = books.approvals.get(found or "")
    if asked is None:
        raise ApprovalUnknown(
            f"nothing that waits for people is called “{text}”", hint="See: vault approvals"
        )
    return asked


def _waiting(unit: RecordUnit, text: str) -> Asked:
    asked = _find(unit, text)
    state = asked.state(unit.catalog.audit.books().roster, unit.reader.now())
    if state not in ("waiting", "given"):
        raise ApprovalUnknown(
            f"{asked.plan.ask} waits no more: it is {state}", hint="See: vault approvals --all"
        )
    return asked


def _signer(unit: LocalUnit, asked: Asked, signature: str) -> Approver:
    """The approver whose signature this is, and counts. Raises SignatureRefused."""
    roster, plan = unit.catalog.audit.books().roster, asked.plan
    for approver in roster.all():
        key = codec.agreement.read_key(approver.key)
        if codec.agreement.is_by(key, signature):
            break
    else:
        raise SignatureRefused(
            "no approver has the key that made this signature", hint="See: vault approver list"
        )
    codec.agreement.check(key, plan_text(plan).encode(), signature)
    _insist_another(unit, approver, plan)
    if plan.class_ == "protected" and not codec.agreement.wants_touch(key):
        raise SignatureRefused(
            f"{approver.name}'s key wants no touch, and a protected environment does",
            hint="Sign with a key in a device: ssh-keygen -t ed25519-sk",
        )
    if not roster.counts(approver.name, approver.key, plan.class_):
        raise SignatureRefused(
            f"{approver.name} was disabled, or is no person", hint="See: vault identity list"
        )
    return approver


def _insist_another(unit: LocalUnit, approver: Approver, plan: Plan) -> None:
    """Nobody agrees to their own request: as a user of a host, or through a narrowed token."""
    made = unit.catalog.audit.of_kinds((EntryKind.TOKEN_MADE,)) if plan.lineage else []
    tokens = [entry.body for entry in made if entry.body.get("token") == plan.lineage]
    askers = {plan.requester, *(str(body.get("name", "")) for body in tokens)}
    if any(same_person(approver.name, asker) for asker in askers):
        raise SignatureRefused(
            f"{approver.name} asked for it, and somebody else has to agree",
            hint="Ask another approver: vault approver list",
        )


def _insist_reach(who: Principal, plan: Plan) -> None:
    """A token that does less does not stop what others asked for."""
    volumes = {plan.volume, plan.volume_id} - {""}
    if (who.verbs is not None and Verb.APPROVE not in who.verbs) or (
        who.volumes is not None and not volumes & who.volumes
    ):
        raise Denied(
            "this token is limited, and does not reach that",
            hint="Refuse it with a token that is not, or that has the verb approve.",
        )


def _insist_bearer(bearer: Principal, plan: Plan) -> None:
    if bearer.kind is not PrincipalKind.HUMAN:
        raise Denied("an agent or a service agrees to nothing", hint="Let a person bring it.")
    if bearer.lineage and bearer.lineage == plan.lineage:
        raise Denied(
            "this token comes from the one that asked for it",
            hint="Let another person bring the signature.",
        )
