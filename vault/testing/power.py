"""What a power loss leaves of a folder: only what was synced is sure, the rest is there or not.

Modelled, inode by inode: a file's bytes last as they were at its last fsync (a file never synced
is empty), a folder's names as they were at its own. Of what came later, each name, and the bytes of
each file, may be there all the same; of the bytes there may also be the first half alone. A rename
is one step, as on every journalling file system: what had a name for sure keeps one.

SQLite is not seen through: who watches its commits says with `keep_path` which logs they made
durable; a `.db` file changes only where SQLite has synced the log before and it after, so it lasts
as it is, and a `-shm` file never does. Not modelled: owners, attributes, and disks that lie about
what they have written. Works on one file system; the folder must not be in use while `leave`
rebuilds it.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Node:
    """One inode: its mode, its time, and what it holds (bytes, a target, or names and inodes)."""

    mode: int
    mtime_ns: int
    content: bytes = b""
    names: dict[str, int] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether it holds names."""
        return stat.S_ISDIR(self.mode)


Image = dict[int, Node]


class Disk:
    """Everything below `root` is durable when this begins; from then on what is synced."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._guard = threading.Lock()
        self._held: dict[int, int] = {}
        self._kept: Image = {}
        self.keep_all()

    def keep_all(self) -> None:
        """All of the file system was synced."""
        with self._guard:
            self._kept = scan(self.root)
            for folder, folders, files in os.walk(self.root):
                for name in (*folders, *files):
                    self._hold(os.path.join(folder, name))

    def keep(self, handle: int) -> None:
        """This open file or folder was synced."""
        with self._guard:
            node = _node(f"/proc/self/fd/{handle}", os.fstat(handle))
            self._keep(os.fstat(handle).st_ino, node, f"/proc/self/fd/{handle}")

    def keep_path(self, path: Path) -> None:
        """As `keep`; nothing where nothing is."""
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        self.keep(handle)
        os.close(handle)

    def after_loss(self, dice: Random | None) -> Image:
        """What is left if power is lost now: only what is sure, or with `dice` some of the rest."""
        with self._guard:
            now = scan(self.root)
            left = {
                inode: _leave(self._kept.get(inode), now.get(inode), dice)
                for inode in self._kept.keys() | now.keys()
            }
            _keep_renamed(left, self._kept, now)
            for folder, name, inode in _names(now):
                if name.endswith(".db"):
                    left[inode] = now[inode]
                if name.endswith("-shm"):
                    left[folder].names.pop(name, None)
            return left

    def _keep(self, inode: int, node: Node, path: str) -> None:
        self._kept[inode] = node
        self._hold(path)
        for name, child in node.names.items():
            if child not in self._kept:
                try:
                    status = os.lstat(f"{path}/{name}")
                except FileNotFoundError:
                    continue
                made = _node(f"{path}/{name}", status)
                lost = b"" if stat.S_ISREG(status.st_mode) else made.content
                self._kept[child] = replace(made, content=lost, names={})
                self._hold(f"{path}/{name}")

    def is_kept(self, path: Path) -> bool:
        """Whether this name lasts."""
        with self._guard:
            folder = self._kept.get(path.parent.stat().st_ino)
            return folder is not None and path.name in folder.names

    def _hold(self, path: str) -> None:
        """Keep an inode's number from being given to another."""
        follow = 0 if path.startswith("/proc/self/fd/") else os.O_NOFOLLOW
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC | follow)
        inode = os.fstat(handle).st_ino
        if inode in self._held:
            os.close(handle)
        else:
            self._held[inode] = handle


def scan(root: Path) -> Image:
    """All that stands below a folder now."""
    image: Image = {}
    waiting = [str(root)]
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(path)
            image[status.st_ino] = node = _node(path, status)
        except FileNotFoundError:
            continue
        waiting += [f"{path}/{name}" for name in node.names]
    return image


