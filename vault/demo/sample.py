"""Real files to show things on: copied from this machine, and compared byte for byte later."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = tuple(
    dict.fromkeys((Path("/usr/share"), Path("/usr/lib"), Path(sys.base_prefix) / "lib"))
)


@dataclass(frozen=True, slots=True)
class Sample:
    """How much was copied."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What must be as before of one name; `content` is a digest or a link's text.

    `size` is a file's, in bytes, and 0 for anything else.
    """

    kind: int
    size: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: str


def copy_sample(sources: tuple[Path, ...], target: Path, limit: int) -> Sample:
    """Copy files and links below `sources` to `target`, at most about `limit` bytes."""
    files = size = 0
    for source, path in _candidates(sources):
        length = path.lstat().st_size
        if size + length > limit:
            continue
        place = target / source.name / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, place, follow_symlinks=False)
        except OSError:
            continue  # not readable for us: any other file does as well
        files, size = files + 1, size + length
        if size > limit * 0.99:
            break
    return Sample(files, size)


def own(target: Path, uid: int) -> None:
    """Give everything below `target`, and itself, to another user."""
    for folder, _, names in os.walk(target):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, uid, uid, follow_symlinks=False)


def traces(root: Path) -> dict[str, Trace]:
    """Everything below `root`, by relative path, to be compared."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _trace(path)
    return found


def _candidates(sources: tuple[Path, ...]) -> Iterator[tuple[Path, Path]]:
    for source in sources:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_symlink() or path.is_file():
                    yield source, path


def _trace(path: Path) -> Trace:
    facts = path.lstat()
    kind = stat.S_IFMT(facts.st_mode)
    content, size = "", 0
    if kind == stat.S_IFREG:
        size = facts.st_size
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    elif kind == stat.S_IFLNK:
        content = os.fsdecode(os.readlink(path))
    mode, owner = stat.S_IMODE(facts.st_mode), (facts.st_uid, facts.st_gid)
    return Trace(kind, size, mode, owner, facts.st_mtime_ns, content)
