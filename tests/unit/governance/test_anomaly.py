"""What is unusual about a request, each signal by a recorded history."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.governance.entries import NOW
from vault.governance.anomaly import Past, signals

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def past(
    count: int = 1,
    *,
    last: datetime = NOW - DAY,
    every: timedelta = DAY,
    verb: str = "delete",
    allowed: bool = True,
) -> list[Past]:
    """So many requests about `db`, the last one then."""
    times = [last - every * back for back in reversed(range(count))]
    return [Past(verb=verb, volume="db", at=at, allowed=allowed) for at in times]


def seen(history: list[Past], volume: str = "db", now: datetime = NOW) -> dict[str, float]:
    """The signals of a delete now, with their numbers."""
    found = signals(history, "delete", volume, now)
    assert len({signal.name for signal in found}) == len(found)
    assert all(signal.says for signal in found)
    return {signal.name: signal.number for signal in found}


def test_habits_are_not_unusual() -> None:
    """The same thing at the same hour, day by day; and whoever has no past has no habits."""
    assert seen(past(200)) == {}
    assert seen([]) == {}
    assert seen(past(1)) == {}


def test_a_first_verb() -> None:
    """However many others there were; once it was asked for it is known, refused or not."""
    assert seen(past(7, verb="snapshot")) == {"first-verb": 7}
    (signal,) = signals(past(7, verb="snapshot"), "delete", "db", NOW)
    assert signal.says == "its first delete in 7 requests"
    assert seen([*past(7, verb="snapshot"), *past(allowed=False)]) == {}


def test_a_first_volume() -> None:
    """And what is about no volume is about no new one."""
    assert seen(past(3), "other") == {"first-volume": 3}
    assert seen(past(3), "") == {}


def test_an_unusual_hour() -> None:
    """Three hours from any that it was seen at, over midnight too; two are not."""
    for hours, expected in ((1, None), (2, None), (3, 3), (12, 12), (14, 10), (21, 3), (22, None)):
        now = NOW + timedelta(hours=hours)
        found = seen(past(20), now=now)
        assert found == ({} if expected is None else {"unusual-hour": expected}), hours
    assert seen(past(19), now=NOW + timedelta(hours=12)) == {}
    late = past(20, last=NOW.replace(hour=23) - DAY)
    assert seen(late, now=NOW.replace(hour=1)) == {}
    assert seen(late, now=NOW.replace(hour=2)) == {"unusual-hour": 3}


def test_an_unusual_rate() -> None:
    """Ten times as much in ten minutes as ever before; what is usual may be much."""
    burst = past(9, last=NOW - MINUTE, every=timedelta(seconds=10))
    assert seen([*past(20), *burst]) == {"unusual-rate": 10}
    assert seen([*past(20), *burst[1:]]) == {}
    (signal,) = signals([*past(20), *burst], "delete", "db", NOW)
    assert signal.says == "10 times its usual rate"
    busy = past(150, last=NOW - 11 * MINUTE, every=timedelta(minutes=2))
    assert seen([*busy, *burst]) == {}
    assert seen(past(10, last=NOW - MINUTE, every=timedelta(seconds=10))) == {}


def test_a_burst_hides_no_burst() -> None:
    """Where all that is looked at is the burst itself."""
    burst = past(200, last=NOW - timedelta(seconds=1), every=timedelta(seconds=1))
    assert seen(burst) == {"unusual-rate": 201}


def test_refusals_in_a_row() -> None:
    """Five; one that was let pass in between begins the count anew."""
    assert seen(past(4, allowed=False)) == {}
    assert seen(past(5, allowed=False)) == {"refusals": 5}
    history = [*past(9, allowed=False, last=NOW - 9 * DAY), *past(), *past(4, allowed=False)]
    assert seen(history) == {}


def test_signals_add_up() -> None:
    """Somebody else's hands: every one of them at once."""
    history = past(20, verb="snapshot", last=NOW - DAY)
    burst = past(12, verb="hold", allowed=False, last=NOW + 12 * timedelta(hours=1) - MINUTE)
    spread = [
        Past(verb=p.verb, volume="x", at=NOW + timedelta(hours=11, minutes=58), allowed=False)
        for p in burst
    ]
    night = NOW + timedelta(hours=12)
    found = seen([*history, *spread], "new", night)
    assert found.keys() == {"first-verb", "first-volume", "unusual-rate", "refusals"}
    assert seen(history, "new", night).keys() == {"first-verb", "first-volume", "unusual-hour"}


@given(
    st.lists(
        st.builds(
            Past,
            verb=st.sampled_from(("delete", "hold")),
            volume=st.sampled_from(("db", "other", "")),
            at=st.timedeltas(timedelta(0), timedelta(days=40)).map(lambda ago: NOW - ago),
            allowed=st.booleans(),
        ),
        max_size=60,
    ).map(lambda history: sorted(history, key=lambda one: one.at))
)
def test_any_history_can_be_read(history: list[Past]) -> None:
    """Numbers that mean something, never a failure."""
    assert all(number > 0 for number in seen(history).values())
