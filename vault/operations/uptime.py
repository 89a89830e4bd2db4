"""Accumulated boot time of this host, kept beside the catalog: the clock that no one can set."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Final

import msgspec

from vault.lifecycle.uptime import Uptime
from vault.operations.unit import ReadUnit, exclusive
from vault.settings import usable

_CHECK_SIZE: Final = 16
_TOLD_SECONDS: Final = 1.0
"""What is not on disk yet is lost with the host: windows then last that much longer."""


def accumulated_uptime(unit: ReadUnit) -> float:
    """Observe the boot clock and return all seconds that this home has seen pass.

    Where the record is lost or damaged it begins at zero again: windows then last longer, never
    shorter.
    """
    path = unit.home / "uptime.json"
    with exclusive(unit.home, "uptime"), usable(unit.home):
        try:
            former = _read(path.read_bytes())
        except OSError:
            former = None
        observed = unit.clock.boot_time()
        uptime = former.observe(observed) if former else Uptime.start(observed)
        told = former is not None and former.boot == uptime.boot
        if former is not None and told and uptime.total - former.total < _TOLD_SECONDS:
            return uptime.total
        draft = path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(_written(uptime))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return uptime.total


def _written(uptime: Uptime) -> bytes:
    """JSON, a line, and a line with its digest: one digit more would shorten every window."""
    body = msgspec.json.encode(uptime)
    return body + b"\n" + _check(body) + b"\n"


def _read(data: bytes) -> Uptime | None:
    body, _, check = data.removesuffix(b"\n").rpartition(b"\n")
    try:
        return msgspec.json.decode(body, type=Uptime) if check == _check(body) else None
    except msgspec.DecodeError:
        return None


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_SIZE).hexdigest().encode()
