"""Tasks and maintenance windows: what work there is, whose it is, and when it may be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from vault.audit.entry import EntryKind
from vault.errors import TaskUnknown, UsageError, WindowUnknown
from vault.governance.intent import Task, Window
from vault.governance.recurrence import check_window, from_cron
from vault.governance.request import Verb
from vault.ids import match_prefix, new_id
from vault.operations.ledger import administer
from vault.operations.unit import RecordUnit, environments_here


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowItem:
    """A maintenance window, with when it opens next."""

    id: str
    environment: str
    rule: str
    zone: str
    lasts: timedelta
    opens_at: datetime | None


def add_task(unit: RecordUnit, task: Task) -> Task:
    """Add a task, or change it. Raises UsageError, Denied, ApprovalNeeded."""
    _check_environment(unit, task.environment)
    strange = sorted(set(task.verbs) - {verb.value for verb in Verb})
    if strange:
        raise UsageError(f"there are no verbs {', '.join(strange)}", hint="As in: --verb delete")
    if not task.task or not task.task.isprintable() or " " in task.task:
        raise UsageError(f"{task.task!r} cannot be a task's name", hint="As in: OPS-117")
    body = msgspec.to_builtins(task)
    administer(unit, Verb.TASK, EntryKind.TASK_ADDED, body, environment=task.environment)
    return get_task(unit, task.task, task.environment)


def close_task(unit: RecordUnit, name: str, environment: str) -> Task:
    """Nothing more is done for a task. Raises TaskUnknown."""
    get_task(unit, name, environment)
    body = {"task": name, "environment": environment}
    administer(unit, Verb.TASK, EntryKind.TASK_CLOSED, body, environment=environment)
    return get_task(unit, name, environment)


def tasks(unit: RecordUnit) -> tuple[Task, ...]:
    """Every task of the environments that are there, by name."""
    scope = unit.catalog.environment
    found = unit.catalog.audit.books().tasks.all()
    return tuple(task for task in found if scope in ("", task.environment))


def get_task(unit: RecordUnit, name: str, environment: str) -> Task:
    """One task of an environment. Raises TaskUnknown."""
    task = unit.catalog.audit.books().tasks.get(environment, name)
    if task is None or unit.catalog.environment not in ("", environment):
        raise TaskUnknown(f"there is no task “{name}”", hint="See what there is: vault task list")
    return task


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowWish:
    """A window to be: `when` is an RRULE or five cron fields, from `starts` on, in its zone."""

    environment: str
    when: str
    lasts: timedelta
    zone: str = "UTC"


def add_window(unit: RecordUnit, wish: WindowWish) -> WindowItem:
    """Add a window: from now on deletes of agents there wait for one. Raises UsageError."""
    _check_environment(unit, wish.environment)
    now = unit.reader.now()
    window = Window(
        window=new_id("win", now),
        environment=wish.environment,
        rule=wish.when if "FREQ=" in wish.when.upper() else from_cron(wish.when),
        starts=f"{now:%Y-%m-%dT00:00:00}",
        seconds=int(wish.lasts.total_seconds()),
        zone=wish.zone,
    )
    check_window(window)
    body = msgspec.to_builtins(window)
    administer(unit, Verb.WINDOW, EntryKind.WINDOW_ADDED, body, environment=wish.environment)
    return next(item for item in windows(unit) if item.id == window.window)


def remove_window(unit: RecordUnit, text: str) -> None:
    """Take a window away. Raises WindowUnknown."""
    there = windows(unit)
    found = match_prefix(text, (item.id for item in there)) if len(text) >= 6 else None
    window = next((item for item in there if item.id == found), None)
    if window is None:
        raise WindowUnknown(f"there is no window “{text}”", hint="See: vault window list")
    body = {"window": window.id, "environment": window.environment}
    administer(unit, Verb.WINDOW, EntryKind.WINDOW_REMOVED, body, environment=window.environment)


def windows(unit: RecordUnit) -> tuple[WindowItem, ...]:
    """Every window of the environments that are there, the oldest first."""
    scope, now = unit.catalog.environment, unit.reader.now()
    book = unit.catalog.audit.books().windows
    return tuple(
        WindowItem(
            id=window.window,
            environment=window.environment,
            rule=window.rule,
            zone=window.zone,
            lasts=timedelta(seconds=window.seconds),
            opens_at=book.next_open(window.environment, now),
        )
        for window in book.all()
        if scope in ("", window.environment)
    )


def _check_environment(unit: RecordUnit, environment: str) -> None:
    known = environments_here(unit)
    if environment not in known:
        raise UsageError(
            f"there is no environment “{environment}”", hint=f"There is: {', '.join(known)}."
        )
