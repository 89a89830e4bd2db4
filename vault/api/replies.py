"""Idempotency keys: the same request sent again gets the answer that it got before.

Kept in memory, so many at most; after a restart a repeated delete still finds its own tombstone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from starlette.exceptions import HTTPException

from vault.api.models import Deletion

KEPT: Final = 10_000

Who = tuple[str, str]
"""A caller: the environment that they reach (empty for all), and their name."""


class Replies:
    """Answers by caller and key: what one asked elsewhere is no answer here."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: OrderedDict[tuple[Who, str], tuple[tuple[str, ...], Deletion]] = OrderedDict()

    def find(self, caller: Who, key: str, request: tuple[str, ...]) -> Deletion | None:
        """What this request was answered before. Raises HTTPException (422) for another."""
        with self._guard:
            kept = self._kept.get((caller, key)) if key else None
        if kept is None:
            return None
        if kept[0] != request:
            raise HTTPException(422, "this idempotency key came with another request before")
        return kept[1]

    def keep(self, caller: Who, key: str, request: tuple[str, ...], answer: Deletion) -> None:
        """Remember what was done; what only waits for people is asked anew each time."""
        if not key or answer.state == "awaiting_approval":
            return
        with self._guard:
            self._kept[caller, key] = (request, answer)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
