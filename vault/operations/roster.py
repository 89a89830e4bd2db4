"""Roster: who may agree. The root key enrols the first two people, the quorum all others.

Nobody agrees to what they ask for themselves: a roster of one could never change. So the recovery
kit founds it until two people are in it whose keys want a touch; from then on it is of no use here,
and each change of the roster is a request that others sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vault import codec
from vault.audit.entry import EntryKind
from vault.errors import Denied, KitWrong, UsageError
from vault.governance.approval import Approver, Roster
from vault.governance.identity import check_name
from vault.governance.principal import PrincipalKind
from vault.governance.request import Verb
from vault.operations import homes
from vault.operations.audit import commit
from vault.operations.ledger import administer, enter
from vault.operations.recheck import founding_statement
from vault.operations.unit import LocalUnit, RecordUnit, exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverItem:
    """A person who may agree; where a key wants no touch, not in a protected environment."""

    name: str
    key: str
    touch: bool


def add_approver(unit: RecordUnit, name: str, line: str, kit: Path | None = None) -> ApproverItem:
    """Enrol a person with their public key, or give an approver another one.

    Raises KitMissing, KitWrong: nobody is enrolled yet, and only the root key can begin;
    ApprovalNeeded: the present approvers have to agree; Denied; UsageError.
    """
    key = codec.agreement.read_key(line)
    touch = codec.agreement.wants_touch(key)
    approver = Approver(name=check_name(name), key=key.line, touch=touch)
    body = {"name": name, "key": key.line, "touch": touch}
    with exclusive(unit.home, "roster"):
        roster = _roster(unit)
        _insist_person(unit, name)
        _insist_own_key(roster, approver)
        if roster.founding and (kit is not None or not roster.all()):
            _found(unit, body, kit or homes.default_kit(unit.home))
        else:
            administer(unit, Verb.ROSTER, EntryKind.APPROVER_ADDED, body)
    return _item(approver)


def passkey_creation(unit: RecordUnit, name: str, origin: str) -> str:
    """What a person's browser is asked with so that it makes a passkey to enrol, as JSON.

    `origin` is the site of the page, `https://…`. Raises UsageError, ExtraMissing.
    """
    statement = _passkey_statement(unit, check_name(name))
    _insist_person(unit, name)
    return str(codec.agreement.loaded().creation(statement, name, origin))


def add_passkey(
    unit: RecordUnit, name: str, response: str, origin: str, kit: Path | None = None
) -> ApproverItem:
    """Enrol a person with the passkey that their browser made.

    Raises as `passkey_made` and `add_approver`.
    """
    return add_approver(unit, name, passkey_made(unit, name, response, origin).key, kit)


def passkey_made(unit: RecordUnit, name: str, response: str, origin: str) -> ApproverItem:
    """The passkey that a person's browser made, as `add_approver` takes it; enrols nobody.

    Raises SignatureRefused where it was made for somebody else, elsewhere, or without verifying
    them; Denied, UsageError, ExtraMissing.
    """
    statement = _passkey_statement(unit, check_name(name))
    _insist_person(unit, name)
    made = codec.agreement.loaded().created(response, statement, origin)
    return ApproverItem(name=name, key=made.line, touch=True)


def remove_approver(unit: RecordUnit, name: str) -> ApproverItem:
    """Let a person agree no more. Raises ApprovalNeeded: the quorum agrees first; UsageError."""
    with exclusive(unit.home, "roster"):
        roster = _roster(unit)
        known = roster.get(name)
        if known is None:
            raise UsageError(f"“{name}” is no approver", hint="See: vault approver list")
        others = [approver for approver in roster.all() if approver.name != name]
        if others and max(1, sum(a.touch for a in others)) < roster.quorum:
            raise UsageError(
                f"{roster.quorum} have to agree, and without {name} there are too few",
                safe="Nothing was changed.",
                hint="Enrol another person first, or ask for fewer: vault approver quorum 1",
            )
        administer(unit, Verb.ROSTER, EntryKind.APPROVER_REMOVED, {"name": name})
    return _item(known)


def set_quorum(unit: RecordUnit, number: int) -> int:
    """How many have to agree from now on. Raises ApprovalNeeded: the present quorum does first."""
    with exclusive(unit.home, "roster"):
        most = max(1, sum(approver.touch for approver in _roster(unit).all()))
        if not 1 <= number <= most:
            raise UsageError(
                f"a quorum is of 1 to {most} here: as many have a key that wants a touch",
                safe="Nothing was changed.",
                hint="Enrol more people first: vault approver add",
            )
        administer(unit, Verb.ROSTER, EntryKind.QUORUM_SET, {"quorum": number})
    return number


def approvers(unit: LocalUnit) -> tuple[ApproverItem, ...]:
    """Everybody who may agree, by name."""
    return tuple(map(_item, _roster(unit).all()))


def quorum(unit: LocalUnit) -> int:
    """How many have to agree; 0 where nobody is enrolled."""
    return _roster(unit).quorum


def _item(approver: Approver) -> ApproverItem:
    return ApproverItem(name=approver.name, key=approver.key, touch=approver.touch)


def _roster(unit: LocalUnit) -> Roster:
    return unit.catalog.audit.books().roster


def _passkey_statement(unit: RecordUnit, name: str) -> bytes:
    return f"passkey of an approver of {unit.charter.vault}: {name}".encode()


def _insist_person(unit: RecordUnit, name: str) -> None:
    known = unit.catalog.audit.books().identities.like(name)
    if known is not None and known.kind is not PrincipalKind.HUMAN:
        raise UsageError(
            f"“{name}” is no person but of the kind {known.kind}",
            safe="Nothing was changed.",
            hint="Only people agree; enrol one under a name of their own.",
        )
    if unit.principal.kind is not PrincipalKind.HUMAN:
        raise Denied("people enrol people", hint="Let a person do this.")


def _insist_own_key(roster: Roster, approver: Approver) -> None:
    """One name, one key: two names of one person would be two agreements."""
    for other in roster.all():
        alike = other.name.casefold() == approver.name.casefold()
        if (other.key == approver.key and not alike) or (alike and other.name != approver.name):
            raise UsageError(
                f"{other.name} is enrolled with this name or key already",
                safe="Nothing was changed.",
                hint="Each approver has a name and a key of their own: vault approver list",
            )


def _found(unit: RecordUnit, body: dict[str, Any], kit: Path | None) -> None:
    """By the root key itself: no rule is above it, and the people who would agree are not there."""
    root = homes.read_kit(kit).root
    if root is None or root.public_hex != unit.charter.root:
        raise KitWrong(
            "the first approvers are enrolled with this vault's root key, and this kit has none",
            safe="Nothing was changed.",
            hint="Use the kit that `vault init` wrote.",
        )
    statement = founding_statement(unit.charter.vault, body["name"], body["key"])
    enter(unit, EntryKind.APPROVER_ADDED, body | {"proof": root.sign(statement).hex()})
    commit(unit)
