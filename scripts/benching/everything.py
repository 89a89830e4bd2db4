"""All benches one after the other, each in a process of its own; their tables and the chart."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

_SMALL: Final = {
    "tree": ["--files", "3000"],
    "big": ["--size", "64M"],
    "rgw": ["--files", "3000"],
    "million": ["--files", "10000"],
    "chunks": ["--chunks", "100000", "--rounds", "2"],
    "start": ["--rounds", "3"],
    "delete": ["--sizes", "1,1000", "--rounds", "2"],
    "decide": ["--decisions", "200"],
    "limits": ["--files", "3000"],
}
"""Every bench, in this order, and how to make it small."""


def measure(chosen: argparse.Namespace) -> None:
    """Write FOLDER/<bench>.jsonl and .md for each, all.md and performance.svg.

    FOLDER is `--out`, or `all` on the scratch disk. A bench that fails stops none behind it.
    """
    folder = chosen.out or chosen.where / "all"
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "benching", "--where", str(chosen.where)]
    failed = []
    for name, small in _SMALL.items():
        words = [*program, "--out", str(folder / name), name, *_words(name, chosen)]
        print(f"--- {name}", flush=True)
        if _left_with([*words, *(small if chosen.small else [])]):
            failed.append(name)
    tables = [folder / f"{name}.md" for name in _SMALL]
    (folder / "all.md").write_text("\n".join(t.read_text() for t in tables if t.exists()))
    drawn = [str(path) for path in (folder / f"{n}.jsonl" for n in _SMALL) if path.exists()]
    subprocess.run(
        [*program, "chart", *drawn, "--svg", str(folder / "performance.svg")], check=True
    )
    if failed:
        raise SystemExit(f"these left with an error: {', '.join(failed)}")


def _left_with(words: list[str]) -> int:
    """Run it to its end; where this program is to end, it may clean up first."""
    process = subprocess.Popen(words)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _words(name: str, chosen: argparse.Namespace) -> list[str]:
    remote = [peer for peer in chosen.peers.split(",") if peer != "borg"]
    return {
        "tree": ["--peers", chosen.peers, "--rounds", str(chosen.rounds)],
        "big": ["--peers", chosen.peers],
        "rgw": ["--peers", ",".join(remote) or "none"],
        "million": ["--peers", chosen.peers],
        "start": ["--peers", chosen.peers],
    }.get(name, [])
