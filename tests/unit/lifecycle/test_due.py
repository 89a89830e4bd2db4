"""Duties: due when they should be, once, and again after a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vault import limits
from vault.errors import UsageError
from vault.lifecycle.due import Facts, Rhythm, Task, check_schedule, due, jitter, next_capture
from vault.lifecycle.tombstone import State, Tombstone
from vault.lifecycle.volume import Volume, VolumeState

NOW = datetime(2026, 4, 24, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BORN = NOW - timedelta(days=90)
RHYTHM = Rhythm()
FAR = timedelta(days=99)
QUIET = Rhythm(look=FAR, extend=FAR, verify=FAR)


def volume(state: VolumeState = VolumeState.ACTIVE, schedule: str = "@hourly") -> Volume:
    return Volume("vol_a", BORN, schedule=schedule, state=state)


def tombstone(state: State, snapshot: str = "") -> Tombstone:
    return Tombstone("tomb_a", BORN, volume="vol_a", state=state, snapshot=snapshot)


def waiting(until: datetime, **terms: Any) -> Tombstone:
    return replace(tombstone(State.TOMBSTONED), undo_until=until, **terms)


def warned_of(one: Tombstone, now: datetime, *told: str) -> bool:
    known = replace(facts(), warned=told)
    return Task.WARN in [duty.task for duty in due((), (one,), known, QUIET, now=now)]


def tasks(
    facts: Facts, *volumes: Volume, now: datetime = NOW, rhythm: Rhythm = QUIET
) -> list[Task]:
    return [duty.task for duty in due(volumes, (), facts, rhythm, now=now)]


def facts(
    captured: datetime | None = None, attempted: datetime | None = None, started: datetime = NOW
) -> Facts:
    return Facts(
        started_at=started,
        captured={} if captured is None else {"vol_a": captured},
        attempted={(Task.LOOK, "vol_a"): NOW}
        | ({} if attempted is None else {(Task.CAPTURE, "vol_a"): attempted}),
        extended_at=NOW,
        verified_at=NOW,
    )


def test_the_first_capture_is_due_at_once() -> None:
    assert tasks(facts(), volume()) == [Task.CAPTURE]


def test_after_downtime_one_capture_is_due_however_many_were_missed() -> None:
    assert tasks(facts(captured=NOW - timedelta(days=30)), volume()) == [Task.CAPTURE]
    assert tasks(facts(captured=NOW), volume()) == []


def test_a_capture_is_due_at_its_strike_and_jitter_to_the_microsecond() -> None:
    strike = NOW + jitter("vol_a", HOUR)
    before = facts(captured=NOW - HOUR / 2)
    assert tasks(before, volume(), now=strike - timedelta(microseconds=1)) == []
    assert tasks(before, volume(), now=strike) == [Task.CAPTURE]


def test_a_failed_capture_rests_before_it_is_tried_again() -> None:
    attempted = facts(captured=NOW - 2 * HOUR, attempted=NOW)
    rested = NOW + RHYTHM.retry
    assert tasks(attempted, volume(), now=rested - SECOND) == []
    assert tasks(attempted, volume(), now=rested) == [Task.CAPTURE]


@pytest.mark.parametrize("state", sorted(set(VolumeState) - {VolumeState.ACTIVE}))
def test_only_active_volumes_are_captured(state: VolumeState) -> None:
    assert tasks(facts(), volume(state)) == []
    assert next_capture(volume(state), None) is None


def test_without_a_schedule_nothing_is_captured() -> None:
    assert tasks(facts(), volume(schedule="")) == []


@pytest.mark.parametrize("state", VolumeState)
def test_who_is_looked_at(state: VolumeState) -> None:
    known = Facts(started_at=NOW, captured={"vol_a": NOW}, extended_at=NOW, verified_at=NOW)
    looked = tasks(known, volume(state))
    expected = {VolumeState.ACTIVE, VolumeState.VANISHED, VolumeState.REPLACED}
    assert looked == ([Task.LOOK] if state in expected else [])


def test_looking_comes_round() -> None:
    known = Facts(
        started_at=NOW,
        captured={"vol_a": NOW},
        attempted={(Task.LOOK, "vol_a"): NOW},
        extended_at=NOW,
        verified_at=NOW,
    )
    assert tasks(known, volume(), now=NOW + RHYTHM.look - SECOND, rhythm=RHYTHM) == []
    assert tasks(known, volume(), now=NOW + RHYTHM.look, rhythm=RHYTHM) == [Task.LOOK]


@pytest.mark.parametrize(
    ("task", "field", "every"),
    [(Task.EXTEND, "extended_at", RHYTHM.extend), (Task.VERIFY, "verified_at", RHYTHM.verify)],
)
def test_what_comes_round(task: Task, field: str, every: timedelta) -> None:
    never: dict[str, Any] = {field: None}
    just_now: dict[str, Any] = {field: NOW}
    assert tasks(replace(facts(), **never)) == [task]
    done = replace(facts(), **just_now)
    quiet: dict[str, Any] = {str(task): every}
    rhythm = replace(QUIET, **quiet)
    assert tasks(done, now=NOW + every - SECOND, rhythm=rhythm) == []
    assert tasks(done, now=NOW + every, rhythm=rhythm) == [task]


def test_what_a_clock_that_was_ahead_left_behind_keeps_nothing_waiting() -> None:
    """A host starts with a wrong clock, does its work, and then learns the time."""
    ahead = NOW + timedelta(days=60)
    wrong = Facts(
        started_at=ahead,
        captured={"vol_a": ahead},
        attempted={(Task.LOOK, "vol_a"): ahead, (Task.CAPTURE, "vol_a"): ahead},
        extended_at=ahead,
        verified_at=ahead,
    )
    expected = [Task.CAPTURE, Task.LOOK, Task.EXTEND, Task.VERIFY]
    assert tasks(wrong, volume()) == expected
    assert tasks(wrong, replace(volume(), created_at=ahead)) == expected


def test_a_store_a_little_ahead_of_its_host_is_no_wrong_clock() -> None:
    assert tasks(facts(captured=NOW + limits.CLOCK_TOLERANCE), volume()) == []


@pytest.mark.parametrize(
    ("state", "snapshot", "expected"),
    [
        (State.QUARANTINING, "", [Task.RESUME]),
        (State.RESTORING, "", [Task.RESUME]),
        (State.RESTORING, "snap_1", [Task.RESUME]),
        (State.TOMBSTONED, "", [Task.FINALIZE, Task.LOOK]),
        (State.TOMBSTONED, "snap_1", [Task.LOOK]),
        (State.PURGING, "", [Task.LOOK]),
        (State.STORE_ONLY, "", []),
        (State.PURGED, "", []),
        (State.REQUESTED, "", [Task.RESUME]),
    ],
)
def test_what_tombstones_ask_for(state: State, snapshot: str, expected: list[Task]) -> None:
    duties = due((), (tombstone(state, snapshot),), facts(), RHYTHM, now=NOW)
    assert [duty.task for duty in duties] == expected
    assert all((d.volume, d.tombstone) == ("vol_a", "tomb_a") for d in duties)


def test_half_done_work_comes_first() -> None:
    everything = due(
        (volume(),), (waiting(NOW), tombstone(State.QUARANTINING)),
        Facts(started_at=NOW), Rhythm(stamp=HOUR), now=NOW,
    )  # fmt: skip
    assert list(dict.fromkeys(duty.task for duty in everything)) == list(Task)


@given(st.text(max_size=40), st.timedeltas(timedelta(minutes=1), timedelta(days=400)))
def test_jitter_is_the_same_always_and_bounded(identifier: str, period: timedelta) -> None:
    assert jitter(identifier, period) == jitter(identifier, period)
    assert timedelta(0) <= jitter(identifier, period) <= min(limits.JITTER_MAX, period / 10)


def test_jitter_spreads() -> None:
    assert len({jitter(f"vol_{number}", HOUR) for number in range(50)}) > 45


@given(st.timedeltas(timedelta(0), timedelta(days=3)))
def test_whatever_was_captured_last_the_next_is_within_a_period_and_its_jitter(
    age: timedelta,
) -> None:
    strike = next_capture(volume(), NOW - age)
    assert strike is not None
    assert NOW - age < strike <= NOW - age + HOUR + limits.JITTER_MAX


def test_schedules_that_people_give() -> None:
    check_schedule("")
    check_schedule("@hourly")
    with pytest.raises(UsageError):
        check_schedule("0 0 30 2 *")


def test_a_purge_is_announced_once_twelve_hours_before_its_time() -> None:
    one, moment = waiting(NOW), NOW - limits.PURGE_NOTICE
    assert not warned_of(one, moment - timedelta(microseconds=1))
    assert warned_of(one, moment)
    assert warned_of(one, NOW + HOUR)  # the daemon was down
    assert not warned_of(one, moment, "tomb_b", "tomb_a")


@pytest.mark.parametrize("state", sorted(set(State) - {State.TOMBSTONED}))
def test_what_is_not_waiting_for_its_purge_is_not_announced(state: State) -> None:
    assert not warned_of(waiting(NOW, state=state), NOW)


def test_neither_holds_nor_short_windows_are_announced() -> None:
    assert not warned_of(waiting(NOW, hold="court"), NOW)
    assert not warned_of(waiting(NOW, window=limits.PURGE_NOTICE), NOW)
    assert warned_of(waiting(NOW, window=limits.PURGE_NOTICE + SECOND), NOW)


def test_the_log_is_stamped_by_the_hour_only_where_that_is_wished() -> None:
    hourly = replace(QUIET, stamp=HOUR)
    just = replace(facts(), stamped_at=NOW - HOUR + SECOND)
    assert tasks(just, rhythm=hourly) == []
    assert tasks(just, rhythm=hourly, now=NOW + SECOND) == [Task.STAMP]
    assert tasks(just, rhythm=QUIET, now=NOW + SECOND) == []
    ahead = replace(facts(), stamped_at=NOW + 9 * HOUR)  # a clock that was wrong has said so
    assert tasks(ahead, rhythm=hourly) == [Task.STAMP]
