"""Freeze and panic: an identity, or everyone, waits for a person."""

from __future__ import annotations

import msgspec

from vault.audit.entry import EntryKind
from vault.errors import PurgeRefused, UsageError
from vault.governance.request import Verb
from vault.operations.audit import refresh
from vault.operations.ledger import Place, administer, enter
from vault.operations.unit import LocalUnit, ReadUnit, RecordUnit


class FreezeItem(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that waits for a person, or everyone (`*`), with the reason."""

    name: str
    frozen: bool
    reason: str


def freeze(unit: RecordUnit, name: str, reason: str) -> FreezeItem:
    """Let an identity do nothing but protect and undo until a person has looked."""
    _require(name, "whom", "vault freeze deploy-bot --reason 'it deletes what it should not'")
    name = _spelled(unit, name)
    administer(unit, Verb.FREEZE, EntryKind.FROZEN, {"name": name, "reason": reason})
    return item(unit, name)


def unfreeze(unit: RecordUnit, name: str) -> FreezeItem:
    """A person has looked: the identity may go on. Its budget begins anew with time alone."""
    name = _spelled(unit, name)
    if not unit.catalog.audit.books().freezes.frozen(name):
        raise UsageError(f"“{name}” is not frozen", safe="Nothing was changed.")
    administer(unit, Verb.UNFREEZE, EntryKind.UNFROZEN, {"name": name})
    return item(unit, name)


def panic(unit: RecordUnit, reason: str) -> FreezeItem:
    """Everything destructive waits, whoever asks, until `calm`."""
    administer(unit, Verb.PANIC, EntryKind.PANIC, {"reason": reason})
    return everyone(unit)


def calm(unit: RecordUnit) -> FreezeItem:
    """The panic is over; where approvers are enrolled, they agree first."""
    administer(unit, Verb.CALM, EntryKind.CALM, {})
    return everyone(unit)


def insist_calm(unit: ReadUnit) -> None:
    """Refuse to destroy anything in a panic, by the log as the store has it now.

    Raises PurgeRefused, StoreError.
    """
    refresh(unit)
    reason = unit.catalog.audit.books().freezes.panic
    if reason:
        raise PurgeRefused(
            f"there is a panic, and everything destructive waits: {reason}",
            safe="Nothing was destroyed.",
            hint="When a person has looked: vault calm",
        )


def trip(unit: RecordUnit, environment: str, reasons: tuple[str, ...]) -> None:
    """The breaker's own act, inside the gate: the excess waits, and so does whoever made it."""
    body = {"name": unit.principal.name, "reason": "; ".join(reasons), "tripped": True}
    enter(unit, EntryKind.FROZEN, body, Place(environment))


def frozen(unit: LocalUnit) -> tuple[FreezeItem, ...]:
    """Who waits for a person; everyone first, where there is a panic."""
    freezes = unit.catalog.audit.books().freezes
    items = [FreezeItem(name=n, frozen=True, reason=why) for n, why in freezes.all().items()]
    return (*((everyone(unit),) if freezes.panic else ()), *items)


def item(unit: LocalUnit, name: str) -> FreezeItem:
    """How one identity stands."""
    reason = unit.catalog.audit.books().freezes.frozen(name)
    return FreezeItem(name=name, frozen=bool(reason), reason=reason)


def everyone(unit: LocalUnit) -> FreezeItem:
    """Whether there is a panic."""
    reason = unit.catalog.audit.books().freezes.panic
    return FreezeItem(name="*", frozen=bool(reason), reason=reason)


def _spelled(unit: LocalUnit, name: str) -> str:
    """As the identity is called that differs in case at most: nobody else can be meant."""
    known = unit.catalog.audit.books().identities.like(name)
    return name if known is None else known.name


def _require(text: str, what: str, example: str) -> None:
    if not text.strip():
        raise UsageError(f"say {what}", hint=f"As in: {example}")
