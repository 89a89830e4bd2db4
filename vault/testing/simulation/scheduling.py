"""Processes that take turns: exactly one runs, and which one is next is a throw of the dice.

A process is a thread that passes the baton on at calls of its ports. It can die at any of them:
then its memory is lost, and nothing that it still does while its stack unwinds has any effect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final

_SWITCH: Final = 0.25
"""How often a port call passes the baton on, where another process can take it."""
_PATIENCE: Final = 2000
"""So many turns in a row in which nobody gets further are a deadlock."""
_STANDSTILL: Final = 600
"""Seconds after which who has the turn waits for something that is no port's, for ever."""

_HERE: Final = threading.local()


class ProcessDied(BaseException):
    """What kill -9 is in here: no handler of errors catches it."""


class Violation(BaseException):
    """A promise is broken; nothing in the product may swallow that."""


@dataclass(slots=True, eq=False)
class Process:
    """One life of a process: `began` (true time), and `doom`, the port call at which it dies.

    `environment` is the only one that it reaches (empty: all); `effects` counts the events that it
    stored and the trees that it moved.
    """

    name: str
    doom: int = 0
    began: datetime | None = None
    environment: str = ""
    calls: int = 0
    effects: int = 0
    dead: bool = False
    error: BaseException | None = None
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: threading.Thread | None = None

    def kill(self) -> None:
        """Let it die at its next port call, or where it waits now."""
        self.dead = True


class Scheduler:
    """Runs processes by turns; `passing` is called at every port call (time passes in it)."""

    def __init__(
        self, dice: Random, passing: Callable[[], None], standstill: float = _STANDSTILL
    ) -> None:
        self._dice = dice
        self._passing = passing
        self._standstill = standstill
        self._back = threading.Semaphore(0)
        self._running: list[Process] = []
        self._stuck = 0

    def run(self, tasks: Sequence[tuple[Process, Callable[[], None]]]) -> None:
        """Run each task as a process until all have ended or died.

        What they raise is left in `error`; that they died is not an error.
        """
        if len(tasks) == 1:
            _live(*tasks[0])
            return
        self._stuck = 0
        for process, work in tasks:
            process.thread = threading.Thread(
                target=self._thread, args=(process, work), name=process.name, daemon=True
            )
            process.thread.start()
            self._running.append(process)
        while self._running:
            process = self._dice.choice(self._running)
            process.turn.release()
            if not self._back.acquire(timeout=self._standstill):
                raise Violation(f"deadlock: {process.name} waits, and for no port")
            if process.thread is None:
                self._running.remove(process)

    def reach(self, process: Process) -> None:
        """A port call: time passes, others may go first, and here a process dies."""
        if process.dead:
            raise ProcessDied
        if here() is not process:
            raise Violation(f"{process.name} works in a thread that no seed decides about")
        self._passing()
        self._stuck = 0
        process.calls += 1
        if process.calls == process.doom:
            process.dead = True
            raise ProcessDied
        if len(self._running) > 1 and self._dice.random() < _SWITCH:
            self._pass_on(process)

    def wait(self, process: Process) -> None:
        """Let others go on until something that they hold is free. Raises Violation."""
        self._stuck += 1
        if len(self._running) < 2 or self._stuck > _PATIENCE:
            raise Violation(f"deadlock: {process.name} waits for what nobody will let go")
        self._pass_on(process)

    def _pass_on(self, process: Process) -> None:
        self._back.release()
        process.turn.acquire()
        if process.dead:
            raise ProcessDied

    def _thread(self, process: Process, work: Callable[[], None]) -> None:
        process.turn.acquire()
        _live(process, work)
        process.thread = None
        self._back.release()


def here() -> Process | None:
    """The process that this thread is; None outside of the simulation."""
    return getattr(_HERE, "process", None)


def _live(process: Process, work: Callable[[], None]) -> None:
    _HERE.process = process
    try:
        work()
    except ProcessDied:
        process.dead = True
    except BaseException as error:  # noqa: BLE001 - handed to whoever started it
        process.error = error
    finally:
        _HERE.process = None
