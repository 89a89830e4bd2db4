"""Entries of the audit log: made here, in order, and in the store before anything relies on them.

Order: the entry waits in the catalog (durable) → a segment of all that wait is in the store →
they have their place. A crash in between leaves them waiting, and the next commit stores them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from vault import operations
from vault.audit.entry import Caller, Entry, EntryKind, decode_entry, encode_entry
from vault.governance.principal import Principal
from vault.governance.request import Verb
from vault.ids import next_id
from vault.operations.unit import RecordUnit, exclusive
from vault.operations.uptime import accumulated_uptime

_UNSAID: Final = frozenset(("proof", "made_at", "charter"))
"""What nobody has to read in order to agree to a change."""

_INTENDED: Final = "intended:"


class Place(msgspec.Struct, frozen=True):
    """Where something happened: an environment's name, a volume's id; empty for neither."""

    environment: str = ""
    volume: str = ""


_NOWHERE: Final = Place()


def enter(
    unit: RecordUnit,
    kind: EntryKind,
    body: dict[str, Any],
    place: Place = _NOWHERE,
    *,
    about: str = "",
) -> Entry:
    """Let one entry wait for its place in the log; `commit` brings it there."""
    with exclusive(unit.home, "audit-entry"):
        entry = _made(unit, kind, body, place, about)
        unit.catalog.audit.add(entry)
    return entry


def enter_request(unit: RecordUnit, body: dict[str, Any], place: Place, uses: str) -> Entry:
    """The same of a request, and of the approval (its id, or empty) that it uses up.

    Both are entered, or neither: what a crash had torn apart would look like two uses of one.
    """
    with exclusive(unit.home, "audit-entry"):
        entry = _made(unit, EntryKind.REQUEST, body, place, "")
        with unit.catalog.connection.writing():
            unit.catalog.audit.add(entry)
            if uses:
                unit.catalog.audit.add(_use(entry, uses))
    return entry


def _made(
    unit: RecordUnit, kind: EntryKind, body: dict[str, Any], place: Place, about: str
) -> Entry:
    at = unit.reader.now()
    return Entry(
        id=next_id("aud", at, after=unit.catalog.audit.last_id()),
        at=at,
        uptime=accumulated_uptime(unit),
        kind=kind,
        caller=caller_of(unit.principal),
        environment=place.environment,
        volume=place.volume,
        about=about,
        body=body,
    )


def _use(request: Entry, ask: str) -> Entry:
    return msgspec.structs.replace(
        request,
        id=next_id("aud", request.at, after=request.id),
        kind=EntryKind.APPROVAL_USED,
        volume="",
        body={"ask": ask},
    )


def intend(
    unit: RecordUnit, what: str, kind: EntryKind, body: dict[str, Any], *, about: str
) -> Entry:
    """Remember, durably, the entry of an effect that is about to be: `fulfil` enters it.

    So no crash in between keeps it out: whoever looks next finds it here, by `what` it is of.
    """
    entry = _made(unit, kind, body, _NOWHERE, about)
    unit.catalog.meta.set(_INTENDED + what, encode_entry(entry).decode())
    return entry


def intended(unit: RecordUnit, what: str) -> Entry | None:
    """The entry that is remembered of an effect which may have been; None for none."""
    text = unit.catalog.meta.get(_INTENDED + what)
    return decode_entry(text.encode()) if text else None


def fulfil(unit: RecordUnit, what: str, told: Entry | None) -> None:
    """Enter what came of it; None where nothing did. On return nothing is remembered any more."""
    with exclusive(unit.home, "audit-entry"), unit.catalog.connection.writing():
        if told is not None:
            fresh = _made(unit, told.kind, told.body, _NOWHERE, told.about)
            unit.catalog.audit.add(msgspec.structs.replace(fresh, caller=told.caller))
        unit.catalog.meta.set(_INTENDED + what, "")


def administer(
    unit: RecordUnit, verb: Verb, kind: EntryKind, body: dict[str, Any], *, environment: str = ""
) -> Entry:
    """One administrative change: judged, entered, and in the store on return.

    Raises Denied, ApprovalNeeded, StoreError; then nothing has changed.
    """
    question = operations.gate.Question(verb, environment=environment, about=in_words(kind, body))
    admission = operations.gate.admit(unit, question)
    entry = enter(unit, kind, body, Place(environment), about=admission.request)
    operations.audit.commit(unit)
    return entry


def in_words(kind: EntryKind, body: dict[str, Any]) -> str:
    """A change as people read it who may have to agree to it."""
    terms = ", ".join(
        f"{name} {value}" for name, value in sorted(body.items()) if value and name not in _UNSAID
    )
    return f"{kind.replace('_', ' ')}: {terms}" if terms else kind.replace("_", " ")


def caller_of(principal: Principal) -> Caller:
    """A principal as entries name it."""
    return Caller(
        kind=principal.kind, name=principal.name, via=principal.via, token=principal.token
    )
