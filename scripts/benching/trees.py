"""The tree: first snapshot, unchanged, changed, check, restore, one file; to disk or to S3."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from benching import workload
from benching.contenders import Contender
from benching.measuring import first_byte, warm
from benching.race import Course, race, restore, run, snapshot
from benching.results import Results

STEPS: Final = {
    "first": "first snapshot",
    "unchanged": "nothing changed",
    "changed": "5% changed",
    "check": "check of all data",
    "restore": "full restore",
    "cat": "one file, first byte",
}


def measure(chosen: argparse.Namespace) -> None:
    """Run all steps of all contenders; `rgw` is with an S3 server on this machine."""
    base = workload.ready(chosen.where, chosen.files)
    words, needed = f"--files {chosen.files}", 2 * workload.MEAN * chosen.files
    remote = chosen.kind == "rgw"
    race(chosen, Course(words, STEPS, base / "live", needed, partial(_run, base), remote))


def _run(base: Path, contender: Contender, results: Results, label: str) -> None:
    """Measure every step; the tree is as before afterwards."""
    warm(base / "live")
    snapshot(contender, results, "first", label)
    snapshot(contender, results, "unchanged", label)
    change = workload.Change(base)
    change.apply()
    try:
        snapshot(contender, results, "changed", label)
        results.note(contender.name, "check", run(contender, contender.check()))
        restore(contender, results)
        _cat(contender, results)
    finally:
        change.undo()


def _cat(contender: Contender, results: Results) -> None:
    paths = workload.files_below(contender.live)
    path = Path(paths[len(paths) // 2])
    words = contender.cat(str(path.relative_to(contender.live)))
    waited, figures, data = first_byte(words)
    assert data == path.read_bytes(), words
    results.note(contender.name, "cat", replace(figures, wall=round(waited, 3)))
