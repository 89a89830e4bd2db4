"""Is this store write-once? It is tried, with the credential in use, on a canary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vault.clock import Clock, format_span
from vault.limits import CLOCK_TOLERANCE
from vault.store.address import parse_address
from vault.store.opening import probe_module, store_module

Verdict = Literal["refused", "accepted", "enforced", "not enforced", "unsupported"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried or looked at, and what came of it.

    `refused` is good and `accepted` a breach, whatever the server answered: it is what became of
    the locked canary that counts. `enforced`, `not enforced` and `unsupported` (not tried) tell
    of properties that are no breach of write-once.
    """

    name: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a store was seen to do. `passed`: nothing that destroys was accepted.

    `isolated`: it stands apart from the host and devices of the volumes.
    """

    store: str
    passed: bool
    isolated: bool
    checks: tuple[Check, ...]


Volumes = Sequence[tuple[str, str | Path]]
"""The name and place on this host of each volume that the store protects."""


def attest(
    url: str, *, clock: Clock, profile: str | None = None, volumes: Volumes = ()
) -> Attestation:
    """Try everything that a write-once store must refuse; put back what a bad one let happen.

    Leaves a canary of a few bytes that is locked for ten minutes. Raises StoreUnreachable,
    StoreDenied, StoreAddressInvalid and their like where nothing could be tried.
    """
    address = parse_address(url)
    store = store_module(address).open_at(address, profile, clock)
    probe = probe_module(address)
    apart: Check = probe.apart(address, volumes)
    tried: tuple[Check, ...] = tuple(probe.tries(address, profile, clock))
    away = abs(store.now() - clock.now())
    time = Check(
        "clock",
        "enforced" if store.clocked and away <= CLOCK_TOLERANCE else "not enforced",
        f"the store's clock and the host's are {format_span(away)} apart"
        if store.clocked
        else "the store has no clock of its own: windows count accumulated boot time alone",
    )
    passed = bool(tried) and all(check.verdict != "accepted" for check in tried)
    return Attestation(store.address, passed, apart.verdict == "enforced", (*tried, time, apart))
