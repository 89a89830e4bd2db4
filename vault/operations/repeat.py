"""Delete under an idempotency key: sent again, it is known, whatever happened meanwhile.

Order: gate → the key is kept, with the id of the tombstone that is to be → the delete. So after a
crash, at any instant, a key names a tombstone that is there, which is the answer (half done, it is
settled first), or one that never came to be; then nothing was deleted, and now it is. The delete's
first event has the key's digests: with the catalog lost, a rebuild reads them there (`recall`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from vault.catalog.keys import KeyRow
from vault.errors import TombstoneUnknown, UsageError
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations.delete import DeletePlan, execute_delete, plan_delete, settle
from vault.operations.identity import owns
from vault.operations.unit import RecordUnit, WriteUnit, exclusive
from vault.operations.uptime import accumulated_uptime

_TOLD: Final = frozenset(("idempotency_key", "caller", "request", "uptime"))
_CAME_TO_NOTHING = (State.ABSENT, State.DENIED, State.ABANDONED)


class Wish(msgspec.Struct, frozen=True):
    """A delete as it was asked for: the volume by the caller's word for it, and why."""

    name: str
    reason: str
    task: str = ""


def delete(unit: WriteUnit, wish: Wish, key: str) -> Tombstone:
    """Delete, or what this key's delete has become. Raises UsageError: it came with another one.

    An empty key is none. Raises as `plan_delete` and `execute_delete` do.
    """
    if not key:
        return execute_delete(unit, _planned(unit, wish))
    row = _row(unit, wish, key)
    with exclusive(unit.home, f"key-{row.key[:2]}"):  # two at once are one after the other
        made = _made(unit, row)
        if made is not None:
            return made
        plan = _planned(unit, wish)
        row = msgspec.structs.replace(row, tombstone=plan.place.tombstone)
        unit.catalog.keys.put(row)
        return execute_delete(unit, msgspec.structs.replace(plan, sent=_details(row)))


def recall(unit: RecordUnit) -> None:
    """Know the keys again that stored deletes began with; what is known here stays as it is.

    A key goes on living by this home's uptime. That of another home says nothing here: by how long
    the delete is in the store.
    """
    now, uptime = unit.reader.now(), accumulated_uptime(unit)
    rows = {}
    for stored in unit.catalog.events.of_type(EventType.DELETE_REQUESTED):
        told = stored.event.details
        if not told.keys() >= _TOLD:
            continue
        seen = uptime - (now - stored.stored_at).total_seconds()
        if stored.signer_hex == unit.signer.public_hex and told["uptime"].isdecimal():
            seen = float(told["uptime"])
        rows[told["idempotency_key"]] = KeyRow(
            key=told["idempotency_key"],
            caller=told["caller"],
            request=told["request"],
            tombstone=stored.event.tombstone,
            uptime=min(seen, uptime),  # the home's may have begun anew meanwhile
        )
    unit.catalog.keys.fill(rows.values(), uptime)


def _details(row: KeyRow) -> dict[str, str]:
    """What `recall` reads, as an event's details."""
    return {
        "idempotency_key": row.key,
        "caller": row.caller,
        "request": row.request,
        "uptime": f"{row.uptime:.0f}",
    }


def made_by_caller(unit: WriteUnit, wish: Wish, key: str) -> Tombstone | None:
    """The tombstone that this very caller made with these words, while it is one.

    From then on this key, too, means it. Raises VolumeUnknown.
    """
    volume = unit.catalog.volumes.resolve(wish.name)
    if volume.state != "tombstoned" or not volume.tombstone:
        return None
    made = unit.catalog.tombstones.get(volume.tombstone)
    name = made.deleted_by.name if made.deleted_by else ""
    if (name, made.reason, made.task) != (unit.principal.name, wish.reason, wish.task):
        return None
    made = _settled(unit, made)
    if made.state in _CAME_TO_NOTHING:
        return None
    if key:
        row = _row(unit, wish, key)
        unit.catalog.keys.put(msgspec.structs.replace(row, tombstone=made.id))
    return made


def _planned(unit: WriteUnit, wish: Wish) -> DeletePlan:
    return plan_delete(unit, wish.name, reason=wish.reason, task=wish.task)


def _made(unit: WriteUnit, asked: KeyRow) -> Tombstone | None:
    """What a key has led to; None where nothing has come of it."""
    known = unit.catalog.keys.get(asked.key, asked.uptime)
    if known is None:
        return None
    if known.request != asked.request:
        raise UsageError(
            "this idempotency key came with another request before",
            hint="Make a new key for each request, and send it again with that one alone.",
        )
    try:
        made = _settled(unit, unit.catalog.tombstones.get(known.tombstone))
    except TombstoneUnknown:  # its first record would be in the store before anything moves
        return None
    return None if made.state in _CAME_TO_NOTHING else made


def _settled(unit: WriteUnit, tombstone: Tombstone) -> Tombstone:
    """The same, where it was under way or left half done: finished, or abandoned."""
    if owns(unit, unit.catalog.whole().volumes.resolve(tombstone.volume)):
        settle(unit, tombstone)
    return unit.catalog.tombstones.get(tombstone.id)


def _row(unit: WriteUnit, wish: Wish, key: str) -> KeyRow:
    """A key of this caller: what one asked elsewhere, or another, is no answer here."""
    caller = (unit.catalog.environment, unit.principal.name)
    return KeyRow(
        key=_digest(*caller, key),
        caller=_digest(*caller),
        request=_digest(*msgspec.structs.astuple(wish)),
        tombstone="",
        uptime=accumulated_uptime(unit),
    )


def _digest(*words: str) -> str:
    return blake2b(msgspec.json.encode(words), digest_size=16).hexdigest()
