"""Retention: what is wanted, and what no writer can make unwanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault import limits
from vault.errors import LockRefused, UsageError
from vault.lifecycle.retention import (
    Claim,
    Keep,
    SnapshotFacts,
    Standing,
    epoch_ceiling,
    lock_target,
    parse_keep,
    retained,
    wanted,
)

NOW = datetime(2026, 4, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTHING = Keep(0, 0, 0, 0)

counts = st.integers(0, 6)
keeps = st.builds(Keep, counts, counts, counts, counts)
ages = st.lists(
    st.one_of(st.integers(0, 86400), st.integers(0, 500 * 86400)).map(
        lambda seconds: timedelta(seconds=seconds)
    ),
    max_size=30,
)


def series(ages: list[timedelta], volume: str = "vol_a") -> list[SnapshotFacts]:
    """Snapshots of these ages at NOW."""
    return [
        SnapshotFacts(f"snap_{volume}_{number}", volume, NOW - age)
        for number, age in enumerate(ages)
    ]


def test_keep_is_written_as_it_is_read() -> None:
    assert parse_keep(str(Keep(1, 2, 3, 4))) == Keep(1, 2, 3, 4)
    assert parse_keep(" daily = 7 , hourly=1") == Keep(1, 7, 0, 0)


@pytest.mark.parametrize(
    "text",
    ["", "daily", "daily=", "daily=-1", "yearly=1", "daily=1,daily=2", "daily=0", "daily=1,"],
)
def test_keep_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_keep(text)


@given(keeps, keeps)
def test_at_least_is_the_larger_of_both(one: Keep, other: Keep) -> None:
    both = one.at_least(other)
    assert both == other.at_least(one)
    assert both.at_least(one) == both


# --- locks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "ceiling"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(1970, 1, 11, tzinfo=UTC)),
        (datetime(1970, 1, 11, tzinfo=UTC), datetime(1970, 1, 11, tzinfo=UTC)),
    ],
)
def test_epochs_count_from_1970(at: datetime, ceiling: datetime) -> None:
    assert epoch_ceiling(at, timedelta(days=10)) == ceiling


@given(
    st.timedeltas(timedelta(days=-9000), timedelta(days=27000)).map(lambda span: NOW + span),
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_a_lock_is_long_enough_and_below_the_ceiling(now: datetime, minimum: timedelta) -> None:
    until = lock_target(now, minimum=minimum, ceiling=limits.MAX_LOCK)
    assert now + minimum <= until <= now + limits.MAX_LOCK
    assert until < now + minimum + limits.EPOCH
    capped = until == now + limits.MAX_LOCK
    assert capped or epoch_ceiling(until, limits.EPOCH) == until


def test_a_lock_beyond_the_ceiling_is_refused() -> None:
    with pytest.raises(LockRefused):
        lock_target(NOW, minimum=timedelta(days=401), ceiling=timedelta(days=400))


# --- wanted --------------------------------------------------------------------------------------


def test_the_last_of_each_period_is_wanted() -> None:
    snapshots = series([HOUR * 0, HOUR / 2, HOUR * 5, HOUR * 20, DAY * 2, DAY * 10, DAY * 70])
    claims = wanted(snapshots, Keep(2, 2, 2, 2), NOW)
    by_place = {int(key.rpartition("_")[2]): set(value) for key, value in claims.items()}
    assert by_place == {
        0: {Claim.NEWEST, Claim.HOURLY, Claim.DAILY, Claim.WEEKLY, Claim.MONTHLY},
        1: {Claim.HOURLY},  # 11:30, the last of its hour
        3: {Claim.DAILY},
        5: {Claim.WEEKLY},
        6: {Claim.MONTHLY},
    }


@pytest.mark.parametrize(
    ("keep", "at", "other", "alike"),
    [
        (Keep(2, 0, 0, 0), "2026-04-24T10:00:00", "2026-04-24T10:59:59", True),
        (Keep(2, 0, 0, 0), "2026-04-24T10:59:59", "2026-04-24T11:00:00", False),
        (Keep(0, 2, 0, 0), "2026-04-23T00:00:00", "2026-04-23T23:59:59", True),
        (Keep(0, 2, 0, 0), "2026-04-22T23:59:59", "2026-04-23T00:00:00", False),
        (Keep(0, 0, 2, 0), "2026-04-13T00:00:00", "2026-04-19T23:59:59", True),  # Monday, Sunday
        (Keep(0, 0, 2, 0), "2026-04-19T23:59:59", "2026-04-20T00:00:00", False),
        (Keep(0, 0, 2, 0), "2025-12-29T00:00:00", "2026-01-04T23:59:59", True),  # ISO week 2026-1
        (Keep(0, 0, 0, 2), "2026-03-01T00:00:00", "2026-03-31T23:59:59", True),
        (Keep(0, 0, 0, 2), "2025-12-31T23:59:59", "2026-01-01T00:00:00", False),
    ],
)
def test_where_periods_begin(keep: Keep, at: str, other: str, alike: bool) -> None:
    snapshots = [
        SnapshotFacts(text, "vol_a", datetime.fromisoformat(text).replace(tzinfo=UTC))
        for text in (at, other)
    ]
    assert (at not in wanted(snapshots, keep, NOW)) == alike


@given(ages, keeps)
def test_the_newest_is_always_wanted(ages: list[timedelta], keep: Keep) -> None:
    snapshots = series(ages)
    newest = max(snapshots, key=lambda facts: facts.stored_at, default=None)
    claims = wanted(snapshots, keep, NOW)
    kept = {facts.stored_at for facts in snapshots if facts.id in claims}
    assert newest is None or newest.stored_at in kept


@given(ages, keeps, keeps)
def test_a_stricter_keep_keeps_a_superset(ages: list[timedelta], keep: Keep, floor: Keep) -> None:
    snapshots = series(ages)
    for closed in (False, True):
        less = set(wanted(snapshots, keep, NOW, closed=closed))
        more = set(wanted(snapshots, keep.at_least(floor), NOW, closed=closed))
        assert less <= more


@given(ages, ages, keeps, st.booleans())
@settings(max_examples=300)
def test_what_was_let_go_is_never_wanted_again(
    ages: list[timedelta], later: list[timedelta], keep: Keep, closed: bool
) -> None:
    """Promotion loses nothing: what is wanted later was wanted all the time."""
    snapshots = series(ages)
    future = [
        SnapshotFacts(f"snap_later_{number}", "vol_a", NOW + timedelta(seconds=1) + age)
        for number, age in enumerate(later)
    ]
    end = NOW + timedelta(days=600)
    before = set(wanted(snapshots, keep, NOW, closed=closed))
    after = set(wanted([*snapshots, *future], keep, end, closed=closed))
    assert after & {facts.id for facts in snapshots} <= before
    # and what is collected in between changes nothing for the rest
    kept = [facts for facts in snapshots if facts.id in before]
    assert set(wanted([*kept, *future], keep, end, closed=closed)) == after


@given(ages, st.integers(1, 200), keeps)
def test_a_flood_within_an_hour_pushes_out_nothing_of_other_periods(
    ages: list[timedelta], flood: int, keep: Keep
) -> None:
    """However many come within an hour, they cost each class one place at most."""
    old = [facts for facts in series(ages) if facts.stored_at < NOW - timedelta(days=31)]
    burst = [
        SnapshotFacts(f"snap_flood_{number}", "vol_a", NOW - HOUR + (HOUR / 201) * number)
        for number in range(flood)
    ]
    one = set(wanted([*old, burst[-1]], keep, NOW))
    many = set(wanted([*old, *burst], keep, NOW))
    assert many == one


@given(ages, keeps)
def test_waiting_loses_nothing(ages: list[timedelta], keep: Keep) -> None:
    snapshots = series(ages)
    later = NOW + timedelta(days=5000)
    assert wanted(snapshots, keep, NOW) == wanted(snapshots, keep, later)


@given(ages, keeps)
def test_closed_volumes_age_by_the_calendar_to_nothing(ages: list[timedelta], keep: Keep) -> None:
    snapshots = series(ages)
    assert set(wanted(snapshots, keep, NOW, closed=True)) <= set(wanted(snapshots, keep, NOW))
    assert wanted(snapshots, keep, NOW + timedelta(days=400), closed=True) == {}


def test_volumes_do_not_compete() -> None:
    snapshots = [*series([HOUR], "vol_a"), *series([HOUR * 2], "vol_b")]
    assert len(wanted(snapshots, NOTHING, NOW)) == 2


def test_what_is_later_than_now_is_wanted_and_does_not_count() -> None:
    snapshots = series([-HOUR, HOUR])
    claims = wanted(snapshots, NOTHING, NOW)
    assert claims == {"snap_vol_a_0": {Claim.LATER}, "snap_vol_a_1": {Claim.NEWEST}}


# --- retained ------------------------------------------------------------------------------------

OPEN = Standing(NOTHING)


def keeping(standing: Standing | None, *, now: datetime = NOW, seen: datetime = NOW) -> set[str]:
    """Which of three snapshots (the second a final one) are retained, by number."""
    snapshots = series([DAY, DAY * 2, DAY * 3])
    second = snapshots[1]
    snapshots[1] = SnapshotFacts(second.id, second.volume, second.stored_at, final_for="tomb_x")
    standings = {} if standing is None else {"vol_a": standing}
    claims = retained(snapshots, standings, now=now, owner_seen=seen)
    return {identifier.rpartition("_")[2] for identifier in claims}


def test_an_open_volume_keeps_what_its_keep_says() -> None:
    assert keeping(OPEN) == {"0"}
    assert keeping(Standing(Keep(0, 2, 0, 0))) == {"0", "1"}


@pytest.mark.parametrize("why", ["vanished", "replaced", "tombstoned", "held"])
def test_a_frozen_volume_keeps_everything(why: str) -> None:
    assert keeping(Standing(NOTHING, frozen=why)) == {"0", "1", "2"}
    assert keeping(Standing(NOTHING, frozen=why, closed_at=NOW - DAY * 999)) == {"0", "1", "2"}


def test_a_volume_that_nobody_knows_keeps_everything() -> None:
    assert keeping(None) == {"0", "1", "2"}


def test_a_silent_owner_keeps_everything() -> None:
    silence = limits.OWNER_SILENCE
    assert keeping(OPEN, seen=NOW - silence) == {"0"}
    assert keeping(OPEN, seen=NOW - silence - timedelta(seconds=1)) == {"0", "1", "2"}


def test_a_closed_volume_keeps_its_final_snapshot_for_the_final_lock() -> None:
    closed = Standing(NOTHING, closed_at=NOW)
    end = NOW + limits.FINAL_LOCK_AFTER_PURGE
    assert keeping(closed) == {"1"}
    assert keeping(closed, now=end - timedelta(seconds=1), seen=end) == {"1"}
    assert keeping(closed, now=end, seen=end) == set()


def test_one_writers_snapshots_take_no_places_of_anothers() -> None:
    """A stolen key stores one at the end of each hour; the owner's are kept as before."""
    hours = [NOW + HOUR * n for n in range(48)]
    own = [SnapshotFacts(f"own-{n}", "vol", at, writer="own") for n, at in enumerate(hours)]
    late = timedelta(minutes=59)
    other = [
        SnapshotFacts(f"bad-{n}", "vol", at + late, writer="bad") for n, at in enumerate(hours)
    ]
    keep, now = Keep(), hours[-1] + HOUR
    alone = wanted(own, keep, now)
    assert {i: c for i, c in wanted([*own, *other], keep, now).items() if i in alone} == alone


