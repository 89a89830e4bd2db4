"""A small vault that records and reads snapshots of made-up trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.unit.repository.founding import IDENTITY, VOLUME, Site
from vault.lifecycle.retention import Keep
from vault.progress import Silent
from vault.provider import Entry, Kind, order_key
from vault.repository.index import LocalIndex
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord
from vault.repository.writer import Recording, VolumeFacts, WriterParts
from vault.store.contract import WritableStore

Tree = Mapping[bytes, bytes]


def entry(path: bytes, kind: Kind = Kind.FILE, size: int = 0, **changes: object) -> Entry:
    """An entry with unremarkable metadata."""
    plain = {"mode": 0o644, "uid": 1, "gid": 1, "mtime_ns": 5, "ctime_ns": 6, "inode": 7}
    return Entry(path, kind, size=size, **{**plain, **changes})  # type: ignore[arg-type]


def blocks(data: bytes, size: int = 4 << 20) -> Iterator[bytes]:
    """Content as a capture hands it over."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


@dataclass
class Scene:
    """A host with its home, index and keys, and a store."""

    home: Path
    site: Site = field(default_factory=Site)

    def __post_init__(self) -> None:
        self.store: WritableStore = self.site.store
        self.index = LocalIndex(self.home / "index.db")
        self.kept = 0

    def parts(self) -> WriterParts:
        """What a recording takes."""
        return WriterParts(
            store=self.store,
            charter=self.site.charter,
            keys=self.site.keys,
            index=self.index,
            clock=self.site.clock,
            home=self.home,
            progress=Silent(),
        )

    def recording(self, parent: SnapshotRecord | None = None, days: int = 40) -> Recording:
        """A snapshot in the making."""
        facts = VolumeFacts(VOLUME, "data", "production", "directory", {"kind": "x"}, Keep())
        until = self.site.clock.now() + timedelta(days=days)
        return Recording(self.parts(), facts, parent=parent, retain_until=until)

    def record(
        self, tree: Tree, parent: SnapshotRecord | None = None, days: int = 40
    ) -> SnapshotRecord:
        """Take a snapshot of a tree; unchanged files are kept where the baseline allows."""
        with self.recording(parent, days) as recording:
            self.kept = 0
            root = entry(b"", Kind.DIRECTORY)
            if not recording.keep(root):
                recording.add(root, None)
            for path in sorted(tree, key=order_key):
                self._put(recording, path, tree[path])
            return recording.commit([])

    def _put(self, recording: Recording, path: bytes, data: bytes) -> None:
        now = entry(path, size=len(data))
        if recording.keep(now):
            self.kept += 1
            return
        recording.add(now, recording.write(blocks(data)))

    def reader(self, record: SnapshotRecord) -> SnapshotReader:
        """A reader with the kit."""
        ring = SessionRing(self.store, self.site.charter, (IDENTITY,))
        return SnapshotReader(self.store, ring, record, self.site.tampering)

    def read(self, record: SnapshotRecord) -> dict[bytes, bytes]:
        """All files of a snapshot."""
        with self.reader(record) as reader:
            return {
                stored.path: b"".join(content)
                for stored, content in reader.contents(reader.entries())
                if stored.entry.kind == Kind.FILE
            }

    def keys(self, prefix: str) -> list[str]:
        """Keys in the store, each once."""
        return sorted({version.key for version in self.store.list(prefix)})
