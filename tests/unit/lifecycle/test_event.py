"""Events: their stored form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec

from tests.unit.lifecycle.builders import Story
from vault.ids import is_id, next_id
from vault.lifecycle.event import Event, EventType, encode_event


def test_what_is_encoded_is_decoded_and_always_alike() -> None:
    story = Story()
    story.add(EventType.HELD, reason="“court” order", tombstone="tomb_x", note="ä", also="b")
    event = story.events[0][0]
    data = encode_event(event)
    assert msgspec.json.decode(data, type=Event) == event
    turned = msgspec.structs.replace(event, details=dict(reversed(event.details.items())))
    assert encode_event(turned) == data


def test_ids_sort_as_they_were_made_whatever_the_clock_says() -> None:
    at = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    ids = [next_id("evt", at)]
    for shift in (0, 0, -3600, 0, 5, 0):
        ids.append(next_id("evt", at.astimezone(UTC) + timedelta(seconds=shift), after=ids[-1]))
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(is_id(identifier, "evt") for identifier in ids)
