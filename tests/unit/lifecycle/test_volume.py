"""Volumes: every step of the table, every refusal, and how they stand with retention."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lifecycle.builders import DETAILS, IDENTITY, Story
from vault.errors import TransitionRefused
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import Keep
from vault.lifecycle.volume import (
    VOLUME_TABLE,
    Volume,
    VolumeState,
    fold_volume,
    standing,
    step_volume,
)

E = EventType
S = VolumeState
NONE = Keep(0, 0, 0, 0)


def told(*kinds: EventType) -> tuple[Story, Volume]:
    """A volume after these events."""
    story = Story()
    for kind in (E.VOLUME_ADDED, *kinds):
        tombstone = story.tombstone if kind in DELETE else ""
        story.add(kind, tombstone=tombstone, **DETAILS.get(kind, {}))
    return story, fold_volume(story.events)


DELETE = {
    E.DELETE_REQUESTED,
    E.QUARANTINE_STARTED,
    E.QUARANTINE_ABANDONED,
    E.QUARANTINED,
    E.UNDELETED,
    E.PURGED,
    E.FOUND_DESTROYED,
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(VolumeState, EventType)))
def test_every_pair_steps_as_the_table_says_or_is_refused(
    state: VolumeState, event: EventType
) -> None:
    if (state, event) in VOLUME_TABLE:
        assert step_volume(state, event) is VOLUME_TABLE[state, event]
    else:
        with pytest.raises(TransitionRefused):
            step_volume(state, event)


def test_a_volume_is_born_with_its_terms() -> None:
    story, volume = told()
    assert (volume.id, volume.name, volume.environment) == (story.volume, "db", "production")
    assert (volume.provider, volume.location, volume.identity) == ("directory", "/srv/db", IDENTITY)
    assert (volume.schedule, volume.keep) == ("@hourly", str(Keep(1, 2, 3, 4)))
    assert volume.created_at == story.events[0][1]
    assert volume.state is S.ACTIVE


def test_a_move_is_to_where_it_says() -> None:
    story = Story()
    story.add(E.VOLUME_ADDED, environment="production")
    story.add(E.VOLUME_MOVED, environment="preview")
    assert fold_volume(story.events).environment == "preview"
    story.add(E.VOLUME_MOVED)
    assert fold_volume(story.events).environment == "preview"
    assert fold_volume(story.events).refused == ()


def test_an_unreadable_keep_is_the_default() -> None:
    story = Story()
    story.add(E.VOLUME_ADDED, keep="forever")
    assert fold_volume(story.events).keep == str(Keep())


@pytest.mark.parametrize(
    ("kinds", "state", "alarm"),
    [
        ((E.VOLUME_PAUSED,), S.PAUSED, ""),
        ((E.VOLUME_PAUSED, E.VOLUME_RESUMED), S.ACTIVE, ""),
        ((E.VOLUME_REMOVED,), S.REMOVED, ""),
        ((E.SOURCE_VANISHED,), S.VANISHED, "vanished"),
        ((E.SOURCE_VANISHED, E.VOLUME_RESUMED), S.ACTIVE, "vanished"),
        ((E.SOURCE_VANISHED, E.VOLUME_RESUMED, E.SOURCE_ACKNOWLEDGED), S.ACTIVE, ""),
        ((E.SOURCE_VANISHED, E.SOURCE_ACKNOWLEDGED), S.REMOVED, ""),
        ((E.SOURCE_VANISHED, E.VOLUME_REMOVED), S.REMOVED, "vanished"),
        ((E.SOURCE_VANISHED, E.VOLUME_REMOVED, E.SOURCE_ACKNOWLEDGED), S.REMOVED, ""),
        ((E.SOURCE_REPLACED,), S.REPLACED, "replaced"),
        ((E.SOURCE_REPLACED, E.SOURCE_VANISHED), S.VANISHED, "vanished"),
        ((E.ATTACK_SUSPECTED,), S.ACTIVE, "attacked"),
        ((E.VOLUME_PAUSED, E.ATTACK_SUSPECTED), S.PAUSED, "attacked"),
        ((E.ATTACK_SUSPECTED, E.SOURCE_ACKNOWLEDGED), S.ACTIVE, ""),
        ((E.ATTACK_SUSPECTED, E.SOURCE_VANISHED), S.VANISHED, "vanished"),
        ((E.ATTACK_SUSPECTED, E.VOLUME_REMOVED), S.REMOVED, "attacked"),
        ((E.ATTACK_SUSPECTED, E.QUARANTINE_STARTED, E.UNDELETED), S.ACTIVE, "attacked"),
        ((E.ATTACK_SUSPECTED, E.QUARANTINE_STARTED, E.PURGED), S.REMOVED, "attacked"),
        ((E.SOURCE_VANISHED, E.VOLUME_RESUMED, E.ATTACK_SUSPECTED), S.ACTIVE, "vanished"),
        ((E.DELETE_REQUESTED,), S.ACTIVE, ""),
        ((E.QUARANTINE_STARTED,), S.TOMBSTONED, ""),
        ((E.QUARANTINE_STARTED, E.QUARANTINED), S.TOMBSTONED, ""),
        ((E.QUARANTINE_STARTED, E.QUARANTINE_ABANDONED), S.ACTIVE, ""),
        ((E.QUARANTINE_ABANDONED,), S.ACTIVE, ""),
        ((E.QUARANTINE_STARTED, E.UNDELETED), S.ACTIVE, ""),
        ((E.QUARANTINE_STARTED, E.UNDELETED, E.UNDELETED), S.ACTIVE, ""),
        ((E.QUARANTINE_STARTED, E.PURGED), S.REMOVED, ""),
        ((E.QUARANTINE_STARTED, E.FOUND_DESTROYED), S.VANISHED, "destroyed"),
        ((E.QUARANTINE_STARTED, E.FOUND_DESTROYED, E.SOURCE_ACKNOWLEDGED), S.REMOVED, ""),
        ((E.VOLUME_PAUSED, E.QUARANTINE_STARTED, E.UNDELETED), S.PAUSED, ""),
        ((E.VOLUME_PAUSED, E.QUARANTINE_STARTED, E.UNDELETED, E.UNDELETED), S.PAUSED, ""),
        ((E.VOLUME_PAUSED, E.QUARANTINE_STARTED, E.PURGED), S.REMOVED, ""),
    ],
)
def test_stories(kinds: tuple[EventType, ...], state: VolumeState, alarm: str) -> None:
    _, volume = told(*kinds)
    assert (volume.state, volume.alarm, volume.refused) == (state, alarm, ())
    closing = volume.closed_at is not None
    assert closing is (state is S.REMOVED)


def test_who_stands_in_the_place_is_accepted_by_acknowledging() -> None:
    story, _ = told()
    story.add(E.SOURCE_REPLACED, identity="directory inode=9")
    assert fold_volume(story.events).found == "directory inode=9"
    assert fold_volume(story.events).identity == IDENTITY
    story.add(E.SOURCE_ACKNOWLEDGED)
    volume = fold_volume(story.events)
    assert (volume.state, volume.identity, volume.found) == (S.ACTIVE, "directory inode=9", "")


def test_one_that_came_back_itself_keeps_its_identity() -> None:
    story, _ = told()
    story.add(E.SOURCE_REPLACED, identity="directory inode=9")
    story.add(E.VOLUME_RESUMED)
    story.add(E.SOURCE_ACKNOWLEDGED)
    assert fold_volume(story.events).identity == IDENTITY


def test_the_end_of_another_delete_does_not_move_it() -> None:
    story, _ = told(E.QUARANTINE_STARTED)
    story.add(E.PURGED, tombstone="tomb_other")
    volume = fold_volume(story.events)
    assert volume.state is S.TOMBSTONED
    assert len(volume.refused) == 1


def test_a_removed_volume_stays_closed_since_it_was() -> None:
    story, _ = told(E.SOURCE_VANISHED, E.VOLUME_REMOVED, E.SOURCE_ACKNOWLEDGED)
    assert fold_volume(story.events).closed_at == story.events[2][1]


@pytest.mark.parametrize(
    ("kinds", "frozen"),
    [
        ((), ""),
        ((E.SOURCE_VANISHED,), "vanished"),
        ((E.SOURCE_VANISHED, E.VOLUME_RESUMED), "vanished"),
        ((E.SOURCE_REPLACED,), "replaced"),
        ((E.QUARANTINE_STARTED,), "tombstoned"),
        ((E.QUARANTINE_STARTED, E.FOUND_DESTROYED), "destroyed"),
        ((E.QUARANTINE_STARTED, E.PURGED), ""),
    ],
)
def test_standing(kinds: tuple[EventType, ...], frozen: str) -> None:
    _, volume = told(*kinds)
    assert standing(volume, NONE).frozen == frozen
    assert standing(volume, NONE, held=True).frozen == (frozen or "held")
    assert standing(volume, NONE).closed_at == volume.closed_at


def test_the_charters_keep_is_a_floor() -> None:
    _, volume = told()
    assert standing(volume, Keep(9, 0, 9, 0)).keep == Keep(9, 2, 9, 4)


@given(st.lists(st.sampled_from(EventType), min_size=1, max_size=14))
def test_any_order_of_arrival_folds_alike_and_never_fails(kinds: list[EventType]) -> None:
    story, volume = told(*kinds)
    assert fold_volume(list(reversed(story.events))) == volume
    assert fold_volume([*story.events[1::2], *story.events[::2]]) == volume


def test_terms_hold_for_what_is_stored_from_then_on() -> None:
    """By the store's time; what was stored by then goes on by those before, whatever follows."""
    story = Story()
    story.add(E.VOLUME_ADDED, **DETAILS[E.VOLUME_ADDED])
    for text in ("daily=9", "hourly=5", "forever"):
        story.add(E.KEEP_CHANGED, keep=text)
    volume = fold_volume(story.events)
    times = [stored_at for _, stored_at in story.events]
    assert volume.state is S.ACTIVE
    assert volume.keep == str(Keep())
    assert [until for until, _ in volume.kept] == times[1:]
    terms = standing(volume, NONE)
    expected = [Keep(1, 2, 3, 4), Keep(0, 9, 0, 0), Keep(5, 0, 0, 0), Keep()]
    for number, keep in enumerate(expected[:-1], start=1):
        assert terms.keep_of(times[number]) == keep
    assert terms.keep_of(times[-1] + (times[-1] - times[-2])) == expected[-1]
    floor = Keep(2, 1, 0, 0)
    assert standing(volume, floor).keep_of(times[2]) == Keep(2, 9, 0, 0)


def test_a_removed_volume_keeps_its_terms() -> None:
    """Nothing is stored any more that they could be about."""
    _, volume = told(E.VOLUME_REMOVED, E.KEEP_CHANGED)
    assert volume.keep == str(Keep(1, 2, 3, 4))
    assert volume.kept == ()
    assert len(volume.refused) == 1


def test_late_news_from_the_store_turns_no_time_back() -> None:
    """Two changes that arrive in another order than they were made: each has its own span."""
    story = Story()
    story.add(E.VOLUME_ADDED, **DETAILS[E.VOLUME_ADDED])
    story.add(E.KEEP_CHANGED, keep="daily=9")
    story.add(E.KEEP_CHANGED, keep="hourly=5")
    times = [stored_at for _, stored_at in story.events]
    made = [event for event, _ in story.events]
    swapped = zip(made, (times[0], times[2], times[1]), strict=True)
    volume = fold_volume(swapped)
    assert [until for until, _ in volume.kept] == [times[2], times[2]]
    assert volume.keep == "hourly=5,daily=0,weekly=0,monthly=0"
