"""How long the programs take to start: to show their help or version, and to say how things are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benching.contenders import KINDS, Contender
from benching.measuring import Call, fresh, timed
from benching.results import Results, Sheet, table

STEPS: Final = {"help": "help or version", "status": "how things stand"}


def measure(chosen: argparse.Namespace) -> None:
    """Start all in turn, many times; each has one small snapshot to tell of."""
    peers = [name for name in chosen.peers.split(",") if name not in ("", "none")]
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    results, names = Results(sheet, "start"), ["vault", *peers]
    live = folder / "live"
    live.mkdir()
    (live / "file").write_text("one\n")
    contenders = [_ready(name, folder, live) for name in names]
    for _ in range(chosen.rounds):
        for contender in contenders:
            for step, call in zip(STEPS, _calls(contender), strict=True):
                results.note(contender.name, step, timed(call))
    heads = [contender.version() for contender in contenders]
    lines = table(["", "", *heads, "ratio"], results.compared(names, STEPS))
    words = f"--peers {','.join(peers) or 'none'} --rounds {chosen.rounds}"
    sheet.table(f"`scripts/bench start {words}`", lines)


def _ready(name: str, folder: Path, live: Path) -> Contender:
    contender = KINDS[name](folder / name, live)
    for call in [*contender.setup(), contender.snapshot("one")]:
        timed(call)
    return contender


def _calls(contender: Contender) -> Sequence[Call]:
    return contender.ask_version(), contender.ask_status()
