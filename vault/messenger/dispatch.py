"""Sending to several receivers at once, for a bounded time whatever one of them does.

A receiver that is slow keeps its own thread busy and nobody else; it gets nothing more meanwhile.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from vault.clock import Clock
from vault.errors import VaultError
from vault.governance.notice import Notice


@dataclass(frozen=True, slots=True)
class Batch:
    """What one receiver is offered, in order; `send` says what was amiss, nothing where taken."""

    receiver: str
    send: Callable[[Notice], str]
    notices: Sequence[Notice]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one notice; without one, the receiver was not through in time."""

    receiver: str
    notice: str
    fault: str


@dataclass(slots=True, eq=False)
class _Turn:
    """One receiver's thread, and whether it is to stop after what it is sending."""

    receiver: str
    over: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is still sending."""
        return self.thread is not None and self.thread.is_alive()


@dataclass(slots=True)
class Dispatch:
    """Remembers which receivers are still busy with what they were sent before."""

    clock: Clock
    _turns: dict[str, _Turn] = field(default_factory=dict)
    _answers: queue.SimpleQueue[Answer | _Turn] = field(default_factory=queue.SimpleQueue)

    def late(self) -> Iterator[Answer]:
        """What was answered after its round was over."""
        while not self._answers.empty():
            answer = self._answers.get()
            if isinstance(answer, Answer):
                yield answer

    def deliver(self, batches: Sequence[Batch], seconds: float) -> Iterator[Answer]:
        """Send each receiver its notices, up to the first that it does not take.

        Answers come as they are known. A receiver that is not through after `seconds` is left to
        itself: what it still answers is told by `late`.
        """
        waiting: set[_Turn] = set()
        for batch in batches:
            if batch.receiver in self._turns and self._turns[batch.receiver].is_on:
                yield Answer(batch.receiver, "", "it has not answered what it was sent before")
                continue
            waiting.add(self._begin(batch))
        end = self.clock.boot_time().seconds + seconds
        while waiting:
            try:
                left = end - self.clock.boot_time().seconds
                answer = self._answers.get(timeout=max(0.0, left))
            except queue.Empty:
                break
            if isinstance(answer, Answer):
                yield answer
            else:
                waiting.discard(answer)
        for turn in waiting:
            turn.over.set()
            yield Answer(turn.receiver, "", f"it did not answer within {seconds:g} s")

    def _begin(self, batch: Batch) -> _Turn:
        turn = _Turn(batch.receiver)

        def work() -> None:
            for notice in batch.notices:
                fault = _sent(batch.send, notice)
                self._answers.put(Answer(batch.receiver, notice.id, fault))
                if fault or turn.over.is_set():
                    break
            self._answers.put(turn)

        turn.thread = threading.Thread(target=work, name=f"notify {batch.receiver}", daemon=True)
        self._turns[batch.receiver] = turn
        turn.thread.start()
        return turn


def _sent(send: Callable[[Notice], str], notice: Notice) -> str:
    try:
        return send(notice)
    except VaultError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - a hundred services' code; none may end a round
        return f"{type(error).__name__}: {error}"
