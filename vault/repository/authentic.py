"""Reading through what others laid on top: the authentic version of a key is the oldest that
hashes to the digest in its name.

Anyone who can put can lay versions and delete markers over a key, and nobody can lay them under
what is there already. So the oldest version is looked at first, its date is the object's date, and
whatever hides it is reported as tampering. Memory is bounded however many versions there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeAlias

import msgspec

from vault.errors import Corrupt, ObjectMissing
from vault.limits import BYTES_IN_FLIGHT, MAX_RECORD
from vault.store.contract import ObjectVersion, Reader
from vault.store.names import content_digest, digest_of

TAMPERING_MAX: Final = 10_000
"""So many notes are kept; what comes after says nothing new."""

_CANDIDATES: Final = 16  # the oldest versions of a key that a listing remembers
_READERS: Final = 8
_READS_AHEAD: Final = 32


class Tampering(msgspec.Struct, frozen=True):
    """Something in the store that is not as vault left it; `what` is a stable word.

    marker (a delete marker over an object), overwritten (another version laid over it), unreadable
    (no version hashes to the name), stray (a name that carries no digest), gone (only markers are
    left of it), forged (not a record of this vault, kind and place), unauthentic (signed by none
    whom the charter allows), feature-unknown (authentic, and in need of a newer vault), gap (what
    an authentic record refers to is missing), fork (two successors of one record).
    """

    key: str
    what: str
    detail: str


TamperingLog: TypeAlias = list[Tampering]
"""Where readers leave what they notice; appended to by several threads."""


class Verified(msgspec.Struct, frozen=True):
    """The bytes of an object, with the oldest version that holds them and that version's date."""

    key: str
    data: bytes
    version: str
    modified: datetime


class Listed(msgspec.Struct, frozen=True):
    """A key as one pass over its versions shows it; nothing of it was read.

    `oldest` are its first versions (no markers), oldest first, at most 16.
    """

    key: str
    oldest: tuple[ObjectVersion, ...]
    newest: ObjectVersion
    versions: int
    markers: int
    largest: int

    @property
    def version(self) -> str:
        """The oldest version: the authentic one, unless someone knew the content beforehand."""
        return self.oldest[0].version

    @property
    def modified(self) -> datetime:
        """When the oldest version was stored."""
        return self.oldest[0].modified

    @property
    def size(self) -> int:
        """Bytes of the oldest version."""
        return self.oldest[0].size


def note(tampering: TamperingLog, key: str, what: str, detail: str) -> None:
    """Add a note, up to TAMPERING_MAX."""
    if len(tampering) < TAMPERING_MAX:
        tampering.append(Tampering(key, what, detail))


def list_keys(reader: Reader, prefix: str, tampering: TamperingLog) -> Iterator[Listed]:
    """Every key under `prefix` that has a version, in byte order, markers or not."""
    for key, group in groupby(reader.list(prefix), key=attrgetter("key")):
        listed = _summarise(key, group, tampering)
        if listed is not None:
            yield listed


def read_verified(reader: Reader, key: str, tampering: TamperingLog) -> Verified:
    """Read one object as it was first stored. One listing and one GET where nobody tampered.

    Raises ObjectMissing where the key has no version, Corrupt where none hashes to its name.
    """
    for listed in list_keys(reader, key, tampering):
        if listed.key == key:
            return read_listed(reader, listed, tampering)
    raise ObjectMissing(f"{key} is not in {reader.address}")


def read_data(reader: Reader, key: str, tampering: TamperingLog) -> bytes:
    """Read one object's bytes, whichever version holds them. One GET where nobody tampered.

    Raises as `read_verified` does.
    """
    try:
        data = reader.get(key, 0, MAX_RECORD + 1)
    except ObjectMissing:
        return read_verified(reader, key, tampering).data
    if content_digest(data) == digest_of(key):
        return data
    return read_verified(reader, key, tampering).data


