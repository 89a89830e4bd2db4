"""Loosening: of the recorded steps, those that count for whoever destroys what is stored.

A writer's key suffices to record that less is kept, that a volume belongs where less holds, or that
a hold is off. In a protected environment such a step counts only if people agreed to it, told from
the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import parse_keep
from vault.lifecycle.tombstone import Tombstone, fold
from vault.lifecycle.volume import Volume, fold_volume, recorded_keep
from vault.operations.enroll import about_keep
from vault.operations.hold import about_release, carried_hold
from vault.operations.identity import read_identity
from vault.operations.move import about_move
from vault.operations.recheck import Agreement, agreed, agreements
from vault.operations.unit import ReadUnit, class_of
from vault.repository.journal import StoredEvent

_LOOSENING: Final = (EventType.KEEP_CHANGED, EventType.VOLUME_MOVED)


class Proofs:
    """What people agreed to, read from the store when it is first asked for."""

    def __init__(self, unit: ReadUnit) -> None:
        self._unit = unit
        self._found: Sequence[Agreement] | None = None

    def counting(self, history: Iterable[StoredEvent]) -> list[StoredEvent]:
        """A volume's events, in order, without those that nobody has agreed to. Raises StoreError.

        What is left out has changed nothing: the terms that held before hold on.
        """
        counted: list[StoredEvent] = []
        for stored in history:
            if stored.event.type not in _LOOSENING or self._counts(counted, stored):
                counted.append(stored)
        return counted

    def tombstones(
        self, history: Iterable[StoredEvent]
    ) -> list[tuple[Tombstone, Sequence[StoredEvent]]]:
        """Every tombstone among these events, in order, with its own. Raises StoreError.

        They are told in the order in which the store received them: which hold goes over to the
        next delete does not depend on what a writer says of it.
        """
        by_tombstone: dict[str, list[StoredEvent]] = {}
        for stored in history:
            if stored.event.tombstone:
                by_tombstone.setdefault(stored.event.tombstone, []).append(stored)
        found: list[Tombstone] = []
        own = sorted(by_tombstone.values(), key=lambda events: min(s.stored_at for s in events))
        for events in own:
            told = _folded(events)
            provider, source = self._unit.providers.get(told.provider), read_identity(told.identity)
            carried = carried_hold(found, told.volume, provider, source)
            found.append(self.tombstone(events, carried))
        return list(zip(found, own, strict=True))

    def tombstone(self, history: Iterable[StoredEvent], carried: str = "") -> Tombstone:
        """One tombstone from its events, in order: no hold is off that nobody agreed to take off.

        `carried` is the hold that it was deleted under. Raises StoreError.
        """
        counted: list[StoredEvent] = []
        for stored in (_under(one, carried) for one in history):
            if stored.event.type is not EventType.RELEASED or self._releases(counted, stored):
                counted.append(stored)
        return _folded(counted)

    def _releases(self, before: Sequence[StoredEvent], stored: StoredEvent) -> bool:
        tombstone = _folded(before) if before else None
        if tombstone is None or not tombstone.hold:
            return True  # there is nothing to take off
        # Whatever any event says counts: a made-up one cannot talk it out of where it was deleted.
        said = {s.event.details.get("environment", "") for s in before} - {""}
        protected = [name for name in said if class_of(self._unit, name) == "protected"]
        about = about_release(tombstone)
        wishes = [(Verb.RELEASE, tombstone.volume, name, "protected", about) for name in protected]
        return not wishes or any(
            agreed(self._agreements(), wish, stored.stored_at) for wish in wishes
        )

    def _counts(self, before: Sequence[StoredEvent], stored: StoredEvent) -> bool:
        if not before:
            return True  # there is no volume yet, and no table takes the step
        volume = fold_volume((s.event, s.stored_at) for s in before)
        class_ = class_of(self._unit, volume.environment)
        verb, about = self._asked(volume, stored)
        if class_ != "protected" or verb is Verb.KEEP:
            return True
        wanted = (verb, volume.id, volume.environment, class_, about)
        return bool(agreed(self._agreements(), wanted, stored.stored_at))

    def _asked(self, volume: Volume, stored: StoredEvent) -> tuple[Verb, str]:
        """What people were asked for, if they were."""
        details = stored.event.details
        if stored.event.type is EventType.VOLUME_MOVED:
            there = details.get("environment", "")
            return Verb.MOVE, about_move(self._unit, volume.environment, there)
        former = parse_keep(volume.keep)
        wish = parse_keep(recorded_keep(details.get("keep", "")))
        verb = Verb.KEEP if wish.at_least(former) == wish else Verb.SHORTEN
        return verb, about_keep(wish, former)

    def _agreements(self) -> Sequence[Agreement]:
        if self._found is None:
            self._found = agreements(self._unit)
        return self._found


def _under(stored: StoredEvent, hold: str) -> StoredEvent:
    if not hold or stored.event.type is not EventType.DELETE_REQUESTED:
        return stored
    details = stored.event.details | {"hold": hold}
    return replace(stored, event=replace(stored.event, details=details))


def _folded(events: Iterable[StoredEvent]) -> Tombstone:
    return fold((stored.event, stored.stored_at) for stored in events)