def leave(root: Path, image: Image) -> None:
    """Make a folder what the image says; what stays keeps its inode."""
    limbo = root.with_name(f"{root.name}.limbo")
    limbo.mkdir()
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*files, *folders):
            path = os.path.join(folder, name)
            inode = os.lstat(path).st_ino
            if inode in image and not os.path.lexists(limbo / str(inode)):
                os.rename(path, limbo / str(inode))
            elif os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)
    _fill(root, os.lstat(root).st_ino, image, _Places(limbo))
    shutil.rmtree(limbo)


class _Places:
    """Where inodes are: in limbo, or by the name that was given to them first."""

    def __init__(self, limbo: Path) -> None:
        self._limbo = limbo
        self._placed: dict[int, Path] = {}

    def put(self, inode: int, node: Node, path: Path) -> None:
        if first := self._placed.get(inode):
            if not node.is_folder:
                os.link(first, path, follow_symlinks=False)
            return
        self._placed[inode] = path
        waiting = self._limbo / str(inode)
        if os.path.lexists(waiting):
            os.rename(waiting, path)
        elif node.is_folder:
            path.mkdir()
        elif stat.S_ISLNK(node.mode):
            path.symlink_to(os.fsdecode(node.content))
        else:
            path.touch()
        if stat.S_ISREG(node.mode):
            if path.read_bytes() != node.content:
                path.write_bytes(node.content)
            _date(path, node)


def _date(path: Path, node: Node) -> None:
    os.chmod(path, stat.S_IMODE(node.mode))
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns))


def _fill(path: Path, inode: int, image: Image, places: _Places) -> None:
    node = image[inode]
    for name, child in node.names.items():
        if child in image:
            places.put(child, image[child], path / name)
            if image[child].is_folder:
                _fill(path / name, child, image, places)
    _date(path, node)


def _node(path: str, status: os.stat_result) -> Node:
    node = Node(status.st_mode, status.st_mtime_ns)
    if stat.S_ISLNK(status.st_mode):
        return replace(node, content=os.fsencode(os.readlink(path)))
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb", buffering=0) as file:
            return replace(node, content=file.read())
    if not stat.S_ISDIR(status.st_mode):
        return node
    with os.scandir(path) as entries:
        return replace(node, names={entry.name: entry.inode() for entry in entries})


def _leave(sure: Node | None, now: Node | None, dice: Random | None) -> Node:
    """What is left of one inode."""
    if sure is None or now is None:
        only = sure or now
        assert only is not None
        if now is None:
            return only
        if stat.S_ISREG(only.mode):
            return replace(only, content=_torn(b"", only.content, dice))
        return only if only.content else replace(only, names=_some({}, only.names, dice))
    if now.is_folder:
        return replace(now, names=_some(sure.names, now.names, dice))
    return replace(now, content=_torn(sure.content, now.content, dice))


def _torn(sure: bytes, now: bytes, dice: Random | None) -> bytes:
    if dice is None or sure == now:
        return sure
    half = len(now) // 2
    return dice.choice((sure, now, now[:half] + sure[half:]))


def _some(sure: dict[str, int], now: dict[str, int], dice: Random | None) -> dict[str, int]:
    if dice is None:
        return dict(sure)
    chosen = {name: dice.choice((sure, now)).get(name) for name in sorted(sure.keys() | now.keys())}
    return {name: inode for name, inode in chosen.items() if inode is not None}


def _keep_renamed(left: Image, sure: Image, now: Image) -> None:
    """A rename is one step: no inode loses its name by it, and no folder has two."""
    places = {at: (folder, name) for folder, name, at in _names(now)}
    found: dict[int, list[tuple[int, str]]] = {}
    for folder, name, inode in _names(left):
        found.setdefault(inode, []).append((folder, name))
    for _folder, _name, inode in _names(sure):
        if inode in places and inode not in found:
            folder, name = places[inode]
            if folder in left:
                left[folder].names[name] = inode
                found[inode] = [(folder, name)]
    for inode, several in found.items():
        if left[inode].is_folder if inode in left else False:
            for folder, name in several:
                if len(several) > 1 and places.get(inode) != (folder, name):
                    del left[folder].names[name]


def _names(image: Image) -> list[tuple[int, str, int]]:
    return [(at, name, inode) for at, node in image.items() for name, inode in node.names.items()]
