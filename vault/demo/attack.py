"""An attacker: for some seconds, delete everything below the paths given, as fast as it goes."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vault.clock import SystemClock

NOBODY: Final = 65534
"""The user id that owns nothing, on every Unix of today."""


@dataclass(slots=True)
class Loot:
    """What an attack did."""

    attempts: int = 0
    deleted: int = 0
    bytes: int = 0


def attack(paths: tuple[Path, ...], seconds: float, uid: int | None) -> Loot:
    """Attack in a process of its own, as user `uid` where one is given, and wait for its end."""
    SystemClock().boot_time()  # loads what the other user may not be able to load
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _become(uid)
            os.write(writing, json.dumps(asdict(_rage(paths, seconds))).encode("ascii"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    return Loot(**json.loads(told)) if told else Loot()


def _become(uid: int | None) -> None:
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def _rage(paths: tuple[Path, ...], seconds: float) -> Loot:
    clock, loot = SystemClock(), Loot()
    end = clock.boot_time().seconds + seconds
    while clock.boot_time().seconds < end:
        for path in paths:
            _destroy(str(path), loot)
        clock.sleep(0.001)
    return loot


def _destroy(path: str, loot: Loot) -> None:
    """Delete depth first, after trying to take every right that stands in the way."""
    loot.attempts += 1
    with suppress(OSError):
        if not os.path.islink(path) and os.path.isdir(path):
            with suppress(OSError):
                os.chmod(path, 0o777)
            for entry in list(os.scandir(path)):
                _destroy(entry.path, loot)
            os.rmdir(path)
            return
    with suppress(OSError):
        size = os.lstat(path).st_size
        os.unlink(path)
        loot.deleted, loot.bytes = loot.deleted + 1, loot.bytes + size