# --- terms that change ---------------------------------------------------------------------------


def under(terms: Standing, snapshots: list[SnapshotFacts], now: datetime = NOW) -> set[str]:
    """The snapshots that are wanted while the owner is there."""
    return set(retained(snapshots, {"vol_a": terms}, now=now, owner_seen=now))


def test_keeping_less_lets_nothing_go_that_was_stored_before() -> None:
    """It goes as it would have gone; what came later goes by the new terms."""
    snapshots = series([n * HOUR for n in range(24)])
    many, few = Keep(hourly=24, daily=0, weekly=0, monthly=0), Keep(1, 0, 0, 0)
    assert len(under(Standing(many), snapshots)) == 24
    assert len(under(Standing(few), snapshots)) == 1
    changed = Standing(few, kept=((NOW - 6 * HOUR, many),))
    expected = {facts.id for facts in snapshots if facts.stored_at <= NOW - 6 * HOUR}
    assert under(changed, snapshots) == expected | {snapshots[0].id}


def test_keeping_more_asks_for_nothing_that_was_let_go() -> None:
    """What few terms let go may be gone from the store."""
    snapshots = series([n * HOUR for n in range(24)])
    many, few = Keep(24, 0, 0, 0), Keep(hourly=2, daily=0, weekly=0, monthly=0)
    changed = Standing(many, kept=((NOW - 6 * HOUR, few),))
    expected = {facts.id for facts in snapshots if facts.stored_at > NOW - 6 * HOUR}
    assert under(changed, snapshots) == expected


@given(ages, st.lists(st.tuples(st.integers(0, 400), keeps), max_size=3), keeps)
def test_a_snapshot_goes_by_the_terms_of_its_time(
    ages: list[timedelta], former: list[tuple[int, Keep]], keep: Keep
) -> None:
    """Exactly as if they had never changed; and what is let go is never asked for again."""
    changes = sorted(((NOW - days * DAY, terms) for days, terms in former), key=lambda c: c[0])
    standing = Standing(keep, kept=tuple(changes))
    snapshots = series(ages)
    found = under(standing, snapshots)
    for facts in snapshots:
        alone = under(Standing(standing.keep_of(facts.stored_at)), snapshots)
        assert (facts.id in found) == (facts.id in alone)
    later = [*snapshots, SnapshotFacts("snap_new", "vol_a", NOW + HOUR)]
    assert under(standing, later, NOW + 2 * HOUR) - {"snap_new"} <= found
