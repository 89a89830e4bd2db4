"""Fuzz every parser in turn for its share of a time; each find is shown with its seed.

Usage: scripts/fuzz [--minutes N] [--seed TEXT] [--only NAME]
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import signal
import sys
import time
import traceback
from random import Random
from types import FrameType
from typing import Any, Final

from tests.fuzz.targets import TARGETS, Target

MEMORY: Final = 2 << 30
"""Bytes of address space for all of it: a parser that wants more fails."""
PATIENCE: Final = 10
"""Seconds of processor time that one input may take."""
FINDS: Final = 5
"""Kinds of find of one parser, after which the next one has its turn."""


class Hang(Exception):
    """One input took too long."""


def main(words: list[str]) -> int:
    """Returns the exit status: 1 where there was a find."""
    given = _parser().parse_args(words)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _too_long)
    chosen = [target for target in TARGETS if given.only in ("", target.name)]
    share, found = 60 * given.minutes / max(1, len(chosen)), 0
    print(f"seed {given.seed}, {share:.0f} s for each of {len(chosen)} parsers", flush=True)
    for target in chosen:
        found += campaign(target, given.seed, share)
    print(f"{found} finds", flush=True)
    return 1 if found else 0


def campaign(target: Target, seed: str, seconds: float) -> int:
    """Try one parser for so long; how many kinds of find there were."""
    end, number, accepted = time.monotonic() + seconds, 0, 0
    finds: set[str] = set()
    while time.monotonic() < end and len(finds) < FINDS:
        number += 1
        given = target.mutated(Random(f"{seed} {target.name} {number}"))
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
        try:
            accepted += target.check(given)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} {place.filename}:{place.lineno}"
            if what not in finds:
                finds.add(what)
                _tell(target, number, given, error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    told = f"{number} inputs, {accepted} accepted, {len(finds)} finds, peak {peak} MiB"
    print(f"{target.name}: {told}", flush=True)
    return len(finds)


def _tell(target: Target, number: int, given: Any, error: Exception) -> None:
    try:
        told = repr(given)[:2000]
    except RecursionError:
        told = "nested too deeply to be shown"
    print(f"\nFIND: {target.name}, input {number}: {told}", flush=True)
    traceback.print_exception(error, limit=-6, file=sys.stdout)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {PATIENCE} s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz every parser.")
    parser.add_argument("--minutes", type=float, default=10, help="for all of them together")
    seed = os.environ.get("VAULT_TEST_SEED") or secrets.token_hex(4)
    parser.add_argument("--seed", default=seed, help="repeats a run")
    parser.add_argument("--only", default="", help="the name of one parser")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
