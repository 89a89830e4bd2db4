"""Early purge: people agree that a tombstone is purged before its window is over.

Never before the floor of 48 hours is: that stands in lifecycle/purge_plan.py, and no agreement can
say otherwise. What is recorded here only points to the agreement; the purger looks for it itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vault import limits
from vault.clock import format_span, format_time
from vault.errors import TransitionRefused, UsageError
from vault.governance.request import Verb
from vault.lifecycle.event import Event, EventType
from vault.lifecycle.tombstone import Tombstone, step
from vault.operations.gate import Question, admit
from vault.operations.recheck import agreed, agreements
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import ReadUnit, WriteUnit, class_of, exclusive, window_of

_SAFE: Final = "Nothing was changed; its window is as long as before."


def purge_early(unit: WriteUnit, identifier: str, *, reason: str, task: str = "") -> Tombstone:
    """Let the purger have a tombstone once 48 hours are over, though its window is longer.

    Raises TombstoneUnknown, TransitionRefused, UsageError: there is nothing to gain; Denied;
    ApprovalNeeded: people agree first; StoreError.
    """
    tombstone, kind = unit.catalog.tombstones.get(identifier), EventType.EARLY_PURGE_AGREED
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        step(tombstone.state, kind)
        _insist_sense(unit, tombstone, [stored.event for stored in events])
        name, environment = tombstone.volume_name, tombstone.environment
        place = (name, tombstone.volume, environment)
        admit(unit, Question(Verb.PURGE_EARLY, *place, reason, task, about_early(tombstone)))
        draft = Draft(
            type=kind, volume=tombstone.volume, tombstone=tombstone.id, reason=reason, task=task
        )
        record(unit, events[-1], draft)
        return unit.catalog.tombstones.get(tombstone.id)


def about_early(tombstone: Tombstone) -> str:
    """What people read and sign: this tombstone, and from when on."""
    since = tombstone.quarantined_at
    when = format_time(since + limits.PROTECTED_WINDOW_FLOOR) if since else ""
    return f"lets {tombstone.id} be purged from {when} on"


def agreed_early(unit: ReadUnit, tombstone: Tombstone) -> tuple[str, ...]:
    """Who agreed that this one is purged early, told from the store's log alone; empty for nobody.

    Whoever recorded it did so when it was let pass: a later record, after a hold that was taken
    off again, wants an agreement of its own. Raises StoreError.
    """
    if tombstone.early_at is None:
        return ()
    environment = tombstone.environment
    place = (tombstone.volume, environment, class_of(unit, environment))
    wanted = (Verb.PURGE_EARLY, *place, about_early(tombstone))
    return agreed(agreements(unit), wanted, tombstone.early_at)


def was_protected_elsewhere(unit: ReadUnit, tombstone: Tombstone, said: Iterable[str]) -> bool:
    """Whether it was deleted where less holds than in one of the environments it was said to be.

    Then its window is kept whole: nobody was asked as a protected environment asks.
    """
    here = class_of(unit, tombstone.environment)
    return here != "protected" and any(class_of(unit, name) == "protected" for name in said)


def _insist_sense(unit: WriteUnit, tombstone: Tombstone, events: list[Event]) -> None:
    """Refuse to ask people for what the purger would not heed."""
    window = max(tombstone.window, window_of(unit, tombstone.environment))
    if window <= limits.PROTECTED_WINDOW_FLOOR:
        raise UsageError(
            f"{tombstone.id} can be undone for {format_span(window)}, and nothing makes that less",
            safe=_SAFE,
            hint="Wait: the purger destroys it when its window is over.",
        )
    said = [event.details["environment"] for event in events if "environment" in event.details]
    if was_protected_elsewhere(unit, tombstone, said):
        raise UsageError(
            f"“{tombstone.volume_name}” was in a protected environment before: its window is kept",
            safe=_SAFE,
            hint="Wait: the purger destroys it when its window is over.",
        )
    if tombstone.hold:
        raise TransitionRefused(
            f"a hold is on {tombstone.id}: {tombstone.hold}",
            safe=_SAFE,
            hint=f"Take it off first: vault release {tombstone.id}",
        )
