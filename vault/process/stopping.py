"""Signals as facts to look at: stop after the present step, read the settings again."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType
from typing import Final


class Word(Enum):
    """What a process is told: by a signal, or by its own clockwork."""

    TICK = "tick"
    RELOAD = "reload"
    STOP = "stop"


class Inbox:
    """The words that wait for the main thread; a stop overtakes all others and stays."""

    def __init__(self) -> None:
        # A SimpleQueue may be written to from within a signal handler.
        self._words: Final[queue.SimpleQueue[Word]] = queue.SimpleQueue()
        self.stopping = False

    def tell(self, word: Word) -> None:
        """Leave a word, from any thread or signal handler."""
        if word is Word.STOP:
            self.stopping = True
        self._words.put(word)

    def wait(self, seconds: float | None = None) -> Word | None:
        """Take the next word; None when there was none in time."""
        if self.stopping:
            return Word.STOP
        try:
            word = self._words.get(timeout=seconds)
        except queue.Empty:
            return None
        return self._latest(word)

    def _latest(self, word: Word) -> Word:
        return Word.STOP if self.stopping else word


@contextmanager
def signals_to(inbox: Inbox) -> Iterator[None]:
    """Send SIGTERM, SIGINT and SIGHUP to the inbox; a second SIGTERM or SIGINT ends at once.

    To end at once is safe too: what is half done is resumed at the next start.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        if inbox.stopping:
            raise KeyboardInterrupt
        inbox.tell(Word.STOP)

    def reload(_number: int, _frame: FrameType | None) -> None:
        inbox.tell(Word.RELOAD)

    wanted = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    former = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
