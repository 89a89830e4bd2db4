"""Intent: the tasks that requests name, and the windows in which environments let them be done.

A window opens by an iCalendar recurrence rule (RFC 5545) in its own time zone and stays open for
its duration. Local times are kept over changes of daylight saving time: a time that does not exist
that day is read with the offset before the gap, one that comes twice opens at the first of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from dateutil import rrule

from vault.audit.entry import Entry, EntryKind
from vault.clock import format_time
from vault.errors import UsageError
from vault.governance.facts import TaskFact, WindowFact
from vault.governance.request import Request

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

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time of day somewhere is none: only one with an offset can be compared."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work that somebody assigned: who may do what to which volumes, until when.

    `volumes` are names, ids or patterns such as `preview-*`; `assignees` names of identities.
    """

    task: str
    title: str = ""
    environment: str = ""
    assignees: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("delete",)
    until: Moment | None = None
    closed: bool = False


Tracked: TypeAlias = Task | str
"""What an external tracker says of a task that is not in the book: the task, or what is amiss."""


class Tasks:
    """The book of tasks."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, str], Task] = {}

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        if entry.kind is EntryKind.TASK_ADDED:
            task = read_body(entry, Task)
            if task is not None:
                self._tasks[task.environment, task.task] = task
        elif entry.kind is EntryKind.TASK_CLOSED:
            name = (str(entry.body.get("environment", "")), str(entry.body.get("task", "")))
            if name in self._tasks:
                self._tasks[name] = msgspec.structs.replace(self._tasks[name], closed=True)

    def all(self) -> list[Task]:
        """Every task, by name."""
        return [self._tasks[name] for name in sorted(self._tasks)]

    def get(self, environment: str, name: str) -> Task | None:
        """One task by its exact name."""
        return self._tasks.get((environment, name))

    def fact(
        self, request: Request, now: datetime, tracked: Tracked | None = None
    ) -> tuple[TaskFact, str]:
        """How the task that a request names fits it, and in words what is amiss.

        What a tracker says counts only for a task that this book does not know.
        """
        if not request.task:
            return TaskFact.UNNAMED, "name the task that it belongs to"
        task = self._tasks.get((request.environment, request.task)) or tracked
        if task is None:
            return TaskFact.UNKNOWN, f"there is no task {request.task}; add it: vault task add"
        if isinstance(task, str):
            return TaskFact.UNKNOWN, task
        return _fit(task, request, now)


def _fit(task: Task, request: Request, now: datetime) -> tuple[TaskFact, str]:
    if task.closed or (task.until is not None and now >= task.until):
        when = f" since {format_time(task.until)}" if task.until and not task.closed else ""
        return TaskFact.CLOSED, f"the task {task.task} is closed{when}"
    who = request.principal.name
    if who not in task.assignees:
        whose = ", ".join(task.assignees) or "nobody"
        return TaskFact.NOT_ASSIGNED, f"{task.task} is assigned to {whose}, not to {who}"
    if request.verb.value not in task.verbs or not covers(task.volumes, request):
        what = f"{', '.join(task.verbs)} of {', '.join(task.volumes) or 'nothing'}"
        return TaskFact.NOT_COVERING, f"{task.task} covers {what}"
    return TaskFact.FITS, ""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance window; `rule` is an RRULE with its DTSTART's local time in `starts`."""

    window: str
    environment: str
    rule: str
    starts: str
    seconds: int
    zone: str = "UTC"


class Windows:
    """The book of maintenance windows."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        if entry.kind is EntryKind.WINDOW_ADDED:
            window = read_body(entry, Window)
            self._windows[entry.id if window is None else window.window] = _usable(window, entry)
        elif entry.kind is EntryKind.WINDOW_REMOVED:
            self._windows.pop(str(entry.body.get("window", "")), None)

    def all(self) -> list[Window]:
        """Every window, the oldest first."""
        return [self._windows[name] for name in sorted(self._windows)]

    def fact(self, environment: str, now: datetime) -> WindowFact:
        """Whether a window is open there; not asked where the environment has none."""
        own = [window for window in self._windows.values() if window.environment == environment]
        if not own:
            return WindowFact.NOT_ASKED
        return WindowFact.OPEN if any(is_open(w, now) for w in own) else WindowFact.CLOSED

    def next_open(self, environment: str, now: datetime) -> datetime | None:
        """When the next window opens there; None where none ever does."""
        own = [window for window in self._windows.values() if window.environment == environment]
        times = (next(openings(window, now), None) for window in own)
        return min((at for at in times if at is not None), default=None)


def _usable(window: Window | None, entry: Entry) -> Window:
    """A window that cannot be used never opens: without it the environment would ask for none."""
    try:
        if window is not None:
            check_window(window)
            return window
    except UsageError:
        pass
    name, environment = (
        (entry.id, entry.environment) if window is None else (window.window, window.environment)
    )
    return Window(window=name, environment=environment, rule="", starts="", seconds=0)


def covers(patterns: Sequence[str], request: Request) -> bool:
    """Whether one of these names, ids or patterns is the request's volume."""
    own = (request.volume, request.volume_id)
    return any(_fits(pattern, name) for pattern in patterns for name in own if name)


def _fits(pattern: str, name: str) -> bool:
    """Whether a name is this one; `*` stands for any characters, and nothing else for others."""
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), name) is not None


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


def read_body(entry: Entry, kind: Any) -> Any:
    """An entry's body as a struct of this kind; None for one that is not well-formed."""
    try:
        return msgspec.convert(entry.body, kind)
    except msgspec.ValidationError:
        return None


def _parse(rule: str, starts: datetime, until: datetime) -> rrule.rrule:
    parsed = rrule.rrulestr(f"{rule};UNTIL={until:%Y%m%dT%H%M%S}", dtstart=starts)
    if not isinstance(parsed, rrule.rrule):
        raise ValueError("one rule, no set of them")
    return parsed


def _refused(message: str, example: str) -> UsageError:
    return UsageError(message, safe="Nothing was changed.", hint=f"Write it as in: {example}")
