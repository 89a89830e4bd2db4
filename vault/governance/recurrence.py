"""When maintenance windows open: recurrence rules and time zones.

A window opens by an iCalendar recurrence rule (RFC 5545) in its own time zone and stays open for
its duration. Local times are kept over changes of daylight saving time: a time that does not exist
that day is read with the offset before the gap, one that comes twice opens at the first of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import rrule

from vault.errors import UsageError

if TYPE_CHECKING:
    from vault.governance.intent import Window

_LONGEST: Final = timedelta(days=7)
_FREQUENCIES: Final = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_CRON: Final = re.compile(r"\*|\d{1,2}(,\d{1,2})*")
_PARTS: Final = frozenset(
    ("FREQ", "BYMINUTE", "BYHOUR", "BYSECOND", "BYDAY", "BYMONTHDAY", "BYMONTH", "WKST")
)
"""What a rule may say: no COUNT, no INTERVAL, so that it can be read from any day on."""

_DAYS: Final = {
    "WEEKLY": ({"BYDAY"},),
    "MONTHLY": ({"BYDAY"}, {"BYMONTHDAY"}),
    "YEARLY": ({"BYMONTH", "BYDAY"}, {"BYMONTH", "BYMONTHDAY"}),
}
"""What says on which days: a rule without it would take them from the day it is read from."""

_AHEAD: Final = timedelta(days=366 * 5)
"""How far ahead an opening is looked for: the 29th of February comes within that."""

_SHIFT: Final = timedelta(hours=3)
"""More than any change of daylight saving: by so much openings may be out of order."""


def from_cron(text: str) -> str:
    """The rule of five cron fields: minute, hour, day of month, month, day of week.

    Plain numbers, lists and `*` alone, and days of the month or of the week, not both: programs
    differ in what that would mean. Raises UsageError.
    """
    fields = text.split()
    names = ("BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYMONTH", "BYDAY")
    if len(fields) != len(names) or not all(_CRON.fullmatch(field) for field in fields):
        raise _refused(f"“{text}” is neither a rule nor five cron fields", "0 3 * * 6")
    if fields[0] == "*":
        raise _refused("a window opens at a minute that is named", "0 3 * * 6")
    if "*" not in (fields[2], fields[4]):
        raise _refused("days of the month and of the week exclude each other", "0 3 * * 6")
    days = ("SU", "MO", "TU", "WE", "TH", "FR", "SA", "SU")
    parts = ["FREQ=HOURLY" if fields[1] == "*" else "FREQ=DAILY"]
    for name, field in zip(names, fields, strict=True):
        if field == "*":
            continue
        numbers = [int(number) for number in field.split(",")]
        if name == "BYDAY":
            if max(numbers) >= len(days):
                raise _refused("days of the week are 0 to 7", "0 3 * * 6")
            parts.append(f"BYDAY={','.join(days[number] for number in numbers)}")
        else:
            parts.append(f"{name}={field}")
    return ";".join([*parts, "BYSECOND=0"])


def is_open(window: Window, now: datetime) -> bool:
    """Whether a window is open at `now`."""
    span = timedelta(seconds=window.seconds)
    begun = next(openings(window, now - span), None)
    return begun is not None and begun <= now


def openings(window: Window, after: datetime) -> Iterator[datetime]:
    """When a window opens behind a moment, in order (UTC)."""
    waiting: list[datetime] = []
    for opened in _unordered(window, after):
        waiting = sorted({*waiting, opened})
        while waiting[0] <= opened - _SHIFT:
            yield waiting.pop(0)
    yield from waiting


def _unordered(window: Window, after: datetime) -> Iterator[datetime]:
    """The same in the order of local times: what falls into a gap is read behind what follows."""
    if not window.rule:
        return
    zone = ZoneInfo(window.zone)
    local = after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
    starts = datetime.fromisoformat(window.starts)
    begin = max(starts, local.replace(hour=0, minute=0, second=0, microsecond=0))
    rule = _parse(window.rule, begin, begin + _AHEAD)
    for at in rule.xafter(local, inc=True):
        opened = at.replace(tzinfo=zone).astimezone(UTC)  # fold 0: the first of two, the later gap
        if opened > after:
            yield opened


def check_window(window: Window) -> None:
    """Raises UsageError where a window cannot be: its rule, zone or duration."""
    try:
        ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _refused(f"there is no time zone “{window.zone}”", "Europe/Berlin") from None
    if not 0 < window.seconds <= _LONGEST.total_seconds():
        raise _refused("a window lasts longer than nothing and at most 7 days", "--for 2h")
    parts = dict(part.partition("=")[::2] for part in window.rule.upper().split(";"))
    if parts.get("FREQ") not in _FREQUENCIES or not parts.keys() <= _PARTS:
        told = ", ".join(sorted(_PARTS))
        raise _refused(f"“{window.rule}” is no rule of {told}", "FREQ=DAILY;BYHOUR=3")
    days = _DAYS.get(parts["FREQ"], (set[str](),))
    if not any(named <= parts.keys() for named in days):
        told = " or ".join(" and ".join(sorted(named)) for named in days)
        raise _refused(f"“{window.rule}” does not say on which days", f"a rule with {told}")
    try:
        begin = datetime.fromisoformat(window.starts)
        if next(iter(_parse(window.rule, begin, begin + _AHEAD)), None) is None:
            raise ValueError("no day is like this")
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _refused(f"“{window.rule}”: {error}", "FREQ=WEEKLY;BYDAY=SA;BYHOUR=3") from None


def _parse(rule: str, starts: datetime, until: datetime) -> rrule.rrule:
    parsed = rrule.rrulestr(f"{rule};UNTIL={until:%Y%m%dT%H%M%S}", dtstart=starts)
    if not isinstance(parsed, rrule.rrule):
        raise ValueError("one rule, no set of them")
    return parsed


def _refused(message: str, example: str) -> UsageError:
    return UsageError(message, safe="Nothing was changed.", hint=f"Write it as in: {example}")
