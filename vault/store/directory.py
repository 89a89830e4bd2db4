"""The embedded store (`file:///path`): create-only files, durable, locked by sidecar files.

    vault-store                          says that this is a store; without it nothing is read
    objects/<key>, objects/<key>~<n>     version 0 and later versions of a key
    locks/<key>/<unix seconds>~<n>       version n is locked until then; the latest counts
    incoming/                            drafts, where a file system has no nameless files;
                                         `sealing-…` while files are made immutable

Locks bind whoever comes through vault. The owner of the files and root can go around it: they are
immutable where this process may make them so, and attestation says what that does not stop.
The marker's own flag says that files here are to carry it. A file has its name before its flag, as
an immutable one could not get it: what a crash left between the two, the next process that stores
something makes good.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from vault.clock import Clock, format_time
from vault.errors import LockRefused, ObjectMissing, StoreUnreachable
from vault.limits import MIB
from vault.store.address import Address, invalid
from vault.store.contract import Lock, LockMode, ObjectVersion, Receipt
from vault.store.directory_files import compare, translated, walk
from vault.store.durable import (
    draft,
    is_sealed,
    make_directories,
    seal_file,
    sync_directory,
    sync_file,
    unseal,
)
from vault.store.locks import refuse_past, round_up
from vault.store.names import require_key

_MARKER = "vault-store"
_SEALING = "sealing-"
_LATEST = 253_402_300_799  # the last second that has a date
_LARGE = MIB
"""What is read in one go from here on leaves the system's cache to what the host works with."""
_MARKER_TEXT = b"vault-store 1\nThis directory holds a vault's write-once objects.\n"


