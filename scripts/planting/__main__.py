"""Plants each bug into a copy of this checkout, lives many lives there, and says who was caught."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from planting.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", "*_cache")


def main() -> int:
    """Run it; 1 where a bug survived or a place has changed."""
    parser = argparse.ArgumentParser(prog="scripts/plant", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="lives for each (300)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S", help="the first")
    parser.add_argument("--steps", type=int, default=30, metavar="K", help="steps in each (30)")
    parser.add_argument("--only", default="", metavar="WORDS", help="bugs whose name has these")
    given = parser.parse_args()
    chosen = [bug for bug in BUGS if given.only in bug.name]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="vault-plant-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        for bug in chosen:
            verdict = try_one(copy, bug, (given.first, given.seeds, given.steps))
            missed += not verdict.startswith("CAUGHT")
            print(f"{verdict}\n    {bug.path}: {bug.name}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs were caught by the simulator")
    return 1 if missed else 0


def try_one(copy: Path, bug: Bug, lives: tuple[int, int, int]) -> str:
    """Plant one, simulate until a promise breaks, and take it out again."""
    file = copy / bug.path
    text = file.read_text("utf-8")
    if text.count(bug.right) != 1:
        return "NOT PLANTED: what it replaces is not there, or more than once"
    file.write_text(text.replace(bug.right, bug.wrong), "utf-8")
    first, seeds, steps = map(str, lives)
    words = ["--from", first, "--seeds", seeds, "--steps", steps, "--first-failure"]
    done = subprocess.run(
        [sys.executable, "-m", "vault.testing.simulation", *words],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    file.write_text(text, "utf-8")
    if done.returncode == 0:
        return f"SURVIVED {seeds} lives"
    found = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    return f"CAUGHT: {found[0]}" if found else f"NOT RUN: {done.stderr[-300:]}"


if __name__ == "__main__":
    sys.exit(main())
