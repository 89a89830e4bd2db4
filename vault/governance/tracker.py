"""Trackers: what one elsewhere says of a task that vault does not know.

It is asked by `vault.tracker`; here its answer becomes a task, or words for why it is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from vault.governance.intent import Task, Tracked

_FOUND: Final = 200
_NONE: Final = (404, 410)
_REDIRECTS: Final = range(300, 400)
_NAME_MAX: Final = 200


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: `failure` says in words why nothing did, and is empty where something did."""

    status: int = 0
    body: bytes = b""
    failure: str = ""


Tracker: TypeAlias = Callable[[str, str], Answer]
"""Asks about a task: its environment and its name. It never raises, and ends in bounded time."""


def may_be_asked(name: str) -> bool:
    """Whether this can be a task's name at all: nothing else is sent to anybody."""
    return 0 < len(name) <= _NAME_MAX and name.isprintable() and " " not in name


def read_answer(answer: Answer, environment: str, name: str) -> Tracked:
    """The task, or what is amiss: missing, redirected, unreadable, late, about another one."""
    if answer.failure:
        return f"the tracker {answer.failure}"
    if answer.status in _NONE:
        return f"there is no task {name}, here or in the tracker"
    if answer.status in _REDIRECTS:
        return f"the tracker sends elsewhere ({answer.status}), which is not followed"
    if answer.status != _FOUND:
        return f"the tracker answered {answer.status}"
    try:
        task = msgspec.json.decode(answer.body, type=Task)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return f"the tracker's answer cannot be read: {error}"
    if (task.environment, task.task) != (environment, name):
        return "the tracker answered about another task"
    return task
