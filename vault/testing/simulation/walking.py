"""Reading and writing a tree in memory, as a capture and a restoration do; others may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from vault.errors import PathUnsafe
from vault.provider import Entry, Finding, Kind, order_key

if TYPE_CHECKING:
    from vault.testing.simulation.disk import Disk, Node, Tree

Reach = Callable[[], None]


class TreeCapture:
    """See vault.provider.Capture. `seen` holds the bytes of each file as this walk gave them."""

    def __init__(self, disk: Disk, tree: Tree, reach: Reach) -> None:
        self.identity = disk.identity(tree)
        self.started_ns = disk.tick()
        self.findings: list[Finding] = []
        self.seen: dict[bytes, bytes] = {}
        self._tree = tree
        self._reach = reach

    def entries(self) -> Iterator[Entry]:
        """See Capture."""
        for path in sorted(self._tree.nodes, key=order_key):
            node = self._tree.nodes.get(path)
            if node is None:
                continue  # removed since it was listed
            if node.kind is Kind.FILE:
                self.seen[path] = node.data
            yield _entry(path, node)

    def complete(self, entry: Entry) -> Entry | None:
        """See Capture."""
        node = self._tree.nodes.get(entry.path)
        return None if node is None else _entry(entry.path, node)

    @contextmanager
    def open(self, entry: Entry) -> Iterator[TreeContent | None]:
        """See Capture."""
        self._reach()
        node = self._tree.nodes.get(entry.path)
        if node is None or node.kind is not Kind.FILE:
            self.seen.pop(entry.path, None)
            self.findings.append(Finding("vanished", entry.path, "gone since it was listed"))
            yield None
        else:
            yield TreeContent(self, entry.path, node, self._reach)

    def present(self, path: bytes) -> Node | None:
        """What stands at a path now."""
        return self._tree.nodes.get(path)


class TreeContent:
    """See vault.provider.Content: read in two halves, between which others may write."""

    def __init__(self, capture: TreeCapture, path: bytes, node: Node, reach: Reach) -> None:
        self._capture = capture
        self._path = path
        self._node = node
        self._given = b""
        self._reach = reach

    @property
    def entry(self) -> Entry:
        """See Content; of the size that was read."""
        return msgspec.structs.replace(_entry(self._path, self._node), size=len(self._given))

    @property
    def stable(self) -> bool:
        """See Content."""
        now = self._capture.present(self._path)
        return now is not None and (now.ctime_ns, now.data) == (self._node.ctime_ns, self._given)

    def blocks(self) -> Iterator[bytes]:
        """See Content."""
        middle = len(self._node.data) // 2
        first = self._node.data[:middle]
        yield first
        self._reach()
        now = self._capture.present(self._path) or self._node
        second = now.data[middle:]
        yield second
        self._given = first + second
        self._capture.seen[self._path] = self._given


class TreeRestoration:
    """See vault.provider.Restoration."""

    def __init__(self, disk: Disk, tree: Tree, reach: Reach) -> None:
        self.findings: list[Finding] = []
        self._disk = disk
        self._tree = tree
        self._extra = set(tree.nodes)
        self._reach = reach

    def differs(self, entry: Entry, content: Callable[[], Iterable[bytes]]) -> bool:
        """See Restoration."""
        self._extra.discard(entry.path)
        node = self._tree.nodes.get(entry.path)
        if node is None or (node.kind, node.mode) != (entry.kind, entry.mode):
            return True
        if node.kind is not Kind.FILE:
            return False
        return node.mtime_ns != entry.mtime_ns or node.data != b"".join(content())

    def write(self, entry: Entry, blocks: Iterable[bytes | memoryview]) -> None:
        """See Restoration."""
        self._reach()
        parts = entry.path.split(b"/") if entry.path else []
        if any(part in (b"", b".", b"..") for part in parts) or b"\0" in entry.path:
            raise PathUnsafe(f"{entry.path!r} leads out of the target")
        data = b"".join(blocks)
        self._extra.discard(entry.path)
        former = self._tree.nodes.get(entry.path)
        if entry.path and former is not None and former.kind != entry.kind:
            self.findings.append(Finding("displaced", entry.path, "it was of another kind"))
            self._disk.remove(self._tree, entry.path)
        node = self._disk.put(self._tree, entry.path, data, Kind(entry.kind))
        node.mode, node.mtime_ns = entry.mode, entry.mtime_ns

    def finish(self) -> None:
        """See Restoration."""
        self._reach()
        for path in sorted(self._extra & self._tree.nodes.keys()):
            self.findings.append(Finding("extra", path, "it is not in the snapshot"))


def _entry(path: bytes, node: Node) -> Entry:
    return Entry(
        path=path,
        kind=node.kind,
        mode=node.mode,
        uid=0,
        gid=0,
        mtime_ns=node.mtime_ns,
        size=len(node.data),
        ctime_ns=node.ctime_ns,
        inode=node.inode,
        device=1,
    )
