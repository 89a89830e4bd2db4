"""Many files beside a tenth of them, of the same kind: whether time is linear and memory flat."""

from __future__ import annotations

import argparse
import os
import shutil
from typing import Final

from benching import workload
from benching.contenders import KINDS, Contender
from benching.measuring import fresh, timed, warm
from benching.race import restore
from benching.results import Results, Sheet, table

STEPS: Final = {
    "first": "first snapshot",
    "unchanged": "nothing changed",
    "restore": "full restore",
}
MEAN: Final = 1000
"""Bytes a file: a million of them leave room on a common disk."""
_ON_DISK: Final = 10_000  # bytes a file that repository and restore may take


def measure(chosen: argparse.Namespace) -> None:
    """Run the steps on both trees, the smaller one first; the peers only on the larger one."""
    sizes = (chosen.files // 10, chosen.files)
    bases = [workload.ready(chosen.where, size, MEAN) for size in sizes]
    peers = [name for name in chosen.peers.split(",") if name not in ("", "none")]
    needed = _ON_DISK * (sum(sizes) + chosen.files * len(peers)) * chosen.rounds
    if shutil.disk_usage(chosen.where).free < needed:
        raise SystemExit(f"{chosen.where} has not the room that {chosen.files} files may take")
    sheet, folder = Sheet(chosen.out), fresh(chosen.where)
    results, heads = Results(sheet, "million"), dict[str, str]()
    few, many = (f"{size:,} files" for size in sizes)
    for number in range(chosen.rounds):
        runs = [(few, "vault", bases[0]), *((many, name, bases[1]) for name in ("vault", *peers))]
        for who, name, base in runs:
            contender = KINDS[name](folder / f"{name}-{base.name}-{number}", base / "live")
            heads[name] = contender.version()
            _run(contender, results, who if name == "vault" else name)
    rows = [
        [title if unit == "s" else "", unit, *_row(results, sheet, (few, many, *peers), step, unit)]
        for step, title in STEPS.items()
        for unit in ("s", "peak MiB")
    ]
    others = [*(heads[name] for name in peers), *["ratio"][: len(peers)]]
    lines = table(["", "", few, many, "times", *others], rows)
    words = f"--files {chosen.files} --peers {','.join(peers) or 'none'} --rounds {chosen.rounds}"
    sheet.table(f"`scripts/bench million {words}`", lines)
    print(f"Repositories and restored trees are in {folder}; delete it for the room it takes.")


def _row(results: Results, sheet: Sheet, who: tuple[str, ...], step: str, unit: str) -> list[str]:
    """Few and many files, how many times as much that is, and what the peers take for the many."""
    few, many, *others = (results.median(name, step, unit) or 0.0 for name in who)
    digits = 2 if unit == "s" else 0
    cells = [f"{few:.{digits}f}", f"{many:.{digits}f}", f"{many / few:.2f}"]
    if others:
        ratio = min(others) / many if unit == "s" else many / min(others)
        if unit == "s":
            sheet.row({"chart": "million", "step": STEPS[step], "ratio": round(ratio, 3)})
        share = f"{ratio:.2f} ×{' as fast' * (unit == 's')}"
        cells += [*(f"{other:.{digits}f}" for other in others), share]
    return cells


def _run(contender: Contender, results: Results, who: str) -> None:
    for call in contender.setup():
        timed(call)
    warm(contender.live)
    for step in ("first", "unchanged"):
        os.sync()
        results.note(who, step, timed(contender.snapshot(step)))
    restore(contender, results, who)
