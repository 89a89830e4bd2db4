"""Maintenance windows: RRULE and cron, and what daylight saving does to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.governance.entries import NOW, ODD, entry
from vault.audit.entry import Entry, EntryKind
from vault.errors import UsageError
from vault.governance.facts import WindowFact
from vault.governance.intent import Window, Windows
from vault.governance.recurrence import check_window, from_cron, is_open, openings

BERLIN = "Europe/Berlin"
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


def window(rule: str, *, lasts: timedelta = HOUR, zone: str = BERLIN, **terms: Any) -> Window:
    """A window of production, from the first day of 2027 on."""
    made = Window(
        window=str(terms.get("name", "win_1")),
        environment="production",
        rule=rule,
        starts=str(terms.get("starts", "2027-01-01T00:00:00")),
        seconds=int(lasts.total_seconds()),
        zone=zone,
    )
    check_window(made)
    return made


def at(text: str) -> datetime:
    """A time in UTC, as in `03-28 01:00` of 2027."""
    return datetime.fromisoformat(f"2027-{text}:00+00:00")


def first(rule: str, after: str, count: int = 1, **terms: Any) -> list[datetime]:
    """The next times at which a window opens."""
    return list(islice(openings(window(rule, **terms), at(after)), count))


def added(made: Window) -> Entry:
    """Somebody adds a window."""
    return entry(EntryKind.WINDOW_ADDED, msgspec.to_builtins(made), environment="production")


def book(*entries: Entry) -> Windows:
    """The book after these entries."""
    windows = Windows()
    for one in entries:
        windows.apply(one)
    return windows


# --- daylight saving -----------------------------------------------------------------------------


def test_a_local_time_stays_over_both_changes() -> None:
    """Three in the morning in Berlin: one hour earlier by UTC in summer."""
    assert first(from_cron("0 3 * * *"), "03-27 00:00", 3) == [
        *(at("03-27 02:00"), at("03-28 01:00"), at("03-29 01:00"))
    ]
    assert first(from_cron("0 3 * * *"), "10-30 00:00", 3) == [
        *(at("10-30 01:00"), at("10-31 02:00"), at("11-01 02:00"))
    ]


def test_a_time_that_does_not_exist_opens_by_the_offset_before() -> None:
    """On March 28 two o'clock is followed by three: half past two is half past three."""
    made = window(from_cron("30 2 * * *"), lasts=timedelta(minutes=20))
    assert next(openings(made, at("03-28 00:00"))) == at("03-28 01:30")
    assert not is_open(made, at("03-28 01:30") - INSTANT)
    assert is_open(made, at("03-28 01:30"))
    assert is_open(made, at("03-28 01:50") - INSTANT)
    assert not is_open(made, at("03-28 01:50"))


def test_a_time_that_comes_twice_opens_at_the_first() -> None:
    """On October 31 half past two comes twice, an hour apart."""
    made = window(from_cron("30 2 * * *"), lasts=timedelta(minutes=20))
    assert is_open(made, at("10-31 00:30"))
    assert is_open(made, at("10-31 00:50") - INSTANT)
    assert not is_open(made, at("10-31 00:50"))
    assert not is_open(made, at("10-31 01:30"))
    assert first(from_cron("30 2 * * *"), "10-31 00:30") == [at("11-01 01:30")]


def test_a_window_over_a_change_lasts_as_long_as_it_says() -> None:
    """Three hours are three hours, whatever the clocks show."""
    made = window(from_cron("0 1 * * *"), lasts=3 * HOUR)
    for opens in (at("03-28 00:00"), at("10-30 23:00")):
        assert is_open(made, opens)
        assert is_open(made, opens + 3 * HOUR - INSTANT)
        assert not is_open(made, opens + 3 * HOUR)


def test_what_falls_into_the_gap_hides_nothing_that_follows() -> None:
    """Half past two is read as half past three: three o'clock still comes before."""
    made = window(from_cron("0,30 2,3 * * *"), lasts=timedelta(minutes=10))
    found = list(islice(openings(made, at("03-28 00:00")), 4))
    assert found == [at("03-28 01:00"), at("03-28 01:30"), at("03-29 00:00"), at("03-29 00:30")]
    assert is_open(made, at("03-28 01:05"))


