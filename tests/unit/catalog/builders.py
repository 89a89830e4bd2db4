"""Events and snapshots as the repository would hand them over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace

from tests.unit.lifecycle.builders import DETAILS, START, Stored, Story
from vault.catalog.events import EventRow
from vault.ids import new_id
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import Keep

SECOND = timedelta(seconds=1)


def stored(pair: Stored) -> EventRow:
    """An event as the journal tells it."""
    event, at = pair
    key = f"events/{event.volume}/{event.id}-{'0' * 64}"
    return EventRow(event, key, "v1", "ab" * 32, "writer", at)


def history(
    *kinds: EventType, name: str = "db", environment: str = "production"
) -> tuple[Story, list[EventRow]]:
    """A volume of that name that was added, and what then happened to it."""
    story = Story()
    terms = DETAILS[EventType.VOLUME_ADDED] | {"name": name, "environment": environment}
    story.add(EventType.VOLUME_ADDED, **terms)
    for kind in kinds:
        details = dict(DETAILS.get(kind, {}))
        if kind is EventType.DELETE_REQUESTED:
            details |= {"volume_name": name, "environment": environment}
        story.add(kind, tombstone=story.tombstone, **details)
    return story, [stored(pair) for pair in story.events]


@dataclass(frozen=True)
class Record:
    """A snapshot as the repository reads it."""

    header: SimpleNamespace
    key: str
    stored_at: datetime
    version: str = "v1"
    signer_hex: str = "ab" * 32


def snapshot(
    volume: str, at: datetime = START, *, identifier: str = "", environment: str = "production"
) -> Record:
    """A snapshot of a volume, stored at that time."""
    identifier = identifier or new_id("snap", at)
    header = SimpleNamespace(
        id=identifier,
        volume=volume,
        volume_name="db",
        environment=environment,
        adapter="directory",
        parent="",
        session="sess_x",
        started_at=at - SECOND,
        finished_at=at,
        files=3,
        bytes=1 << 40,
        bytes_added=7,
        findings=0,
        final_for="",
        keep=Keep(1, 2, 3, 4),
        packs=("p" * 64,) * 1000,
        retain_until=at + timedelta(days=30),
        change=None,
    )
    return Record(header, f"snapshots/{volume}/{identifier}-{'0' * 64}", at)
