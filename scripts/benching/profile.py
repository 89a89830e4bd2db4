"""Where a step of vault spends its time, by py-spy: the functions of ours that threads are busy in.

$PYSPY names the program where it is not on PATH (`pip install py-spy`).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from benching import workload
from benching.contenders import Vault
from benching.measuring import Call, fresh, timed
from benching.results import Sheet, table

_RATE: Final = 200  # looks a second
_SHOWN: Final = 20
_FRAME: Final = re.compile(r"(?P<name>\S+) \((?P<path>(?:vault|adapters)/.*?)(?::\d+)?\)$")
_THREAD: Final = re.compile(r"vault-[a-z]+")


def measure(chosen: argparse.Namespace) -> None:
    """Run the steps before the chosen one, that one under py-spy; print its busiest functions."""
    base = workload.ready(chosen.where, chosen.files)
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    vault, change = Vault(folder / "vault", base / "live"), workload.Change(base)
    for call in vault.setup():
        timed(call)
    sum(map(len, workload.blocks(base / "live")))  # warm
    if chosen.step != "first":
        timed(vault.snapshot("first"))
    if chosen.step == "changed":
        change.apply()
    path = workload.files_below(base / "live")[chosen.files // 2]
    calls = {
        "check": vault.check(),
        "restore": vault.restore(folder / "restored"),
        "cat": vault.cat(path.removeprefix(f"{base}/live/")),
    }
    samples = folder / "samples"
    os.sync()
    try:
        figures = timed(_spied(calls.get(chosen.step) or vault.snapshot(""), samples))
    finally:
        if chosen.step == "changed":
            change.undo()
    sheet.row({"bench": "profile", "step": chosen.step}, figures)
    counts = _counts(samples)
    rows = [[at, thread, f"{n / _RATE:.2f}"] for (thread, at), n in counts.most_common(_SHOWN)]
    threads = Counter[str]()
    for (thread, _), count in counts.items():
        threads[thread] += count
    rows += [["all", thread, f"{count / _RATE:.2f}"] for thread, count in threads.most_common()]
    title = f"`scripts/bench profile --step {chosen.step} --files {chosen.files}`"
    sheet.table(f"{title}: {figures.wall} s", table(["busy in", "thread", "s"], rows))


def _spied(call: Call, samples: Path) -> Call:
    spy = [os.environ.get("PYSPY", "py-spy"), "record", "--threads", "--format", "raw"]
    spy += ["--rate", str(_RATE), "--function", "--output", str(samples), "--"]
    return replace(call, words=[*spy, sys.executable, "-m", "vault.cli", *call.words[1:]])


def _counts(samples: Path) -> Counter[tuple[str, str]]:
    """Samples by thread and innermost function of ours (a library's call counts for its caller)."""
    counts = Counter[tuple[str, str]]()
    for line in samples.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        thread = _THREAD.search(frames[0])
        ours = [found for found in map(_FRAME.search, frames) if found]
        if ours or not thread:  # a worker with nothing of ours on its stack waits for work
            at = f"{ours[-1]['path']} {ours[-1]['name']}" if ours else "start"
            counts[thread[0] if thread else "main", at] += int(count)
    return counts
