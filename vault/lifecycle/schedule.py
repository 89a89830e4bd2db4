"""When a schedule strikes next: cron (five fields or `@daily`) or `every 15m`. All in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from vault.clock import parse_span
from vault.errors import UsageError

SHORTEST: Final = timedelta(minutes=1)
"""The shortest interval between two strikes; cron cannot say less either."""
LONGEST: Final = timedelta(days=3650)
"""The longest: beyond it someone has mistyped, and in the end no year is left to strike in."""

_CHARACTERS: Final = 1000
"""A hostile writer's could be a megabyte long, and is read whenever something may be due."""
_NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAY_NAMES: Final = "sun mon tue wed thu fri sat"
_NO_NAMES: Final[Mapping[str, int]] = {}
_PART: Final = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?")
_EPOCH_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HORIZON_DAYS: Final = 366 * 8
"""A leap day can be eight years away."""


class Cron(msgspec.Struct, frozen=True):
    """The five fields as sets of numbers; Sunday is 0.

    `either` says that both day fields are restricted: then a day that fits one of them is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def after(self, at: datetime) -> datetime | None:
        """The first strike later than `at` (UTC); None where there is none in eight years."""
        minute = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for _ in range(_HORIZON_DAYS):
            if self._fits_day(minute):
                strike = self._in_day(minute)
                if strike is not None:
                    return strike
            minute = minute.replace(hour=0, minute=0) + timedelta(days=1)
        return None

    def _fits_day(self, at: datetime) -> bool:
        if at.month not in self.months:
            return False
        by_date = at.day in self.days
        by_name = at.isoweekday() % 7 in self.weekdays
        return by_date or by_name if self.either else by_date and by_name

    def _in_day(self, at: datetime) -> datetime | None:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                if (hour, minute) >= (at.hour, at.minute):
                    return at.replace(hour=hour, minute=minute)
        return None


def next_after(schedule: str, at: datetime) -> datetime:
    """The first strike later than `at`. Intervals lie on a grid counted from 1970.

    Raises UsageError where the schedule cannot be read or never strikes.
    """
    parsed = parse_schedule(schedule)
    utc = at.astimezone(UTC)
    if isinstance(parsed, timedelta):
        return _EPOCH_ZERO + ((utc - _EPOCH_ZERO) // parsed + 1) * parsed
    strike = parsed.after(utc)
    if strike is None:
        raise _unreadable(schedule, "it never strikes")
    return strike


@lru_cache(maxsize=1024)
def parse_schedule(schedule: str) -> Cron | timedelta:
    """Read a schedule; whoever takes one from a person checks it here. Raises UsageError."""
    if len(schedule) > _CHARACTERS:
        raise _unreadable(schedule[:_CHARACTERS], "it is too long")
    text = " ".join(schedule.lower().split())
    if text.startswith("every "):
        interval = parse_span(text.removeprefix("every "))
        if interval < SHORTEST:
            raise _unreadable(schedule, "an interval is one minute at least")
        if interval > LONGEST:
            raise _unreadable(schedule, f"an interval is {LONGEST.days}d at most")
        return interval
    fields = _NAMED.get(text, text).split(" ")
    if len(fields) != 5:
        raise _unreadable(schedule, "it has not five fields")
    minutes, hours, days, months, weekdays = fields
    try:
        return Cron(
            _numbers(minutes, 0, 59),
            _numbers(hours, 0, 23),
            _numbers(days, 1, 31),
            _numbers(months, 1, 12, _named(_MONTH_NAMES, 1)),
            frozenset(day % 7 for day in _numbers(weekdays, 0, 7, _named(_DAY_NAMES, 0))),
            not days.startswith("*") and not weekdays.startswith("*"),
        )
    except ValueError as error:
        raise _unreadable(schedule, str(error)) from None


def _numbers(
    text: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES
) -> frozenset[int]:
    """One field: `*`, `5`, `1-5`, `*/15`, `mon-fri`, or a list of these. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"“{part}” is no part of a cron field")
        star, start, end, stride = match.groups()
        begin = low if star else _number(start, names)
        stop = high if star or (stride and not end) else _number(end or start, names)
        if not low <= begin <= stop <= high or stride == "0":
            raise ValueError(f"“{part}” is outside {low}-{high}")
        found.update(range(begin, stop + 1, int(stride or 1)))
    return frozenset(found)


def _named(names: str, first: int) -> Mapping[str, int]:
    return {name: first + place for place, name in enumerate(names.split())}


def _number(text: str, names: Mapping[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"“{text}” is not a number")
    return int(text)


def _unreadable(schedule: str, why: str) -> UsageError:
    return UsageError(
        f"“{schedule}” is no schedule: {why}",
        hint="Write cron (“0 * * * *”, “@daily”) or an interval (“every 15m”).",
    )
