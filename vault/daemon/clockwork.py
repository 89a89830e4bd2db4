"""The clock that drives the daemon: it says when, never what; it stores no jobs.

It waits by the monotonic clock: setting the host's time, back or forth, holds up no strike.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def striking(beats: dict[float, Callable[[], None]]) -> Iterator[None]:
    """Call each function at its interval in seconds, in a thread of its own."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_strike, args=(over, seconds, call), daemon=True)
        for seconds, call in beats.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _strike(over: threading.Event, seconds: float, call: Callable[[], None]) -> None:
    while not over.wait(seconds):
        call()
