"""Trees that change, one whole file at a time, and what a snapshot of them may hold."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vault.testing.trees import Tree

_LARGEST: Final = 96 * 1024


def fill(root: Path, rng: random.Random) -> None:
    """Make a new small tree."""
    root.mkdir()
    for number in range(rng.randint(3, 25)):
        _write(root, f"f{number}", rng)


def change(root: Path, rng: random.Random) -> None:
    """Some files appear, change, move, go, or get other modes; each by one step of the kernel."""
    for _ in range(rng.randint(1, 8)):
        files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
        folders = [root, *sorted(p for p in root.rglob("*") if p.is_dir() and not p.is_symlink())]
        place, name = rng.choice(folders), f"n{rng.randrange(10**9)}"
        match rng.randrange(8):
            case 0 | 1:
                _write(place, name, rng)
            case 2 if files:
                chosen = rng.choice(files)
                _write(chosen.parent, chosen.name, rng)
            case 3 if len(files) > 10:
                rng.choice(files).unlink()
            case 4 if files:
                rng.choice(files).rename(place / name)
            case 5 if files:
                rng.choice(files).chmod(rng.choice((0o600, 0o644, 0o755)))
            case 6 if len(folders) < 10:
                (place / name).mkdir()
            case 7 if files and len(files) < 60:
                os.symlink("some/where", place / name)
    for chosen in sorted(p for p in root.rglob("*") if p.is_file())[60:]:
        chosen.unlink()


def _write(folder: Path, name: str, rng: random.Random) -> None:
    """A whole file at once: written beside the volume, and moved in."""
    fresh = _staging(folder) / f"s{rng.randrange(10**9)}"
    fresh.write_bytes(rng.randbytes(rng.randrange(_LARGEST)))
    fresh.replace(folder / name)


def _staging(folder: Path) -> Path:
    """Beside all volumes, on their file system."""
    srv = next(parent for parent in folder.parents if parent.name == "srv")
    place = srv.parent / "staging"
    place.mkdir(exist_ok=True)
    return place


def remove(root: Path) -> None:
    """Take a scratch tree away."""
    shutil.rmtree(root, ignore_errors=True)


def is_state(found: Tree, states: Sequence[Tree]) -> bool:
    """Whether it is one of these states, or was seen in passing through a few of them."""
    if found in states:
        return True
    return any(_between(found, states[at : at + 3]) for at in range(len(states) - 1))


def _between(found: Tree, states: Sequence[Tree]) -> bool:
    """Every path as it was in one of them; a directory's times are its entries' business."""
    paths = set(found.facts).union(*(state.facts for state in states))
    return all(
        any(_facts(found, path) == _facts(state, path) for state in states) for path in paths
    )


def _facts(tree: Tree, path: bytes) -> dict[str, object] | None:
    facts = tree.facts.get(path)
    if facts is None or facts["kind"] != stat.S_IFDIR:
        return facts
    return {name: value for name, value in facts.items() if name != "mtime"}