def read_listed(reader: Reader, listed: Listed, tampering: TamperingLog) -> Verified:
    """Read what a listing found.

    Raises Corrupt where no version hashes to the name, ObjectMissing where none is left: it lapsed
    and was collected meanwhile, which is no damage.
    """
    found = _first_authentic(reader, listed.oldest)
    if found is None and listed.versions > len(listed.oldest):
        # Newest first: the last one to verify is the oldest.
        for version in reader.list(listed.key):
            if version.key == listed.key and not version.marker:
                found = _read_authentic(reader, version) or found
    if found is None:
        if not _is_there(reader, listed.key):
            raise ObjectMissing(f"{listed.key} was collected after it was listed")
        raise Corrupt(
            f"{listed.key} is damaged: none of its {listed.versions} version(s) hashes to its name"
        )
    if found.version != listed.version or _hidden_by_twin(reader, listed, found):
        note(tampering, listed.key, "overwritten", "another version of it holds other bytes")
    return found


def read_all(
    reader: Reader,
    prefix: str,
    tampering: TamperingLog,
    *,
    skip: Callable[[Listed], bool] = lambda _: False,
) -> Iterator[Verified]:
    """Read every object under `prefix` in byte order of keys, several at once, few held.

    Those that `skip` knows are not read. What no version of verifies is noted as unreadable and
    left out.
    """
    with ThreadPoolExecutor(_READERS, thread_name_prefix="vault-read") as pool:
        waiting: deque[tuple[Future[Verified | None], int]] = deque()
        held = 0
        try:
            for listed in list_keys(reader, prefix, tampering):
                if skip(listed):
                    continue
                size = min(listed.largest, MAX_RECORD)
                while waiting and (len(waiting) >= _READS_AHEAD or held + size > BYTES_IN_FLIGHT):
                    future, released = waiting.popleft()
                    held -= released
                    yield from _present(future)
                waiting.append((pool.submit(_try_listed, reader, listed, tampering), size))
                held += size
            while waiting:
                yield from _present(waiting.popleft()[0])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _present(future: Future[Verified | None]) -> Iterator[Verified]:
    verified = future.result()
    if verified is not None:
        yield verified


def _try_listed(reader: Reader, listed: Listed, tampering: TamperingLog) -> Verified | None:
    try:
        return read_listed(reader, listed, tampering)
    except ObjectMissing:
        return None
    except Corrupt as error:
        note(tampering, listed.key, "unreadable", error.message)
        return None


def _summarise(key: str, group: Iterable[ObjectVersion], tampering: TamperingLog) -> Listed | None:
    """Fold the versions of one key, newest first, into a Listed; note what lies over it."""
    oldest: deque[ObjectVersion] = deque(maxlen=_CANDIDATES)
    newest: ObjectVersion | None = None
    versions = markers = largest = 0
    smallest = MAX_RECORD
    for version in group:
        if version.marker:
            markers += 1
            continue
        newest = newest or version
        oldest.append(version)
        versions += 1
        largest, smallest = max(largest, version.size), min(smallest, version.size)
    if digest_of(key) is None:
        note(tampering, key, "stray", "its name carries no digest")
        return None
    if newest is None:
        note(tampering, key, "gone", f"only {markers} delete marker(s) are left of it")
        return None
    if markers:
        note(tampering, key, "marker", f"{markers} delete marker(s) lie over it")
    if versions > 1 and largest != smallest:
        note(tampering, key, "overwritten", f"it has {versions} versions of different sizes")
    return Listed(key, tuple(reversed(oldest)), newest, versions, markers, largest)


def _is_there(reader: Reader, key: str) -> bool:
    return any(version.key == key and not version.marker for version in reader.list(key))


def _first_authentic(reader: Reader, oldest: Iterable[ObjectVersion]) -> Verified | None:
    for version in oldest:
        found = _read_authentic(reader, version)
        if found is not None:
            return found
    return None


def _read_authentic(reader: Reader, version: ObjectVersion) -> Verified | None:
    if version.size > MAX_RECORD:
        return None
    try:
        data = reader.get(version.key, 0, MAX_RECORD + 1, version=version.version)
    except ObjectMissing:  # lapsed and collected since it was listed
        return None
    if content_digest(data) != digest_of(version.key):
        return None
    return Verified(version.key, data, version.version, version.modified)


def _hidden_by_twin(reader: Reader, listed: Listed, found: Verified) -> bool:
    """Whether the newest version, of the same size (others were noted), holds other bytes."""
    if listed.versions == 1 or listed.newest.size != len(found.data):
        return False
    return _read_authentic(reader, listed.newest) is None
