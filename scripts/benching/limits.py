"""What this machine can do at best: each part of the work alone, on the same tree."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benching import workload
from benching.measuring import fresh
from benching.results import Sheet, table
from vault.codec.chunker import cut
from vault.codec.cipher import new_key, seal
from vault.codec.compressor import LEVEL, compress
from vault.codec.digest import chunk_id
from vault.limits import CHUNK_AVERAGE, MIB, PACK_TARGET

SAMPLE: Final = 256 * MIB


@dataclass(frozen=True)
class Folder:
    """A folder of the tree: its path below the root, and of each file name, bytes and status."""

    path: str
    files: list[tuple[str, bytes, os.stat_result]]


def measure(chosen: argparse.Namespace) -> None:
    """Time each part; where a part handles bytes, say what the whole tree would take."""
    base = workload.ready(chosen.where, chosen.files)
    root, folder, sheet = base / "live", fresh(chosen.where), Sheet(chosen.out)
    total = sum(map(len, workload.blocks(root)))
    sample = _sample(root)
    key = new_key()
    chunks = [sample[at : at + CHUNK_AVERAGE] for at in range(0, len(sample), CHUNK_AVERAGE)]
    held, cores = _held(root), os.cpu_count() or 1
    parts: list[tuple[str, Callable[[], object], int]] = [
        ("walk and lstat", lambda: sum(1 for _ in _walk(str(root))), 0),
        ("open and read", lambda: sum(map(len, workload.blocks(root))), total),
        ("FastCDC", lambda: [cut(sample[at : at + 16 * MIB]) for at in _steps()], len(sample)),
        ("BLAKE3, keyed", lambda: [chunk_id(key, chunk) for chunk in chunks], len(sample)),
        (f"zstd -{LEVEL}", lambda: [compress(chunk) for chunk in chunks], len(sample)),
        ("AES-256-GCM", lambda: [seal(key, 0, b"", chunk) for chunk in chunks], len(sample)),
        ("write in packs, fsync each", lambda: _packs(folder, sample), len(sample)),
        ("write the files", lambda: _make(held, folder / "one", 1), total),
        ("write the files, on all cores", lambda: _make(held, folder / "all", cores), total),
    ]
    rows = []
    for name, work, size in parts:
        os.sync()
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        whole = seconds * total / size if size else seconds
        sheet.row({"bench": "limits", "part": name, "seconds": round(seconds, 3), "bytes": size})
        speed = f"{size / seconds / 1e6:,.0f}" if size else ""
        rows.append([name, speed, f"{whole:.2f}"])
    head = [
        "one core, where nothing else is said",
        "MB/s",
        f"s for the tree ({chosen.files:,} files, {total / 1e6:,.0f} MB)",
    ]
    sheet.table(f"`scripts/bench limits --files {chosen.files}`", table(head, rows))


def _steps() -> range:
    return range(0, SAMPLE, 16 * MIB)


def _sample(root: Path) -> bytes:
    """The first bytes of the tree, all files end to end, as a pipeline would see them."""
    sample = bytearray()
    for block in workload.blocks(root):
        sample += block
        if len(sample) >= SAMPLE:
            break
    return bytes(sample[:SAMPLE])


def _walk(folder: str) -> Iterator[os.stat_result]:
    with os.scandir(folder) as names:
        entries = sorted(names, key=lambda entry: entry.name)
    for entry in entries:
        yield entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


def _packs(folder: Path, sample: bytes) -> None:
    for at in range(0, len(sample), PACK_TARGET):
        with open(folder / f"pack-{at}", "wb", buffering=0) as file:
            file.write(sample[at : at + PACK_TARGET])
            os.fsync(file.fileno())


def _held(root: Path) -> list[Folder]:
    """The tree in memory, so that to make it is to write alone."""
    folders = []
    for at, _, names in os.walk(root):
        files = []
        for name in names:
            with open(os.path.join(at, name), "rb", buffering=0) as source:
                files.append((name, source.read(), os.fstat(source.fileno())))
        folders.append(Folder(os.path.relpath(at, root), files))
    return folders


def _make(folders: Sequence[Folder], target: Path, processes: int) -> None:
    """Make every file with its mode and times, through its folder's descriptor."""
    for folder in folders:
        (target / folder.path).mkdir(parents=True, exist_ok=True)
    makers = [
        multiprocessing.get_context("fork").Process(
            target=_fill, args=(folders[number::processes], target)
        )
        for number in range(processes)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
        if maker.exitcode:
            raise SystemExit(f"writing the files ended with {maker.exitcode}")


def _fill(folders: Sequence[Folder], target: Path) -> None:
    for folder in folders:
        into = os.open(target / folder.path, os.O_RDONLY | os.O_DIRECTORY)
        for name, data, info in folder.files:
            made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=into)
            os.write(made, data)
            os.fchmod(made, info.st_mode & 0o7777)
            os.utime(made, ns=(info.st_atime_ns, info.st_mtime_ns))
            os.close(made)
        os.close(into)
