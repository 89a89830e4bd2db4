"""The command behind scripts/simulate."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from vault.testing.simulation.life import STEPS, Outcome, live
from vault.testing.simulation.many import simulate, told

_ABOUT: Final = """\
Live a vault's life in simulation: daemon, purger, collector, operators, users, agents, an attacker
work for weeks on a simulated store and disk, with lost answers, late and repeated requests, stale
listings, wrong clocks, power cuts and processes that die; an oracle that knows what was
acknowledged looks at every change. Everything follows from the seed.
"""
_EXAMPLES: Final = """\
examples:
  scripts/simulate --seeds 200                 seeds 0 to 199
  scripts/simulate --seeds 5000 --from 1000 --jobs 2
  scripts/simulate --replay 1234               one seed again, with its whole story

Status 1 where a promise was broken; the seed, the commit and the command to replay it are printed.
"""


def main(words: list[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds (100)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S", help="the first")
    parser.add_argument(
        "--steps", type=int, default=STEPS, metavar="K", help=f"steps in a life ({STEPS})"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes at once (1)")
    parser.add_argument("--first-failure", action="store_true", help="stop at the first failure")
    parser.add_argument("--replay", type=int, metavar="SEED", help="live one seed's life again")
    given = parser.parse_args(words)
    if given.replay is not None:
        return _replay(given.replay, given.steps)

    def heard(outcome: Outcome) -> None:
        if outcome.failure:
            print(told(outcome, given.steps), flush=True)
            if given.first_failure:
                raise SystemExit(1)

    seeds = range(given.first, given.first + given.seeds)
    total = simulate(seeds, given.steps, jobs=given.jobs, heard=heard)
    print(total)
    return 1 if total.failures else 0


def _replay(seed: int, steps: int) -> int:
    outcome = live(seed, steps)
    print("\n".join(outcome.trace))
    print(told(outcome, steps, last=0) if outcome.failure else f"all is well: {outcome.digest}")
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main())
