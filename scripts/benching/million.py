"""Many files beside a tenth of them, of the same kind: whether time is linear and memory flat."""

from __future__ import annotations

import argparse
import os
import shutil
from typing import Final

from benching import workload
from benching.contenders import Vault
from benching.measuring import fresh, same, timed, warm
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
    """Run the steps on both trees; a round is both, the smaller one first."""
    sizes = (chosen.files // 10, chosen.files)
    bases = [workload.ready(chosen.where, size, MEAN) for size in sizes]
    if shutil.disk_usage(chosen.where).free < _ON_DISK * sum(sizes) * chosen.rounds:
        raise SystemExit(f"{chosen.where} has not the room that {chosen.files} files may take")
    sheet, folder = Sheet(chosen.out), fresh(chosen.where)
    results = Results(sheet, "million")
    for number in range(chosen.rounds):
        for base, size in zip(bases, sizes, strict=True):
            vault = Vault(folder / f"{size}-{number}", base / "live")
            _run(vault, results, f"{size:,}")
    few, many = (f"{size:,}" for size in sizes)
    rows = []
    for step, title in STEPS.items():
        for unit, digits in (("s", 2), ("peak MiB", 0)):
            one, ten = (results.median(who, step, unit) or 0.0 for who in (few, many))
            head = title if unit == "s" else ""
            rows.append([head, unit, f"{one:.{digits}f}", f"{ten:.{digits}f}", f"{ten / one:.2f}"])
    lines = table(["", "", f"{few} files", f"{many} files", "times"], rows)
    words = f"--files {chosen.files} --rounds {chosen.rounds}"
    sheet.table(f"`scripts/bench million {words}`", lines)
    print(f"Repositories and restored trees are in {folder}; delete it for the room it takes.")


def _run(vault: Vault, results: Results, who: str) -> None:
    for call in vault.setup():
        timed(call)
    warm(vault.live)
    for step in ("first", "unchanged"):
        os.sync()
        results.note(who, step, timed(vault.snapshot(step)))
    target = vault.base / "restored"
    os.sync()
    results.note(who, "restore", timed(vault.restore(target)))
    same(vault.live, target)
