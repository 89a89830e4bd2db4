"""What the store says, held against what was promised: read with nobody's catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from soaking.world import World
from vault.lifecycle.event import EventType
from vault.limits import PLAN_LIFE
from vault.operations.homes import read_root
from vault.repository.charter import load_charter
from vault.repository.journal import StoredEvent, read_events
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.store.contract import Reader
from vault.store.names import pack_key
from vault.store.opening import open_store

WINDOW = timedelta(hours=48)
FINAL = timedelta(days=30)
_FROZEN = (EventType.QUARANTINE_STARTED, EventType.QUARANTINED)
_CLOSED = (EventType.PURGED, EventType.UNDELETED, EventType.QUARANTINE_ABANDONED)


@dataclass
class Sight:
    """The store at one moment, by its own clock."""

    at: datetime
    events: list[StoredEvent]
    snapshots: dict[str, SnapshotRecord]

    def of_tombstone(self, tombstone: str) -> dict[EventType, datetime]:
        """When each type of event was first stored of it."""
        found: dict[EventType, datetime] = {}
        for stored in self.events:
            if stored.event.tombstone == tombstone:
                at = found.get(stored.event.type, stored.stored_at)
                found[stored.event.type] = min(at, stored.stored_at)
        return found

    def tombstones(self) -> dict[str, str]:
        """All, each with its volume."""
        return {s.event.tombstone: s.event.volume for s in self.events if s.event.tombstone}


@dataclass
class Auditor:
    """Looks, compares with the last look and with what was acknowledged, and complains."""

    world: World
    complain: Callable[[str], None]
    acknowledged: dict[str, datetime] = field(default_factory=dict)
    """Snapshots, with the lock that was promised where one was named."""
    counts: dict[str, int] = field(default_factory=dict)
    last: Sight | None = None
    _reader: Reader | None = None

    def look(self) -> Sight:
        """Read everything, and check it. Raises VaultError where the store does not answer."""
        reader = self._reader or open_store(
            self.world.scene.url, right="reader", clock=self.world.clocks, profile="reader"
        )
        self._reader = reader
        charter = load_charter(reader, read_root(self.world.scene.home()))
        tampering: list[object] = []
        events = list(read_events(reader, charter, tampering))  # type: ignore[arg-type]
        records = list_snapshots(reader, charter, tampering)  # type: ignore[arg-type]
        sight = Sight(reader.now(), events, {r.header.id: r for r in records})
        for finding in tampering:
            self.complain(f"tampering that nobody did: {finding}")
        self._compare(sight)
        for tombstone in sight.tombstones():
            self._judge_tombstone(reader, sight, tombstone)
        self.last = sight
        return sight

    def _compare(self, sight: Sight) -> None:
        before = self.last or sight
        keys = {stored.key for stored in sight.events}
        for stored in before.events:
            if stored.key not in keys:
                self.complain(f"an event is gone: {stored.key}")
        known = before.snapshots | sight.snapshots
        missing = set(before.snapshots) - set(sight.snapshots)
        self.counts["collected"] = self.counts.get("collected", 0) + len(missing)
        for snapshot in missing:
            self._judge_missing(sight, known, snapshot)
        for snapshot in self.acknowledged.keys() - known.keys():
            self.complain(f"acknowledged and never seen in the store: {snapshot}")
        for snapshot in missing:
            self.acknowledged.pop(snapshot, None)

    def _judge_missing(
        self, sight: Sight, known: Mapping[str, SnapshotRecord], snapshot: str
    ) -> None:
        record = known[snapshot]
        volume = record.header.volume
        planned = (self.last or sight).at - PLAN_LIFE
        frozen, closed_at = standing(sight.events, volume, planned)
        series = [r for r in known.values() if r.header.volume == volume]
        promised = self.acknowledged.get(snapshot)
        if promised is not None and sight.at < promised:
            self.complain(f"collected while locked: {snapshot}, until {promised}")
        if sight.at < record.stored_at + FINAL:
            self.complain(f"collected before any lock could lapse: {snapshot}")
        if frozen:
            self.complain(f"collected while its volume is {frozen}: {snapshot}")
        elif snapshot in wanted(series, sight.at, closed_at):
            self.complain(f"collected while wanted: {snapshot}")

    def _judge_tombstone(self, reader: Reader, sight: Sight, tombstone: str) -> None:
        at = sight.of_tombstone(tombstone)
        begun = at.get(EventType.PURGE_STARTED)
        if EventType.UNDELETED in at and EventType.PURGED in at:
            self.complain(f"undeleted and purged: {tombstone}")
        if begun is None:
            return
        quarantined = at.get(EventType.QUARANTINED)
        if quarantined is None or begun < quarantined + WINDOW:
            self.complain(f"purged early: {tombstone}, {quarantined} to {begun}")
        final = at.get(EventType.FINAL_SNAPSHOT)
        if final is None or final > begun:
            self.complain(f"purged without a final snapshot: {tombstone}")
        fresh = self.last is None or EventType.PURGED not in self.last.of_tombstone(tombstone)
        if EventType.PURGED in at and fresh:
            self._judge_final(reader, sight, tombstone, at[EventType.PURGED])

    def _judge_final(self, reader: Reader, sight: Sight, tombstone: str, purged: datetime) -> None:
        finals = [r for r in sight.snapshots.values() if r.header.final_for == tombstone]
        if not finals:
            self.complain(f"purged, and the final snapshot is gone: {tombstone}")
        for record in finals:
            for key in (record.key, *map(pack_key, record.header.packs)):
                until = reader.retention(key).until
                if until is None or until < purged + FINAL - timedelta(minutes=10):
                    self.complain(f"{key} of {tombstone} is locked until {until} only")


def standing(
    events: Iterable[StoredEvent], volume: str, before: datetime
) -> tuple[str, datetime | None]:
    """Why nothing of it may expire, if that has held since `before`; and when it was closed."""
    frozen, since, closed_at = "", before, None
    for stored in sorted(events, key=lambda s: s.event.id):
        if stored.event.volume != volume:
            continue
        if stored.event.type in _FROZEN:
            frozen, since, closed_at = "tombstoned", stored.stored_at, None
        if stored.event.type in _CLOSED:
            frozen = ""
        if stored.event.type is EventType.PURGED:
            closed_at = stored.stored_at
    return (frozen if since < before else ""), closed_at


def wanted(series: Iterable[SnapshotRecord], now: datetime, closed_at: datetime | None) -> set[str]:
    """What the default calendar asks for, counted in another way than by the product."""
    names = set()
    ordered = sorted(series, key=lambda r: (r.stored_at, r.header.id), reverse=True)
    if ordered and closed_at is None:
        names.add(ordered[0].header.id)
    for form, count, step in (
        ("%Y-%m-%d %H", 24, timedelta(hours=1)),
        ("%Y-%m-%d", 7, timedelta(days=1)),
        ("%G-%V", 5, timedelta(weeks=1)),
        ("%Y-%m", 12, timedelta(days=31)),
    ):
        recent = set(_recent(now, form, count, step)) if closed_at else None
        seen: dict[str, str] = {}
        for record in ordered:
            period = record.stored_at.strftime(form)
            if recent is not None and period not in recent:
                continue
            if period not in seen and len(seen) < count:
                seen[period] = record.header.id
        names.update(seen.values())
    if closed_at and now < closed_at + FINAL:
        names.update(r.header.id for r in ordered if r.header.final_for)
    return names


def _recent(now: datetime, form: str, count: int, step: timedelta) -> Iterator[str]:
    """The names of the last periods; a month is a little less often counted than it could be."""
    at, last = now, ""
    while count:
        name = at.strftime(form)
        if name != last:
            last, count = name, count - 1
            yield name
        at -= step if step < timedelta(days=31) else timedelta(days=1)
