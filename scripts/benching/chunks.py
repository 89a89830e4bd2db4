"""A small volume in a store that knows of millions of chunks, beside the same in an empty one.

The chunks are made, not waited for: their index objects are what a writer of this home would have
stored, signed and sealed; the packs they speak of are not there. A snapshot reads no pack but its
own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

from benching.contenders import Vault
from benching.measuring import fresh, timed
from benching.results import Results, Sheet, table
from benching.workload import SEED

STEPS: Final = {"first": "first snapshot of 33 MB", "unchanged": "nothing changed"}


def measure(chosen: argparse.Namespace) -> None:
    """Snapshots of small volumes in turn in both stores; each round another volume."""
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    results, names = Results(sheet, "chunks"), ["empty", "full"]
    vaults = []
    for name in names:
        vault = Vault(folder / name, _volume(folder / f"{name}-0", 0))
        for call in vault.setup():
            timed(call)
        vaults.append(vault)
    home, count = str(vaults[1].own_home), str(chosen.chunks)
    filling = [sys.executable, "-m", "benching.filling", home, count, vaults[1].store]
    subprocess.run(filling, check=True)
    for name, vault in zip(names, vaults, strict=True):
        figures = timed(vault.snapshot(""))  # the full one's local index learns of the chunks
        sheet.row({"bench": "chunks", "who": name, "step": "index filled once"}, figures)
    for number in range(1, chosen.rounds + 1):
        for name, vault in zip(names, vaults, strict=True):
            live = _volume(folder / f"{name}-{number}", number)
            timed(vault.vault("volume", "add", f"v{number}", str(live)))
            for step in STEPS:
                os.sync()
                results.note(name, step, timed(vault.vault("snapshot", f"v{number}")))
    rows = []
    for step, title in STEPS.items():
        for unit, digits in (("s", 2), ("peak MiB", 0)):
            empty, full = (results.median(name, step, unit) or 0.0 for name in names)
            cells = [f"{empty:.{digits}f}", f"{full:.{digits}f}", f"{full / empty:.2f}"]
            rows.append([title if unit == "s" else "", unit, *cells])
    head = ["", "", "empty store", f"{chosen.chunks:,} chunks", "times"]
    words = f"--chunks {chosen.chunks} --rounds {chosen.rounds}"
    sheet.table(f"`scripts/bench chunks {words}`", table(head, rows))


def _volume(folder: Path, number: int) -> Path:
    """200 files of 5 kB and one of 32 MB; other bytes for each number."""
    folder.mkdir()
    dice = Random(SEED + number)
    for count in range(200):
        (folder / f"{count:03d}").write_bytes(dice.randbytes(5000))
    with open(folder / "large", "wb", buffering=0) as file:
        file.writelines(dice.randbytes(1_000_000) for _ in range(32))
    return folder
