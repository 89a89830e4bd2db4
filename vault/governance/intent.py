"""Intent: the tasks that requests name, and the windows in which environments let them be done.

When a window is open, `vault.governance.recurrence` says; it is loaded where there are windows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec

from vault import governance
from vault.audit.entry import Entry, EntryKind
from vault.clock import format_time
from vault.errors import UsageError
from vault.governance.facts import TaskFact, WindowFact
from vault.governance.request import Request

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
        return (
            WindowFact.OPEN
            if any(governance.recurrence.is_open(w, now) for w in own)
            else WindowFact.CLOSED
        )

    def next_open(self, environment: str, now: datetime) -> datetime | None:
        """When the next window opens there; None where none ever does."""
        own = [window for window in self._windows.values() if window.environment == environment]
        times = (next(governance.recurrence.openings(window, now), None) for window in own)
        return min((at for at in times if at is not None), default=None)


def _usable(window: Window | None, entry: Entry) -> Window:
    """A window that cannot be used never opens: without it the environment would ask for none."""
    try:
        if window is not None:
            governance.recurrence.check_window(window)
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


def read_body(entry: Entry, kind: Any) -> Any:
    """An entry's body as a struct of this kind; None for one that is not well-formed."""
    try:
        return msgspec.convert(entry.body, kind)
    except msgspec.ValidationError:
        return None
