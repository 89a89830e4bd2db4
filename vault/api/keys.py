"""The published keys of outside issuers, fetched by HTTP: seldom, little at a time, and kept.

Only URLs of vault.toml are ever asked; what a token says of where its keys are is not read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from vault.governance.biscuits import invalid

KEPT: Final = 3600.0
"""Seconds for which keys are believed without asking again."""

STALE: Final = 24 * 3600.0
"""Seconds for which they are believed while the issuer does not answer."""

INTERVAL: Final = 60.0
"""Seconds between two fetches of one issuer's, at least, whoever shows what."""

LARGEST: Final = 256 * 1024
_TIMEOUT: Final = 5.0


@dataclass(slots=True)
class _Kept:
    guard: threading.Lock = field(default_factory=threading.Lock)
    document: bytes = b""
    fetched: float = 0.0
    asked: float | None = None


class IssuerKeys:
    """A KeySource. `seconds` is a clock that only goes forward."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._guard = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def keys(self, url: str, *, fresh: bool = False) -> bytes:
        """See KeySource."""
        with self._guard:
            kept = self._kept.setdefault(url, _Kept())
        with kept.guard:
            now = self._seconds()
            young = kept.document and now - kept.fetched < KEPT
            due = kept.asked is None or now - kept.asked >= INTERVAL
            if due and (fresh or not young):
                kept.asked = now
                _renew(kept, url, now)
            if not kept.document or now - kept.fetched >= STALE:
                raise invalid(f"the keys at {url} cannot be had")
            return kept.document


def _renew(kept: _Kept, url: str, now: float) -> None:
    """Fetch; what cannot be had leaves what is known as it is."""
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT, follow_redirects=False) as answer:
            document = b""
            for part in answer.iter_bytes():
                document += part
                if len(document) > LARGEST:
                    return
            if answer.status_code == 200:
                kept.document, kept.fetched = document, now
    except (httpx.HTTPError, httpx.InvalidURL):
        return