class DirectoryStore:
    """All rights in one object, over a directory that `establish` made a store.

    `immutable` asks for the immutable flag on every file; without the right to set it files are
    merely read-only.
    """

    clocked = False

    def __init__(self, root: Path, clock: Clock, *, immutable: bool = True) -> None:
        self.address = f"file://{root}"
        self.root = root
        self._clock = clock
        self.immutable = immutable
        self._objects = root / "objects"
        self._locks = root / "locks"
        self._settled = {root}
        self._seals: bool | None = None

    def now(self) -> datetime:
        """See Reader: the host's time."""
        return self._clock.now()

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        with self._entered(fcntl.LOCK_SH):
            path = self._path(key, self._find(key, version))
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                wanted = max(0, size - start) if length is None else min(length, size - start)
                data = _read_exactly(file.fileno(), start, wanted)
                if wanted >= _LARGE:
                    os.posix_fadvise(file.fileno(), start, wanted, os.POSIX_FADV_DONTNEED)
                return data

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader."""
        self._insist()
        newest = None
        with translated(self.address):
            for key, number, path in walk(self._objects, prefix):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                modified = datetime.fromtimestamp(min(max(status.st_mtime, 0), _LATEST), UTC)
                latest, newest = key != newest, key
                yield ObjectVersion(key, str(number), status.st_size, modified, latest=latest)
        self._insist()  # a disk that went away meanwhile has shown less than there is

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        with self._entered(fcntl.LOCK_SH):
            number = self._find(key, version)
            until = self._locked_until(key, number)
            firm = not self._expects_seals() or is_sealed(self._path(key, number))
        return Lock(LockMode.NONE if until is None else LockMode.COMPLIANCE, until, firm)

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        until = round_up(retain_until)
        refuse_past(until, self.now())
        target = self._objects / require_key(key)
        self._mend()
        with self._entered(fcntl.LOCK_SH), self._sealing():
            self._settle(target.parent)
            number = self._same(key, data)
            if number is None:
                number = self._create(key, data, until)
            else:
                sync_file(self._path(key, number))
                sync_directory(target.parent)
                self._seal(key, number)
            return Receipt(key, str(number), self._lock(key, number, until))

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        until = round_up(until)
        self._mend()
        with self._entered(fcntl.LOCK_SH), self._sealing():
            number = self._find(key, version)
            self._seal(key, number)
            held = self._locked_until(key, number)
            if held is not None and until <= held:
                return held
            refuse_past(until, self.now())
            return self._lock(key, number, until)

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper. Waits for puts and extensions under way, and they for it."""
        self._mend()
        with self._entered(fcntl.LOCK_EX), self._sealing():
            try:
                number = self._find(key, version)
            except ObjectMissing:
                return
            until = self._locked_until(key, number)
            if until is not None and until > self.now():
                raise LockRefused(f"{key} is locked until {format_time(until)}")
            path = self._path(key, number)
            unseal(path)
            path.unlink()
            sync_directory(path.parent)
            for lock, held in self._lock_files(key):
                if held == number:
                    unseal(lock)
                    lock.unlink()

    def _expects_seals(self) -> bool:
        """Whether files here are to be immutable: the marker was made so, like any of them."""
        return self.immutable and is_sealed(self.root / _MARKER)

    def _mend(self) -> None:
        """Before this process first stores: give back the flags that crashes kept off."""
        if self._seals is not None:
            return
        incoming = self.root / "incoming"
        with self._entered(fcntl.LOCK_SH):
            self._seals = self._expects_seals()
            self._settle(incoming)
            left = [name for name in os.listdir(incoming) if name.startswith(_SEALING)]
        if not (self._seals and left):
            return
        with self._entered(fcntl.LOCK_EX):  # nobody is storing: whoever left these has ended
            places = (os.walk(root) for root in (self._objects, self._locks))
            files = [Path(at, name) for place in places for at, _, names in place for name in names]
            sealed = [seal_file(file) for file in files if not file.is_symlink()]
            if all(sealed):
                for name in left:
                    (incoming / name).unlink(missing_ok=True)

    @contextmanager
    def _sealing(self) -> Iterator[None]:
        """Leave word of it for `_mend` while files get names and flags.

        It costs no sync: a loss of power may take the word, and then verification tells.
        """
        if not self._seals:
            yield
            return
        word = self.root / "incoming" / f"{_SEALING}{secrets.token_hex(8)}"
        os.close(os.open(word, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444))
        try:
            yield
        finally:
            word.unlink(missing_ok=True)

    def _seal(self, key: str, number: int) -> None:
        """Set the flag again on what is there already: an object and its locks."""
        if self.immutable:
            locks = [path for path, held in self._lock_files(key) if held == number]
            for path in (self._path(key, number), *locks):
                seal_file(path)

    def _insist(self) -> None:
        """Raise StoreUnreachable where the store is not there."""
        with self._entered(fcntl.LOCK_SH):
            pass

    def _create(self, key: str, data: bytes | bytearray, until: datetime) -> int:
        beside = self._path(key, 0).parent
        number = max(self._numbers(key), default=-1) + 1
        parts = {"beside": beside, "spares": self.root / "incoming"}
        with draft(data, **parts, modified=self.now()) as file:
            while True:
                # The lock stands before the name: there is no moment at which it could be deleted.
                self._lock(key, number, until)
                try:
                    file.publish(self._path(key, number), immutable=self.immutable)
                except FileExistsError:
                    number += 1
                else:
                    return number

    def _lock(self, key: str, number: int, until: datetime) -> datetime:
        folder = self._locks / key
        self._settle(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
        sync_directory(folder.parent)
        path = folder / f"{int(until.timestamp())}~{number}"
        parts = {"beside": folder, "spares": self.root / "incoming"}
        with draft(b"", **parts, modified=self.now()) as file:
            try:
                file.publish(path, immutable=self.immutable)
            except FileExistsError:
                sync_directory(folder)
        return self._locked_until(key, number) or until

    def _settle(self, folder: Path) -> None:
        """Create a folder and what is above it; whoever made it, its name is durable afterwards."""
        if folder not in self._settled:
            self._settle(folder.parent)
            with suppress(FileExistsError):
                folder.mkdir()
            sync_directory(folder.parent)
            self._settled.add(folder)

    def _locked_until(self, key: str, number: int) -> datetime | None:
        files = [path for path, held in self._lock_files(key) if held == number]
        ends = [int(path.name.partition("~")[0]) for path in files]
        return datetime.fromtimestamp(min(max(ends), _LATEST), UTC) if ends else None

    def _lock_files(self, key: str) -> Sequence[tuple[Path, int]]:
        try:
            names = os.listdir(self._locks / require_key(key))
        except FileNotFoundError:
            return []
        split = [(name, *name.split("~")) for name in names if name.count("~") == 1]
        return [
            (self._locks / key / name, int(number))
            for name, until, number in split
            if until.isdecimal() and number.isdecimal()
        ]

    def _numbers(self, key: str) -> Sequence[int]:
        """The versions of a key, newest first; known by their locks, so without a long listing."""
        candidates = {0, *(number for _, number in self._lock_files(key))}
        return [n for n in sorted(candidates, reverse=True) if self._path(key, n).is_file()]

    def _find(self, key: str, version: str | None) -> int:
        numbers = self._numbers(key)
        for number in numbers:
            if version is None or version == str(number):
                return number
        raise ObjectMissing(f"{key} is not in {self.address}")

    def _same(self, key: str, data: bytes | bytearray) -> int | None:
        numbers = self._numbers(key)
        return next((n for n in numbers if compare(self._path(key, n), data)), None)

    def _path(self, key: str, number: int) -> Path:
        return self._objects / (f"{key}~{number}" if number else key)

    @contextmanager
    def _entered(self, right: int) -> Iterator[None]:
        """Hold the store's marker: shared to read and create, alone to delete.

        The kernel lets go of it with the process, so it is never stale.
        """
        with translated(self.address):
            try:
                marker = os.open(self.root / _MARKER, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):
                raise StoreUnreachable(
                    f"{self.root} is not a store: its file {_MARKER} is not there",
                    safe="Nothing was written; an unmounted disk is not taken for an empty store.",
                    hint="Mount the disk that holds it. A new store is made by: vault init. "
                    f"Where only this file was lost: touch {self.root / _MARKER}",
                ) from None
            try:
                fcntl.flock(marker, right)
                yield
            finally:
                os.close(marker)


def open_at(address: Address, profile: str | None, clock: Clock) -> DirectoryStore:
    """The store at `file:///path`; it is not touched yet. Raises StoreAddressInvalid."""
    address.refuse_unknown({"immutable"})
    choice = address.options.get("immutable", "yes")
    if address.place or not address.path or choice not in ("yes", "no"):
        raise invalid(address.url, "names no directory", hint="Write file:///path/to/store.")
    if profile is not None:
        raise invalid(address.url, f"needs no credential, and has the profile “{profile}”")
    return DirectoryStore(Path("/", address.path), clock, immutable=choice == "yes")


def establish(address: Address, profile: str | None, clock: Clock, *, create: bool) -> None:
    """Make the directory a store, where it is empty or does not exist yet; again is harmless.

    `create` means nothing here: a new directory takes nothing away from anybody.
    """
    del create
    store = open_at(address, profile, clock)
    root, marker = store.root, store.root / _MARKER
    with translated(store.address):
        make_directories(root)
        strangers = set(os.listdir(root)) - {_MARKER, "objects", "locks", "incoming"}
        if strangers and not marker.exists():
            raise invalid(
                address.url,
                f"names a directory that holds something else ({min(strangers)})",
                hint="Give an empty directory, or one that does not exist yet.",
            )
        for name in ("objects", "locks", "incoming"):
            make_directories(root / name)
        if not marker.exists():
            parts = {"beside": root, "spares": root / "incoming"}
            with draft(_MARKER_TEXT, **parts, modified=clock.now()) as file:
                file.publish(marker, immutable=store.immutable)
        elif store.immutable:
            seal_file(marker)


def _read_exactly(handle: int, start: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(handle, length, start)
        if not part:
            break
        parts.append(part)
        start, length = start + len(part), length - len(part)
    return b"".join(parts)
