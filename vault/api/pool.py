"""Opened vaults for the threads that answer requests: one a request, reused, never shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Final

from vault.errors import VaultError

if TYPE_CHECKING:
    from vault.clock import Clock
    from vault.library import Vault
    from vault.process.logs import PolicyLog

RENEW_SECONDS: Final = 30.0
"""So long a vault is used before it looks for a newer charter: a revoked key ends within that."""


class Pool:
    """Hands out vaults of one home. `clock` tells when one is to look at the charter again.

    Whoever looks at that also looks at the home's own rules, and `policy` says what is wrong there.
    """

    def __init__(self, open_vault: Callable[[], Vault], clock: Clock, policy: PolicyLog) -> None:
        self._open = open_vault
        self._clock = clock
        self._policy = policy
        self._idle: LifoQueue[tuple[Vault, float]] = LifoQueue()
        self._all: list[Vault] = []
        self._guard = threading.Lock()

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        """One for the time of a request. Raises VaultError where none can be opened."""
        now = self._clock.boot_time().seconds
        try:
            vault, renewed = self._idle.get_nowait()
        except Empty:
            vault, renewed = self._open(), now
            with self._guard:
                self._all.append(vault)
            self._watch(vault)
        try:
            if now - renewed > RENEW_SECONDS:
                vault.renew()
                renewed = now
                self._watch(vault)
            yield vault
        finally:
            self._idle.put((vault, renewed))

    def _watch(self, vault: Vault) -> None:
        with suppress(VaultError):  # what is wrong beside the rules is told by what is asked for
            self._policy.say(vault.oversight.watch_policy())

    def close(self) -> None:
        """Close them all; nobody may use one any more."""
        with self._guard:
            while self._all:
                self._all.pop().close()
