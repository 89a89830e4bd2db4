"""Frozen repositories: unpacked, read with the library and with scripts/rescue.py."""

from __future__ import annotations

import io
import os
import runpy
import tarfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IFMT, S_ISREG
from typing import Final

import msgspec
import pytest

from tests.golden.make import HERE, describe
from vault.audit.entry import Entry as AuditEntry
from vault.audit.line import Line
from vault.codec.keyring import parse_kit
from vault.errors import Corrupt, RepositoryError, StoreError
from vault.provider import Entry, Kind
from vault.repository.audit_log import read_segments
from vault.repository.authentic import Tampering
from vault.repository.charter import Charter, load_charter
from vault.repository.journal import StoredEvent, read_events
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.repository.stamps import StoredStamp, read_stamps
from vault.store.address import parse_address
from vault.store.directory import DirectoryStore, open_at
from vault.testing.clock import ManualClock

VERSIONS: Final = sorted(path.name.partition(".")[0] for path in HERE.glob("v*.tar.gz"))
RESCUE: Final = HERE.parents[1] / "scripts" / "rescue.py"

Content = dict[bytes, tuple[Entry, bytes]]


def expected(version: str, number: int) -> list[str]:
    """The lines that describe a snapshot, as they were written when it was frozen."""
    lines = msgspec.json.decode((HERE / f"{version}.json").read_bytes(), type=dict[str, list[str]])
    return lines[str(number)]


@dataclass(frozen=True)
class Rescue:
    """How a run of scripts/rescue.py ended."""

    status: int
    said: str
    told: str


@dataclass
class Golden:
    """One frozen repository below `folder`, to read and to damage."""

    version: str
    folder: Path
    tampering: list[Tampering] = field(default_factory=list)

    def __post_init__(self) -> None:
        with tarfile.open(HERE / f"{self.version}.tar.gz") as tar:
            # Early 3.11 has no filters; where there are, this is the one that keeps modes.
            tar.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _path: member)
            tar.extractall(self.folder)
        self.kit = parse_kit((self.folder / "recovery.kit").read_text())
        self.url = f"file://{self.folder}/store?immutable=no"
        self.store: DirectoryStore = open_at(parse_address(self.url), None, ManualClock())

    def charter(self) -> Charter:
        """The charter that holds."""
        return load_charter(self.store, self.kit.root_public, self.tampering)

    def snapshots(self) -> list[SnapshotRecord]:
        """All that are authentic."""
        return list(list_snapshots(self.store, self.charter(), self.tampering))

    def events(self) -> list[StoredEvent]:
        """All that are authentic."""
        return list(read_events(self.store, self.charter(), self.tampering))

    def stamps(self) -> list[StoredStamp]:
        """All that are authentic."""
        return list(read_stamps(self.store, self.charter(), self.tampering))

    def entries(self) -> list[AuditEntry]:
        """Those of the audit log; what is not as one writer's log is, is noted."""
        line, entries = Line(""), list[AuditEntry]()
        for stored in read_segments(self.store, self.charter(), self.tampering):
            entries += line.add(stored.key, stored.segment)
        self.tampering += [Tampering(f.key, f.what, f.detail) for f in line.faults]
        return entries

    def reader(self, record: SnapshotRecord) -> SnapshotReader:
        """A reader with the kit."""
        ring = SessionRing(self.store, self.charter(), self.kit.identities, self.tampering)
        return SnapshotReader(self.store, ring, record, self.tampering)

    def read(self, record: SnapshotRecord) -> tuple[Content, list[bytes]]:
        """What can be read of a snapshot, and the paths that cannot; b"?" for lost pages."""
        whole: Content = {}
        lost: list[bytes] = []
        with self.reader(record) as reader:
            try:
                for stored, blocks in reader.contents(reader.entries()):
                    try:
                        whole[stored.path] = (stored.entry, b"".join(blocks))
                    except Corrupt:
                        lost.append(stored.path)
            except (RepositoryError, StoreError):
                lost.append(b"?")
        return whole, lost

    def lines(self, record: SnapshotRecord) -> list[str]:
        """The description of a snapshot as it is read now."""
        whole, lost = self.read(record)
        assert not lost
        return describe(iter(whole.values()))

    def words(self) -> set[str]:
        """What was noticed."""
        return {note.what for note in self.tampering}

    def rescue(self, *words: str) -> Rescue:
        """Run the program that needs nothing of vault, in this process to be quick."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.argv", self.rescue_words(*words))
            try:
                runpy.run_path(str(RESCUE), run_name="__main__")
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
                err.write("" if isinstance(end.code, int) else str(end.code))
        return Rescue(status, out.getvalue(), err.getvalue())

    def rescue_words(self, *words: str) -> list[str]:
        """Its command line."""
        kit = str(self.folder / "recovery.kit")
        return [str(RESCUE), "--store", self.url, "--kit", kit, *words]


def differences(content: Content, target: Path) -> list[str]:
    """What is there and is not what it should be; what is missing is not counted."""
    wrong = []
    for path, (item, data) in content.items():
        place = os.path.join(os.fsencode(target), path)
        if os.path.lexists(place):
            wrong += [f"{path!r}: {what}" for what in _differs(item, data, place)]
    return wrong


def present(target: Path) -> set[bytes]:
    """The paths that are there."""
    root = os.fsencode(target)
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, folders, names in os.walk(root)
        for name in (*folders, *names)
    } | {b""}


_TYPES: Final = {
    Kind.FILE: 0o100000,
    Kind.DIRECTORY: 0o040000,
    Kind.SYMLINK: 0o120000,
    Kind.FIFO: 0o010000,
    Kind.CHARACTER_DEVICE: 0o020000,
    Kind.BLOCK_DEVICE: 0o060000,
    Kind.SOCKET: 0o140000,
}


def _differs(item: Entry, data: bytes, place: bytes) -> list[str]:
    status = os.lstat(place)
    checks = {
        "type": S_IFMT(status.st_mode) == _TYPES[Kind(item.kind)],
        "mode": item.kind == Kind.SYMLINK or status.st_mode & 0o7777 == item.mode,
        "time": status.st_mtime_ns == item.mtime_ns or item.link is not None,
        "target": item.target is None or os.readlink(place) == item.target,
        "owner": os.geteuid() != 0 or (status.st_uid, status.st_gid) == (item.uid, item.gid),
        "device": not item.rdev or status.st_rdev == item.rdev,
    }
    if S_ISREG(status.st_mode) and item.link is None:
        checks["content"] = _read(place) == _with_holes(item, data)
        checks["links"] = status.st_nlink == item.nlink
        checks["attributes"] = all(os.getxattr(place, n) == v for n, v in item.xattrs)
        sparse = item.segments is not None
        checks["holes"] = not sparse or status.st_blocks * 512 < item.size
    return [what for what, holds in checks.items() if not holds]


def _read(place: bytes) -> bytes:
    with open(place, "rb") as file:
        return file.read()


def _with_holes(item: Entry, data: bytes) -> bytes:
    if item.segments is None:
        return data
    whole, start = bytearray(item.size), 0
    for offset, length in item.segments:
        whole[offset : offset + length] = data[start : start + length]
        start += length
    return bytes(whole)
