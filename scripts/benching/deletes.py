"""Delete and undelete of small and large volumes: seconds and store calls, which must not grow."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from benching.measuring import Call, Figures, fresh, program, timed
from benching.results import Sheet, table


def measure(chosen: argparse.Namespace) -> None:
    """Delete and undelete each volume in turn, a few times; print the table of medians."""
    sizes = [int(size) for size in chosen.sizes.split(",")]
    sheet, bench = Sheet(chosen.out), _Bench(fresh(chosen.where))
    bench.vault("init", "--store", f"file://{bench.folder}/store?immutable=no")
    for size in sizes:
        tree = _tree(chosen.where, size)
        bench.vault("volume", "add", f"v{size}", str(tree))
        bench.vault("snapshot", f"v{size}")
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    calls: dict[tuple[str, int], int] = {}
    for number in range(chosen.rounds):
        for size in sizes:
            for verb in ("delete", "undelete"):
                figures, counts = bench.step(verb, f"v{size}")
                facts = {"bench": "delete", "round": number, "verb": verb, "files": size}
                sheet.row({**facts, "calls": counts}, figures)
                seconds[verb, size].append(figures.wall)
                calls.setdefault((verb, size), sum(counts.values()))
    rows = [
        [
            f"{size:,} files",
            *(
                cell
                for verb in ("delete", "undelete")
                for cell in (
                    f"{statistics.median(seconds[verb, size]):.2f}",
                    str(calls[verb, size]),
                )
            ),
        ]
        for size in sizes
    ]
    head = ["", "delete, s", "store calls", "undelete, s", "store calls"]
    sheet.table(f"`scripts/bench delete --rounds {chosen.rounds}`", table(head, rows))


class _Bench:
    """A vault of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._env = dict(os.environ, VAULT_HOME=str(folder / "home"))

    def vault(self, *words: str) -> None:
        """A call that is not measured."""
        subprocess.run([program("vault"), *words], env=self._env, check=True, capture_output=True)

    def step(self, verb: str, volume: str) -> tuple[Figures, dict[str, int]]:
        """Delete a volume, or bring it back; its figures and its store calls."""
        if verb == "delete":
            words = ["delete", volume, "--reason", "measured"]
        else:
            words = ["undelete", self._tombstone(volume)]
        counts = self.folder / "counts"
        counted = [sys.executable, "-m", "benching.counted", str(counts), *words]
        figures = timed(Call(counted, self._env, self.folder / "log"))
        return figures, json.loads(counts.read_text())

    def _tombstone(self, volume: str) -> str:
        words = [program("vault"), "tombstones", "--json"]
        told = subprocess.run(words, env=self._env, check=True, capture_output=True).stdout
        items = json.loads(told)["items"]
        return str(next(i["id"] for i in reversed(items) if i["volume"] == volume))


def _tree(where: Path, size: int) -> Path:
    """A folder with that many small files, up to a thousand a directory; made once."""
    root = where / f"delete-{size}"
    if not root.exists():
        draft = root.with_name(root.name + "-draft")
        for count in range(size):
            if count % 1000 == 0:
                (draft / f"{count // 1000:04d}").mkdir(parents=True, exist_ok=True)
            (draft / f"{count // 1000:04d}" / f"{count % 1000:03d}").write_bytes(b"%d\n" % count)
        draft.rename(root)
    return root
