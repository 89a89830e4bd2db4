"""Tombstones: every step of the table, every refusal, and folds of what is stored."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.lifecycle.builders import IDENTITY, Story
from vault import limits
from vault.errors import TransitionRefused
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import HALF_DONE, OPEN, TABLE, State, fold, step

E = EventType
TO_TOMBSTONED = (E.DELETE_REQUESTED, E.QUARANTINE_STARTED, E.QUARANTINED)
FINAL = {State.DENIED, State.ABANDONED, State.RESTORED, State.PURGED}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, EventType)))
def test_every_pair_steps_as_the_table_says_or_is_refused(state: State, event: EventType) -> None:
    if (state, event) in TABLE:
        assert step(state, event) is TABLE[state, event]
    else:
        with pytest.raises(TransitionRefused):
            step(state, event)


def test_the_documented_table_is_the_one_that_holds() -> None:
    text = (Path(__file__).parents[3] / "docs" / "design.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| (\w+) \| (\w+) \| (\w+) \|$", text)
    written = [((State(a), EventType(e)), State(b)) for a, e, b in rows if a in set(State)]
    assert written == list(TABLE.items())


def test_every_state_is_reachable_and_only_ended_ones_end() -> None:
    reached = {State.ABSENT}
    while more := {to for (start, _), to in TABLE.items() if start in reached} - reached:
        reached |= more
    assert reached == set(State)
    assert {state for state in State if not any(start is state for start, _ in TABLE)} == FINAL


def test_nothing_is_purged_but_what_was_tombstoned() -> None:
    into = {start for (start, _), to in TABLE.items() if to is State.PURGING}
    assert into == {State.TOMBSTONED}
    assert {start for (start, _), to in TABLE.items() if to is State.PURGED} == {
        State.PURGING,
        State.RESTORING,
    }
    assert {start for (start, _), to in TABLE.items() if to is State.RESTORING} == {
        State.TOMBSTONED,
        State.PURGING,
    }


def test_no_open_state_is_an_end_that_needs_no_one() -> None:
    assert not OPEN & FINAL
    assert HALF_DONE - {State.REQUESTED} < OPEN  # a mere request has moved nothing


def test_a_delete_from_request_to_purge() -> None:
    story = Story()
    story.delete((*TO_TOMBSTONED, E.FINAL_SNAPSHOT, E.PURGE_STARTED, E.PURGED))
    tombstone = fold(story.events)
    stored = [at for _, at in story.events]
    assert tombstone.state is State.PURGED
    assert (tombstone.id, tombstone.volume) == (story.tombstone, story.volume)
    assert (tombstone.volume_name, tombstone.environment) == ("db", "production")
    assert (tombstone.location, tombstone.held_at) == ("/srv/db", "/srv/.vault-trash/t")
    assert tombstone.identity == IDENTITY
    assert tombstone.snapshot == "snap_1"
    assert tombstone.created_at == stored[0]
    assert tombstone.quarantined_at == stored[2]
    assert tombstone.undo_until == stored[2] + timedelta(hours=48)
    assert tombstone.uptime_mark == 1000.5
    assert tombstone.closed_at == stored[5]
    assert tombstone.refused == ()


def test_the_window_counts_from_the_stores_clock_alone() -> None:
    story = Story()
    story.delete(TO_TOMBSTONED)
    lied = [
        (replace(event, at=event.at - timedelta(days=365)), stored_at)
        for event, stored_at in story.events
    ]
    assert fold(lied).undo_until == fold(story.events).undo_until


@pytest.mark.parametrize("text", ["", "-1", "1e3", "x", "9" * 40, "٣"])
def test_an_unreadable_window_is_the_floor(text: str) -> None:
    story = Story()
    story.add(E.DELETE_REQUESTED, tombstone=story.tombstone, window_seconds=text)
    assert fold(story.events).window == limits.PROTECTED_WINDOW_FLOOR


@pytest.mark.parametrize(("text", "mark"), [("", None), ("nan", None), ("-1", None), ("7", 7.0)])
def test_an_unreadable_uptime_is_none(text: str, mark: float | None) -> None:
    story = Story()
    story.delete(TO_TOMBSTONED[:2])
    story.add(E.QUARANTINED, tombstone=story.tombstone, uptime=text)
    assert fold(story.events).uptime_mark == mark


def test_a_hold_and_its_release() -> None:
    story = Story()
    story.delete(TO_TOMBSTONED)
    story.add(E.HELD, tombstone=story.tombstone, reason="court")
    assert fold(story.events).hold == "court"
    story.add(E.HELD, tombstone=story.tombstone)
    assert fold(story.events).hold
    story.delete((E.RELEASED,))
    assert fold(story.events).hold == ""
    assert fold(story.events).state is State.TOMBSTONED


FLOOR = limits.PROTECTED_WINDOW_FLOOR


@pytest.mark.parametrize(("window", "left"), [(1, 1), (48, 48), (336, 48)])
def test_an_early_purge_that_was_agreed_to_ends_the_promise_at_48_hours(
    window: int, left: int
) -> None:
    story = Story()
    seconds = str(window * 3600)
    story.add(E.DELETE_REQUESTED, tombstone=story.tombstone, window_seconds=seconds)
    story.delete((*TO_TOMBSTONED[1:], E.EARLY_PURGE_AGREED))
    tombstone = fold(story.events)
    assert tombstone.early_at == story.events[-1][1]
    since = tombstone.quarantined_at
    assert since is not None
    assert tombstone.undo_until == since + timedelta(hours=left)
    assert tombstone.window == timedelta(hours=window)


@pytest.mark.parametrize("ends", [E.HELD, E.UNDELETE_STARTED])
def test_a_hold_and_an_undelete_end_what_was_agreed_to(ends: EventType) -> None:
    story = Story()
    seconds = str(14 * 24 * 3600)
    story.add(E.DELETE_REQUESTED, tombstone=story.tombstone, window_seconds=seconds)
    story.delete((*TO_TOMBSTONED[1:], E.EARLY_PURGE_AGREED, ends))
    tombstone = fold(story.events)
    assert tombstone.early_at is None
    assert tombstone.undo_until == story.events[2][1] + timedelta(days=14)


def test_what_is_agreed_to_late_ends_the_promise_then() -> None:
    story = Story()
    seconds = str(14 * 24 * 3600)
    story.add(E.DELETE_REQUESTED, tombstone=story.tombstone, window_seconds=seconds)
    story.delete((*TO_TOMBSTONED[1:], E.EARLY_PURGE_AGREED))
    event, _ = story.events.pop()
    late = story.events[-1][1] + FLOOR + timedelta(days=1)
    assert fold([*story.events, (event, late)]).undo_until == late


@pytest.mark.parametrize(
    ("race", "end"),
    [
        ((E.UNDELETE_STARTED, E.PURGE_STARTED, E.UNDELETED), State.RESTORED),
        ((E.UNDELETE_STARTED, E.PURGE_STARTED, E.PURGED), State.PURGED),
        ((E.PURGE_STARTED, E.UNDELETE_STARTED, E.UNDELETED), State.RESTORED),
        ((E.PURGE_STARTED, E.UNDELETE_STARTED, E.PURGED), State.PURGED),
    ],
)
def test_undelete_and_purge_at_once_end_as_the_provider_decided(
    race: tuple[EventType, ...], end: State
) -> None:
    story = Story()
    story.delete((*TO_TOMBSTONED, *race))
    assert fold(story.events).state is end


def test_what_is_appended_twice_counts_once() -> None:
    story = Story()
    for kind in TO_TOMBSTONED:
        story.delete((kind, kind))
    tombstone = fold(story.events)
    assert tombstone.state is State.TOMBSTONED
    assert tombstone.refused == ()
    assert tombstone.quarantined_at == story.events[4][1]


def test_what_cannot_be_is_reported_and_changes_nothing() -> None:
    story = Story()
    story.delete(TO_TOMBSTONED)
    before = fold(story.events)
    story.delete((E.PURGED,))
    after = fold(story.events)
    assert replace(after, refused=()) == before
    assert len(after.refused) == 1
    assert "purged while tombstoned" in after.refused[0]


def test_events_of_the_volume_itself_are_no_business_of_the_tombstone() -> None:
    story = Story()
    story.delete((*TO_TOMBSTONED, E.SOURCE_ACKNOWLEDGED))
    assert fold(story.events).refused == ()


@given(st.lists(st.sampled_from(EventType), min_size=1, max_size=14))
def test_any_order_of_arrival_folds_alike_and_never_fails(kinds: list[EventType]) -> None:
    story = Story()
    story.delete(kinds)
    expected = fold(story.events)
    state = State.ABSENT
    for kind in kinds:
        state = TABLE.get((state, kind), state)
    assert expected.state is state
    assert fold(list(reversed(story.events))) == expected
    assert fold([*story.events[1::2], *story.events[::2]]) == expected