@given(
    st.sampled_from(("0 * * * *", "30 2 * * *", "0,30 1,2,3 * * *", "15 2 * * 0", "0 0 28,31 * *")),
    st.sampled_from((BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")),
    st.integers(0, 2 * 365 * 24 * 60),
)
def test_openings_rise_and_are_never_missed(cron: str, zone: str, minutes: int) -> None:
    """Whenever they are asked for: each is open at its moment and not before, unless by another."""
    made = window(from_cron(cron), zone=zone, lasts=timedelta(minutes=5))
    after = at("01-01 00:00") + timedelta(minutes=minutes)
    found = list(islice(openings(made, after), 6))
    assert all(one < other for one, other in pairwise(found))
    assert found[0] > after
    for opened in found:
        assert is_open(made, opened)
        assert not is_open(made, opened - INSTANT)
        assert not is_open(made, opened + timedelta(minutes=5))
    later = [moment for moment in openings(made, found[2] - INSTANT) if moment <= found[5]]
    assert later == found[2:]


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=SA;BYHOUR=3;BYMINUTE=0", "03-06 03:00"),
        ("FREQ=MONTHLY;BYDAY=1SA;BYHOUR=3", "03-06 03:00"),
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=22;BYMINUTE=15", "03-26 22:15"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=4", "03-31 04:00"),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;BYHOUR=5", "12-24 05:00"),
        ("FREQ=HOURLY;BYMINUTE=10", "03-01 12:10"),
        ("freq=daily;byhour=3", "03-02 03:00"),
        (from_cron("5 4 * * *"), "03-02 04:05"),
        (from_cron("0 3 * * 6"), "03-06 03:00"),
        (from_cron("0 3 * * 0"), "03-07 03:00"),
        (from_cron("0 3 * * 7"), "03-07 03:00"),
        (from_cron("0 3 15 * *"), "03-15 03:00"),
        (from_cron("0 3 1 4,10 *"), "04-01 03:00"),
        (from_cron("5  *  *  *  *"), "03-01 12:05"),
        (from_cron("10,40 * * * *"), "03-01 12:10"),
    ],
)
def test_a_rule_opens_when_it_says(rule: str, expected: str) -> None:
    """From any moment on, as from its first day."""
    assert first(rule, "03-01 12:00", zone="UTC") == [at(expected)]


def test_the_29th_of_february_is_found() -> None:
    """Years ahead."""
    found = first("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3", "03-01 12:00", zone="UTC")
    assert found == [datetime(2028, 2, 29, 3, tzinfo=UTC)]


def test_nothing_opens_before_its_first_day() -> None:
    """It was not agreed on yet."""
    starts = "2027-06-01T00:00:00"
    assert first("FREQ=DAILY;BYHOUR=3", "03-01 12:00", zone="UTC", starts=starts) == [
        at("06-01 03:00")
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "0 3 * *", "0 3 * * * *", "*/5 * * * *", "0 3 * * SAT", "0-5 3 * * *", "0 3 * * 8"),
        *(
            "@daily",
            "* 3 * * 6",
            "0 3 ? * 6",
            "a b c d e",
            "0 3 1 * 6",
            "-1 3 * * *",
            "0,,5 3 * * *",
        ),
    ],
)
def test_odd_crons_are_refused(text: str) -> None:
    """Whatever programs read differently is written out."""
    with pytest.raises(UsageError):
        from_cron(text)


