"""What this machine can do at best: each part of the work alone, on one core, on the same tree."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
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


def measure(chosen: argparse.Namespace) -> None:
    """Time each part; where a part handles bytes, say what the whole tree would take."""
    base = workload.ready(chosen.where, chosen.files)
    root, folder, sheet = base / "live", fresh(chosen.where), Sheet(chosen.out)
    total = sum(map(len, workload.blocks(root)))
    sample = _sample(root)
    key = new_key()
    chunks = [sample[at : at + CHUNK_AVERAGE] for at in range(0, len(sample), CHUNK_AVERAGE)]
    parts: list[tuple[str, Callable[[], object], int]] = [
        ("walk and lstat", lambda: sum(1 for _ in _walk(str(root))), 0),
        ("open and read", lambda: sum(map(len, workload.blocks(root))), total),
        ("FastCDC", lambda: [cut(sample[at : at + 16 * MIB]) for at in _steps()], len(sample)),
        ("BLAKE3, keyed", lambda: [chunk_id(key, chunk) for chunk in chunks], len(sample)),
        (f"zstd -{LEVEL}", lambda: [compress(chunk) for chunk in chunks], len(sample)),
        ("AES-256-GCM", lambda: [seal(key, 0, b"", chunk) for chunk in chunks], len(sample)),
        ("write in packs, fsync each", lambda: _packs(folder, sample), len(sample)),
        ("write the files anew", lambda: _copy(root, folder / "copy"), total),
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
    head = ["one core", "MB/s", f"s for the tree ({chosen.files:,} files, {total / 1e6:,.0f} MB)"]
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


def _copy(root: Path, target: Path) -> None:
    """Make every file with its mode and times, from the system's cache: what a restore must do."""
    for at, _, names in os.walk(root):
        into = target / os.path.relpath(at, root)
        into.mkdir()
        for name in names:
            with open(os.path.join(at, name), "rb", buffering=0) as source:
                data, info = source.read(), os.fstat(source.fileno())
            with open(into / name, "wb", buffering=0) as file:
                file.write(data)
                os.fchmod(file.fileno(), info.st_mode & 0o7777)
                os.utime(file.fileno(), ns=(info.st_atime_ns, info.st_mtime_ns))
