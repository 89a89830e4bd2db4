"""The tree workload: the same files for the same seed, and a second state with 5% of them changed.

Half of the files are text-like (zstd makes a third of them), half are random bytes; sizes are
log-normal around 4 KiB; about 12 files a directory, up to 6 levels deep.
"""

from __future__ import annotations

import base64
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

SEED: Final = 20_261_122
MEDIAN: Final = 4096
MEAN: Final = 16_000  # bytes: 100,000 files are 1.6 GB
LARGEST: Final = 64 << 20
POOL: Final = 32 << 20
WORDS: Final = 20_000
SETTLED: Final = 3.0  # seconds: tools read a file again whose ctime is as good as now


class Text:
    """Text-like bytes from a pool; fresh ones in each KiB, so that no two files share a block."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        letters = "etaoinshrdlucmfwypvbgkqjxz"
        weights = [0.88**place for place in range(26)]
        words = [
            "".join(dice.choices(letters, weights, k=dice.randint(2, 10))) for _ in range(WORDS)
        ]
        ends = dice.choices([" ", " ", " ", " ", ", ", ".\n", "=", ": "], k=WORDS)
        parts = [word + end for word, end in zip(words, ends, strict=True)]
        rank = [1 / place for place in range(1, WORDS + 1)]
        self._pool = "".join(dice.choices(parts, rank, k=POOL // 6)).encode()[:POOL]

    def make(self, size: int) -> bytes:
        """`size` bytes."""
        start = self._dice.randrange(len(self._pool))
        made = bytearray(self._pool[start : start + size])
        while len(made) < size:
            made += self._pool[: size - len(made)]
        fresh = base64.b64encode(self._dice.randbytes(9 * (size // 1024)))
        for count in range(size // 1024):
            made[count << 10 : (count << 10) + 12] = fresh[12 * count : 12 * count + 12]
        return bytes(made)


def ready(where: Path, files: int, mean: int = MEAN) -> Path:
    """The folder with the tree in its first state; `mean` is the size of a file in bytes."""
    base = where / _name(files, mean)
    if not (base / "made").exists():
        made_apart(where, "--files", str(files), "--mean", str(mean))
        time.sleep(SETTLED)
    return base


def made_apart(where: Path, *words: str) -> None:
    """Make a workload in a process of its own.

    A child's peak memory, as the kernel counts it, begins with its parent's: this one stays small.
    """
    print(f"making the workload {' '.join(words)} in {where}", flush=True)
    command = [sys.executable, "-m", "benching", "--where", str(where), "workload", *words]
    subprocess.run(command, check=True)


def _name(files: int, mean: int) -> str:
    return f"tree-{files}" + (f"-{mean}" if mean != MEAN else "")


def make(where: Path, files: int, mean: int) -> None:
    """Make `live` in its folder; a half-made or changed one is set aside first, not deleted."""
    base = where / _name(files, mean)
    if base.exists():
        base.rename(base.with_name(f"{base.name}-old-{time.time_ns()}"))
    dice = Random(SEED)
    text = Text(dice)
    root = base / "live"
    folders = _folders(dice, root, files)
    for count, size in enumerate(_sizes(dice, files, mean)):
        wordy = dice.random() < 0.5
        path = f"{dice.choice(folders)}/f{count:06d}.{'txt' if wordy else 'bin'}"
        with open(path, "wb", buffering=0) as file:
            file.write(text.make(size) if wordy else dice.randbytes(size))
        moment = 1_700_000_000_000_000_000 + count * 1_000_000_007
        os.utime(path, ns=(moment, moment))
    (base / "made").touch()


def _folders(dice: Random, root: Path, files: int) -> list[str]:
    folders = [str(root)]
    depth = {str(root): 0}
    os.makedirs(root)
    for count in range(max(1, files // 12)):
        parent = dice.choice(folders)
        if depth[parent] == 6:
            parent = folders[0]
        path = f"{parent}/d{count:05d}"
        os.mkdir(path)
        depth[path] = depth[parent] + 1
        folders.append(path)
    return folders


def _sizes(dice: Random, files: int, mean: int) -> list[int]:
    spread = math.sqrt(2 * math.log(MEAN / MEDIAN))
    drawn = [min(dice.lognormvariate(math.log(MEDIAN), spread), LARGEST) for _ in range(files)]
    scale = files * mean / sum(drawn)
    return [max(1, int(size * scale)) for size in drawn]


def files_below(root: Path) -> list[str]:
    """Paths of all files, in order."""
    walk = os.walk(root)
    return sorted(os.path.join(folder, name) for folder, _, names in walk for name in names)


class Change:
    """5% of the files: 2% edited in place, 1% grown, 1% new, 1% gone; undone by `undo`."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._aside = base / "aside"
        self._added: list[str] = []

    def apply(self) -> None:
        """Bring the tree to its second state."""
        (self._base / "made").unlink()  # what dies in between leaves a tree to be made anew
        self._aside.mkdir()
        dice = Random(SEED + 1)
        paths = files_below(self._base / "live")
        dice.shuffle(paths)
        share = max(1, len(paths) // 100)
        edited, grown = paths[: 2 * share], paths[2 * share : 3 * share]
        for count, path in enumerate([*edited, *grown]):
            shutil.copy2(path, self._kept(count))
            with open(path, "r+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(end if count >= len(edited) else dice.randrange(max(1, end - 64)))
                file.write(dice.randbytes(1000 if count >= len(edited) else min(64, end)))
        for count, path in enumerate(paths[3 * share : 4 * share]):
            self._added.append(f"{os.path.dirname(path)}/new{count:05d}.bin")
            with open(self._added[-1], "wb") as file:
                file.write(dice.randbytes(os.path.getsize(path)))
        for count, path in enumerate(paths[4 * share : 5 * share], 3 * share):
            os.rename(path, self._kept(count))
        self._moved = [*edited, *grown, *paths[4 * share : 5 * share]]
        time.sleep(SETTLED)

    def undo(self) -> None:
        """Bring the first state back."""
        for count, path in enumerate(self._moved):
            os.replace(self._kept(count), path)
        for path in self._added:
            os.unlink(path)
        self._added.clear()
        self._aside.rmdir()
        (self._base / "made").touch()
        time.sleep(SETTLED)

    def _kept(self, count: int) -> Path:
        return self._aside / str(count)


def blocks(root: Path) -> Iterator[bytes]:
    """The contents of all files, one by one; reading them also fills the system's cache."""
    for path in files_below(root):
        with open(path, "rb", buffering=0) as file:
            yield file.read()
