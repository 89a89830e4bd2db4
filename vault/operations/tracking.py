"""Tracking: the task that a request names, where only an external tracker may know it."""

from __future__ import annotations

from vault.governance.intent import Tracked
from vault.governance.request import DESTRUCTIVE, Verb
from vault.governance.tracker import may_be_asked, read_answer
from vault.operations.unit import LocalUnit


def look_up(unit: LocalUnit, verb: Verb, environment: str, task: str) -> Tracked | None:
    """What the tracker says of a task; None where it is not asked, as vault's own book knows.

    It may take as long as a tracker may: nothing should be held meanwhile that others wait for.
    """
    if unit.tracker is None or verb not in DESTRUCTIVE or not may_be_asked(task):
        return None
    if unit.catalog.audit.books().tasks.get(environment, task) is not None:
        return None
    return read_answer(unit.tracker(environment, task), environment, task)
