"""The places where the product meets the outside, led into a simulated world instead."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cached_property
from typing import Any, Final

from vault import compose
from vault.library import Vault
from vault.operations import isolation
from vault.provider import Provider
from vault.store.contract import Reader
from vault.store.locks import LockTerms
from vault.store.opening import Right, compose_store
from vault.testing.simulation.disk import NAME
from vault.testing.simulation.scheduling import here
from vault.testing.simulation.threads import without_threads
from vault.testing.simulation.world import World

_ROLES: Final = {
    "reader": "reader",
    "writer": "writer",
    "recorder": "purger",
    "reaper": "collector",
}
_DEFAULT_TERMS: Final = LockTerms()


@contextmanager
def living_in(world: World) -> Iterator[None]:
    """Until this is left, stores, clocks, disks, locks, threads and chance are this world's."""
    flock = fcntl.flock

    def open_store(
        _url: str, *, right: Right, clock: Any, profile: object = None, terms: Any = _DEFAULT_TERMS
    ) -> Reader:
        del profile
        return compose_store(world.wire(_ROLES[right]), right=right, clock=clock, terms=terms)

    def providers() -> dict[str, Provider]:
        return {NAME: world.provider()}

    def lock(handle: int, how: int) -> None:
        """Waiting for another process is passing the baton on."""
        process = here()
        while process is not None and how == fcntl.LOCK_EX:
            try:
                return flock(handle, how | fcntl.LOCK_NB)
            except BlockingIOError:
                world.scheduler.wait(process)
        return flock(handle, how)

    def login(user: int) -> pwd.struct_passwd:
        """Each person has a login of their own, called like them."""
        process = here()
        name = process.name.partition(" ")[0] if process is not None else "nobody"
        return pwd.struct_passwd((name, "x", user, user, "", "/", "/bin/sh"))

    with ExitStack() as stack:
        stack.enter_context(without_threads())
        for owner, name, instead in (
            (compose, "open_store", open_store),
            (compose, "establish_store", lambda *_words, **_named: None),
            (compose, "installed_providers", providers),
            (compose, "SystemClock", lambda: world.host),
            (isolation, "named_profiles", lambda _environ: frozenset[str]()),  # not this machine's
            (fcntl, "flock", lock),
            (pwd, "getpwuid", login),
            (os, "urandom", world.random_bytes),
            (secrets, "token_bytes", world.random_bytes),
        ):
            stack.enter_context(_replaced(owner, name, instead))
        for found in _cached(Vault):  # up to Python 3.11 all vaults of a process wait here
            if hasattr(found, "lock"):
                stack.enter_context(_replaced(found, "lock", nullcontext()))
        yield


def _cached(owner: type) -> Iterator[cached_property[Any]]:
    """What instances work out once, wherever it was inherited from."""
    for part in owner.__mro__:
        yield from (found for found in vars(part).values() if isinstance(found, cached_property))


@contextmanager
def _replaced(owner: object, name: str, instead: object) -> Iterator[None]:
    former = getattr(owner, name)
    setattr(owner, name, instead)
    try:
        yield
    finally:
        setattr(owner, name, former)
