"""Who stands at a path: resolved place, device, inode, file system, birth; who overlaps whom."""

from __future__ import annotations

import errno
import os

from adapters.directory import config, kernel, mounts
from adapters.directory.failures import as_failure
from vault.errors import SourceError, SourceVanished
from vault.provider import SourceIdentity

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIGITS = 20  # of a device number that is one; what is recorded may say anything


def resolve(location: str) -> bytes:
    """The real path of an existing directory. Raises SourceVanished, SourceDenied."""
    try:
        real = os.path.realpath(os.fsencode(location), strict=True)
    except OSError as error:
        raise _unreachable(location, error) from error
    if not os.path.isdir(real):
        raise SourceVanished(
            f"“{location}” is not a directory", hint="Give the path of a folder, not of a file."
        )
    return real


def as_text(path: bytes) -> str:
    """A place as text that can be recorded. Raises SourceError where it is not UTF-8."""
    try:
        return path.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"The path {path!r} is not UTF-8", hint="Rename the folder; names inside may stay."
        ) from error


def open_volume(location: str) -> tuple[int, bytes]:
    """Open a volume's root: descriptor and real path. Raises SourceVanished, SourceDenied."""
    real = resolve(location)
    try:
        return os.open(real, OPEN_DIRECTORY | os.O_NOFOLLOW), real
    except OSError as error:
        raise _unreachable(location, error) from error


def identity_at(fd: int, path: bytes) -> SourceIdentity:
    """The identity of the volume whose data are in this open directory, at this resolved path.

    What a mount point held is still that volume when it waits in quarantine.
    """
    parts = path.split(b"/")
    if parts[-3:-2] != [config.TRASH] or parts[-1] != config.CHILDREN:
        return identity_of(fd)
    above = os.open(b"/".join(parts[:-3]), OPEN_DIRECTORY)
    try:
        return identity_of(above)
    finally:
        os.close(above)


def identity_of(fd: int) -> SourceIdentity:
    """The identity of an open directory; all terms are as text."""
    info = os.fstat(fd)
    terms = [("device", str(info.st_dev)), ("inode", str(info.st_ino))]
    terms.append(("filesystem", f"{os.fstatvfs(fd).f_fsid:x}"))
    born = kernel.look(fd).born_ns
    if born is not None:  # an inode number is given out again, a birth is not
        terms.append(("born", str(born)))
    return SourceIdentity("directory", tuple(terms))


def is_same(one: SourceIdentity, other: SourceIdentity) -> bool:
    """Whether two identities mean one directory, also when disks were renumbered in between."""
    a, b = dict(one.terms), dict(other.terms)
    if one.kind != other.kind or a.get("inode") != b.get("inode"):
        return False
    if "born" in a and "born" in b and a["born"] != b["born"]:
        return False
    if a.get("device") == b.get("device"):
        return a.get("filesystem", "") == b.get("filesystem", "")
    if _is_nameless(a) and _is_nameless(b):
        return "born" in a and "born" in b
    return "born" in a and a.get("filesystem", "0") == b.get("filesystem") != "0"


def _is_nameless(terms: dict[str, str]) -> bool:
    """Whether a file system has no name but its device's number, as XFS: both are given anew."""
    device = terms.get("device", "")
    number = int(device) if device.isdecimal() and len(device) <= _DIGITS else -1
    return f"{number:x}" == terms.get("filesystem")


def is_on(fd: int, identity: SourceIdentity) -> bool:
    """Whether an open directory lies on the file system that an identity names."""
    terms = dict(identity.terms)
    system = f"{os.fstatvfs(fd).f_fsid:x}"
    if system != "0" and "filesystem" in terms:
        return system == terms["filesystem"]
    return str(os.fstat(fd).st_dev) == terms.get("device")


def overlap(one: str, other: str) -> bool:
    """Whether one place is, holds or lies in the other: by path, by inode, by mount table."""
    a, b = (os.path.realpath(os.fsencode(place)) for place in (one, other))
    if mounts.is_within(a, b) or mounts.is_within(b, a):
        return True
    above_a, above_b = _ancestors(a), _ancestors(b)
    if (above_a and above_a[0] in above_b) or (above_b and above_b[0] in above_a):
        return True
    at_a, at_b = mounts.position(a), mounts.position(b)
    if at_a is None or at_b is None or at_a[0] != at_b[0]:
        return False
    return mounts.is_within(at_a[1], at_b[1]) or mounts.is_within(at_b[1], at_a[1])


def _ancestors(path: bytes) -> list[tuple[int, int]]:
    """Device and inode of a path and all above it; empty where the path itself does not exist."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            info = os.stat(path)
        except OSError:
            return []
        found.append((info.st_dev, info.st_ino))
        if path == b"/":
            return found
        path = os.path.dirname(path)


def _unreachable(location: str, error: OSError) -> SourceError:
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE}:
        return SourceVanished(
            f"Nothing stands at “{location}”", hint="Check the path, and that its disk is mounted."
        )
    return as_failure(error, f"open “{location}”")
