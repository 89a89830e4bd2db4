"""One large file of random bytes: first snapshot, 3 bytes inserted near its beginning, restore."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from benching.contenders import Contender
from benching.measuring import warm
from benching.race import Course, race, restore, snapshot
from benching.results import Results
from benching.workload import SEED, made_apart

STEPS: Final = {"first": "first snapshot", "inserted": "3 bytes inserted", "restore": "restore"}
_BLOCK: Final = 16 << 20
_AT: Final = 1000
"""Where the bytes are inserted: nearly all of the file moves on."""
_UNITS: Final = {"M": 20, "G": 30}


def measure(chosen: argparse.Namespace) -> None:
    """Run all steps of all contenders."""
    base = ready(chosen.where, chosen.size)
    needed = 2 * _bytes(chosen.size)
    race(chosen, Course(f"--size {chosen.size}", STEPS, base / "live", needed, partial(_run, base)))


def ready(where: Path, size: str) -> Path:
    """The folder with both states of the file; either is moved into `live` for its snapshot."""
    base = where / f"big-{size}"
    if not (base / "made").exists():
        made_apart(where, "--size", size)
    if not ((base / "a").exists() and (base / "b").exists()):
        raise SystemExit(f"a run was broken off in {base}: move it away, and it is made anew")
    return base


def make(base: Path, size: str) -> None:
    """Make both states."""
    (base / "live").mkdir(parents=True, exist_ok=True)
    dice, whole = Random(SEED), _bytes(size)
    with open(base / "a", "wb") as first, open(base / "b", "wb") as second:
        for at in range(0, whole, _BLOCK):
            block = dice.randbytes(min(_BLOCK, whole - at))
            first.write(block)
            second.write(block[:_AT] + b"new" + block[_AT:] if at == 0 else block)
    (base / "made").touch()


def _bytes(size: str) -> int:
    return int(size[:-1]) << _UNITS[size[-1]]


def _run(base: Path, contender: Contender, results: Results, label: str) -> None:
    for step, state in (("first", "a"), ("inserted", "b")):
        os.replace(base / state, base / "live" / "file")
        try:
            warm(base / "live")
            snapshot(contender, results, step, label)
            if state == "b":
                restore(contender, results)
        finally:
            os.replace(base / "live" / "file", base / state)
