"""The words of `scripts/bench`: which measurement, where, how large."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from benching import workload

_MODULES: Final = {
    "tree": "trees",
    "rgw": "trees",
    "start": "starts",
    "delete": "deletes",
    "api": "callers",
    "all": "everything",
}
"""Where a word's module has another name. Only one is loaded: see `measuring.Figures`."""
_STEPS: Final = ("first", "unchanged", "changed", "check", "restore", "cat")


def main() -> None:
    """Run one measurement."""
    chosen = _words().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through what cleans up
    chosen.where.mkdir(parents=True, exist_ok=True)
    if chosen.kind == "workload" and not chosen.size:
        workload.make(chosen.where, chosen.files, chosen.mean)
    elif chosen.kind == "workload":
        import_module("benching.big").make(chosen.where / f"big-{chosen.size}", chosen.size)
    else:
        name = _MODULES.get(chosen.kind, chosen.kind)
        import_module(f"benching.{name}").measure(chosen)


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    words.add_argument("--where", type=Path, default=_default(), help="scratch disk (%(default)s)")
    words.add_argument("--out", type=Path, help="also write FILE.jsonl (appended) and FILE.md")
    kinds = words.add_subparsers(dest="kind", required=True)

    tree = kinds.add_parser("tree", help="vault and its peers in turn on a tree of files")
    _files(tree)
    _contest(tree, 3)
    rgw = kinds.add_parser("rgw", help="the same to and from an S3 server on this machine")
    _files(rgw)
    _contest(rgw, 1)
    large = kinds.add_parser("big", help="vault and its peers on one large file of random bytes")
    large.add_argument("--size", default="2G", help="as in 64M or 2G (%(default)s)")
    _contest(large, 1)
    many = kinds.add_parser("million", help="many files beside a tenth of them")
    many.add_argument("--files", type=int, default=1_000_000, help="of 1 kB (%(default)s)")
    _contest(many, 1)
    store = kinds.add_parser("chunks", help="a small volume beside a store full of chunks")
    store.add_argument("--chunks", type=int, default=10_000_000, help="how full (%(default)s)")
    store.add_argument("--rounds", type=int, default=5)
    _contest(kinds.add_parser("start", help="how long the programs take to start"), 20)
    delete = kinds.add_parser("delete", help="delete and undelete of small and large volumes")
    delete.add_argument("--sizes", default="1,1000,100000", help="files a volume (%(default)s)")
    delete.add_argument("--rounds", type=int, default=5, help="the table shows medians")
    judged = kinds.add_parser("decide", help="how long the rules take to decide a request")
    judged.add_argument("--decisions", type=int, default=5000, help="of each kind (%(default)s)")
    crowd = kinds.add_parser("api", help="many callers of the HTTP interface at once")
    crowd.add_argument("--store", choices=("file", "rgw"), default="file", help="(%(default)s)")
    crowd.add_argument("--callers", type=int, default=200, help="at once (%(default)s)")
    crowd.add_argument("--seconds", type=int, default=60, help="for so long (%(default)s)")
    _files(kinds.add_parser("limits", help="what this machine can do at best, on the same tree"))
    sampled = kinds.add_parser("profile", help="where vault's threads spend a step's time")
    _files(sampled)
    sampled.add_argument("--step", choices=_STEPS, default="first")
    whole = kinds.add_parser("all", help="all of the above but profile, one after the other")
    whole.add_argument("--peers", default="restic,borg", help="borg does not write to S3")
    whole.add_argument("--rounds", type=int, default=3, help="of the tree")
    whole.add_argument(
        "--small", action="store_true", help="minutes, to see whether all of it runs"
    )
    drawn = kinds.add_parser("chart", help="draw the ratios of FILE.jsonl … as bars")
    drawn.add_argument("figures", type=Path, nargs="+", metavar="FILE.jsonl")
    drawn.add_argument("--svg", type=Path, required=True, metavar="FILE.svg")
    made = kinds.add_parser("workload", help="only make a tree, or with --size a large file")
    _files(made)
    made.add_argument("--mean", type=int, default=workload.MEAN, help="bytes a file (%(default)s)")
    made.add_argument("--size", default="")
    return words


def _contest(words: argparse.ArgumentParser, rounds: int) -> None:
    words.add_argument("--peers", default="restic", help="restic,borg or none (%(default)s)")
    words.add_argument("--rounds", type=int, default=rounds, help="the table shows medians")


def _files(words: argparse.ArgumentParser) -> None:
    words.add_argument("--files", type=int, default=100_000, help="%(default)s are 1.6 GB")


def _default() -> Path:
    return Path(os.environ.get("VAULT_BENCH", "/var/tmp/vault-bench"))


if __name__ == "__main__":
    main()
