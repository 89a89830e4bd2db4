"""Vault and its peers in turn over the same course, round after round; the table of medians."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benching.contenders import KINDS, Contender
from benching.gateway import Gateway, serving
from benching.measuring import Call, Figures, fresh, same, timed
from benching.results import Results, Sheet, table


@dataclass(frozen=True)
class Course:
    """What each contender has to do: `run` notes the figures of `steps` (title by name).

    `live` is the folder to protect; `needed` the bytes on disk that a contender may take a round.
    """

    words: str
    steps: Mapping[str, str]
    live: Path
    needed: int
    run: Callable[[Contender, Results, str], None]
    remote: bool = False


def race(chosen: argparse.Namespace, course: Course) -> None:
    """Run all rounds; in each another one begins. The last step is the table."""
    peers = [name for name in chosen.peers.split(",") if name not in ("", "none")]
    names = ["vault", *peers]
    needed = course.needed * len(names) * chosen.rounds
    if shutil.disk_usage(course.live).free < needed:
        raise SystemExit(f"{course.live} has not the {needed / 1e9:.0f} GB free that it may take")
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    results, heads = Results(sheet, chosen.kind), dict[str, str]()
    with serving(folder / "s3") if course.remote else nullcontext() as gateway:
        for number in range(chosen.rounds):
            turn = number % len(names)
            for name in [*names[turn:], *names[:turn]]:
                label = f"{name}-{number}"
                bucket = gateway.bucket(label) if isinstance(gateway, Gateway) else None
                contender = KINDS[name](folder / label, course.live, bucket)
                heads[name] = contender.version()
                for call in contender.setup():
                    timed(call)
                course.run(contender, results, str(number))
    lines = table(
        ["", "", *(heads[name] for name in names), "ratio"], results.compared(names, course.steps)
    )
    words = f"{course.words} --peers {','.join(peers) or 'none'} --rounds {chosen.rounds}"
    sheet.table(f"`scripts/bench {chosen.kind} {words}`", lines)
    print(f"Repositories and what was restored are in {folder}; delete it for the room it takes.")


def run(contender: Contender, call: Call) -> Figures:
    """Run it, with what its server had to do."""
    os.sync()
    if contender.bucket is None:
        return timed(call)
    before = contender.bucket.spent()
    figures = timed(call)
    return replace(figures, served=round(contender.bucket.spent() - before, 2))


def snapshot(contender: Contender, results: Results, step: str, label: str) -> None:
    """Measure a snapshot, and what it adds to the store."""
    before = contender.held()
    figures = run(contender, contender.snapshot(f"{label}-{step}"))
    results.note(contender.name, step, figures, contender.held() - before)


def restore(contender: Contender, results: Results, who: str = "") -> None:
    """Measure a restore, and compare what came back, outside the measured time.

    `who` is its name in the results, where that is not the contender's own.
    """
    target = contender.base / "restored"
    results.note(who or contender.name, "restore", run(contender, contender.restore(target)))
    same(contender.live, target)
