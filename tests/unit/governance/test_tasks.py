"""The book of tasks: whose they are, what they cover, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.governance.entries import BOT, NOW, ODD, entry, request
from vault.audit.entry import Entry, EntryKind
from vault.governance.facts import TaskFact
from vault.governance.intent import Task, Tasks
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.request import Request, Verb

TASK = Task(
    task="OPS-1",
    environment="production",
    assignees=("deploy-bot", "ann"),
    volumes=("preview-*", "vol_db"),
    until=NOW + timedelta(days=2),
)


def added(**changes: Any) -> Entry:
    """Somebody adds the task, or changes it."""
    task = msgspec.structs.replace(TASK, **changes)
    return entry(EntryKind.TASK_ADDED, msgspec.to_builtins(task))


def closed(name: str = "OPS-1", environment: str = "production") -> Entry:
    """Somebody closes it."""
    return entry(EntryKind.TASK_CLOSED, {"task": name, "environment": environment})


def book(*entries: Entry) -> Tasks:
    """The book after these entries."""
    tasks = Tasks()
    for one in entries:
        tasks.apply(one)
    return tasks


@pytest.mark.parametrize(
    ("wish", "expected", "says"),
    [
        (request(), TaskFact.FITS, ""),
        (request(volume="db"), TaskFact.FITS, ""),
        (request(who=Principal(PrincipalKind.HUMAN, "ann")), TaskFact.FITS, ""),
        (request(task=""), TaskFact.UNNAMED, "name the task"),
        (request(task="OPS-9"), TaskFact.UNKNOWN, "vault task add"),
        (request(task="ops-1"), TaskFact.UNKNOWN, "there is no task ops-1"),
        (request(environment="staging"), TaskFact.UNKNOWN, "there is no task OPS-1"),
        (
            request(who=Principal(PrincipalKind.AGENT, "other-bot")),
            TaskFact.NOT_ASSIGNED,
            "OPS-1 is assigned to deploy-bot, ann, not to other-bot",
        ),
        (request(volume="prod"), TaskFact.NOT_COVERING, "OPS-1 covers delete of preview-*, vol_db"),
        (request(Verb.REMOVE), TaskFact.NOT_COVERING, "OPS-1 covers delete"),
    ],
    ids=lambda value: value.value if isinstance(value, TaskFact) else None,
)
def test_how_a_task_fits(wish: Request, expected: TaskFact, says: str) -> None:
    """And in words what is amiss."""
    fact, why = book(added()).fact(wish, NOW)
    assert fact is expected
    assert says in why
    assert bool(why) == (expected is not TaskFact.FITS)


def test_a_task_ends() -> None:
    """By itself, at its very end, or when it is closed; added anew it is open."""
    tasks = book(added())
    assert TASK.until is not None
    assert tasks.fact(request(), TASK.until - timedelta(microseconds=1))[0] is TaskFact.FITS
    fact, why = tasks.fact(request(), TASK.until)
    assert fact is TaskFact.CLOSED
    assert why == "the task OPS-1 is closed since 2027-03-03T12:00:00Z"
    tasks.apply(closed(environment="staging"))
    tasks.apply(closed("OPS-2"))
    assert tasks.fact(request(), NOW)[0] is TaskFact.FITS
    tasks.apply(closed())
    assert tasks.fact(request(), NOW) == (TaskFact.CLOSED, "the task OPS-1 is closed")
    tasks.apply(added(until=None))
    assert tasks.fact(request(), NOW + timedelta(days=999))[0] is TaskFact.FITS


def test_the_same_name_elsewhere_is_another_task() -> None:
    """Each environment has its own."""
    tasks = book(added(), added(environment="staging", assignees=()))
    assert tasks.fact(request(), NOW)[0] is TaskFact.FITS
    fact, why = tasks.fact(request(environment="staging"), NOW)
    assert fact is TaskFact.NOT_ASSIGNED
    assert "assigned to nobody" in why
    assert [task.environment for task in tasks.all()] == ["production", "staging"]
    assert tasks.get("elsewhere", "OPS-1") is None


@given(ODD)
def test_odd_entries_are_skipped(odd: list[Entry]) -> None:
    """Never a failure, never a task that fits."""
    assert book(*odd).fact(request(who=BOT), NOW)[0] is not TaskFact.FITS