@pytest.mark.parametrize(
    "rule",
    [
        *("", "DAILY", "FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=DAILY;COUNT=3", "FREQ=FORTNIGHTLY"),
        *("FREQ=DAILY;INTERVAL=2", "FREQ=DAILY;UNTIL=20280101T000000", "FREQ=DAILY;BYHOUR=25"),
        *("FREQ=DAILY;BYHOUR=x", "FREQ=DAILY;BYMINUTE=75", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;"),
        *("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=13", "FREQ=WEEKLY;BYHOUR=3"),
        *("FREQ=MONTHLY;BYHOUR=3", "FREQ=YEARLY;BYMONTH=3", "FREQ=YEARLY;BYDAY=SA"),
        *("FREQ=DAILY;BYHOUR=3\nRDATE:20270301T120000", "FREQ=DAILY\nDTSTART:20270101T000000"),
        *("RRULE:FREQ=DAILY", "FREQ=DAILY;BYSETPOS=1", "FREQ=DAILY;BYHOUR="),
    ],
)
def test_odd_rules_are_refused(rule: str) -> None:
    """What never opens, counts from its begin, or takes its days from the day it is read."""
    with pytest.raises(UsageError):
        window(rule)


def test_odd_terms_are_refused() -> None:
    """Zones that are not there, durations of nothing or of weeks, a begin in a zone of its own."""
    for terms in (
        {"zone": "Mars/Olympus"},
        {"zone": ""},
        {"zone": "../../etc/passwd"},
        {"lasts": timedelta(0)},
        {"lasts": -HOUR},
        {"lasts": timedelta(days=7, seconds=1)},
        {"starts": "today"},
        {"starts": "2027-01-01T00:00:00+01:00"},
    ):
        with pytest.raises(UsageError):
            window("FREQ=DAILY;BYHOUR=3", **terms)


_PARTS = st.sampled_from(
    (
        *(
            "FREQ=DAILY",
            "FREQ=WEEKLY",
            "FREQ=HOURLY",
            "BYHOUR=3",
            "BYHOUR=-1",
            "BYDAY=MO",
            "BYDAY=",
        ),
        *("BYMONTHDAY=31", "BYMONTHDAY=0", "BYMONTH=2", "BYMINUTE=60", "WKST=SU", "WKST=9", "="),
    )
)


@given(st.lists(_PARTS | st.text(max_size=6), max_size=5).map(";".join))
def test_any_text_is_a_rule_or_refused(rule: str) -> None:
    """And what is not refused opens some day."""
    try:
        made = window(rule, zone="UTC")
    except UsageError:
        return
    assert next(openings(made, at("01-01 00:00"))) > at("01-01 00:00")


# --- the book ------------------------------------------------------------------------------------


def test_an_environment_asks_for_a_window_where_it_has_one() -> None:
    """Any that is open is enough."""
    windows = book()
    assert windows.fact("production", NOW) is WindowFact.NOT_ASKED
    windows.apply(added(window("FREQ=DAILY;BYHOUR=3", zone="UTC")))
    assert windows.fact("production", NOW) is WindowFact.CLOSED
    assert windows.fact("staging", NOW) is WindowFact.NOT_ASKED
    assert windows.next_open("production", NOW) == at("03-02 03:00")
    assert windows.next_open("staging", NOW) is None
    windows.apply(added(window("FREQ=DAILY;BYHOUR=12", zone="UTC", name="win_2")))
    assert windows.fact("production", NOW) is WindowFact.OPEN
    windows.apply(entry(EntryKind.WINDOW_REMOVED, {"window": "win_2"}))
    assert windows.fact("production", NOW) is WindowFact.CLOSED
    windows.apply(entry(EntryKind.WINDOW_REMOVED, {"window": "win_1"}))
    assert windows.fact("production", NOW) is WindowFact.NOT_ASKED


@pytest.mark.parametrize(
    "changes",
    [
        *({"rule": "nonsense"}, {"rule": None}, {"zone": "Mars/Olympus"}, {"starts": "never"}),
        *({"seconds": "long"}, {"seconds": -1}, {"window": None}, {"rule": "FREQ=SECONDLY"}),
    ],
    ids=str,
)
def test_a_window_that_cannot_be_used_never_opens(changes: dict[str, Any]) -> None:
    """And is not overlooked: the environment asked for one."""
    body = msgspec.to_builtins(window("FREQ=HOURLY", zone="UTC")) | changes
    windows = book(entry(EntryKind.WINDOW_ADDED, body, environment="production"))
    for hours in range(25):
        assert windows.fact("production", NOW + hours * HOUR) is WindowFact.CLOSED
    assert windows.next_open("production", NOW) is None


@given(ODD)
def test_odd_entries_never_fail(odd: list[Entry]) -> None:
    """Whatever they hold."""
    windows = book(*odd)
    assert windows.fact("production", NOW) in WindowFact
    assert len(windows.all()) <= len(odd)
