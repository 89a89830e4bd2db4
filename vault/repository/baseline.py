"""A volume's last manifest, cached locally and sealed, so that unchanged files need no reading.

The file is a cache: missing, torn or foreign, it is not used and everything is read anew.
Layout: magic | u16 length, snapshot id | 32-byte salt | frames; a frame is u32 length, u32 size of
the page, u8 compressed, sealed page. An empty page ends the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from vault.codec.buffers import Buffer
from vault.codec.cipher import seal, unseal
from vault.codec.compressor import compress, decompress
from vault.codec.digest import derive_key
from vault.codec.keyring import WriterKeys
from vault.errors import Corrupt

_MAGIC: Final = b"VAULTBAS"
_CONTEXT: Final = "vault 2026 baseline"
_FRAME: Final = struct.Struct(">IIB")
_SALT: Final = 32
_FRAME_MAX: Final = 1 << 28


class Frame(NamedTuple):
    """A page's bytes, and the same as they lie in the file, compressed where so said."""

    body: bytes
    shrunk: bool
    data: Buffer


def compressed(body: bytes) -> Frame:
    """A page as it goes into the file."""
    return Frame(body, *compress(body))


def baseline_path(home: Path, volume: str) -> Path:
    """Where a volume's baseline lies below `$VAULT_HOME`."""
    return home / "baselines" / f"{volume}.baseline"


class BaselineWriter:
    """Writes the next baseline beside the present one; `commit` puts it in its place.

    It never fails: where the disk does, there is no new baseline and the next snapshot reads all.
    """

    def __init__(self, path: Path, keys: WriterKeys, snapshot: str) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.{snapshot}")
        self._number = 0
        salt = os.urandom(_SALT)
        self._key = derive_key(_CONTEXT, keys.index_key + salt)
        self._snapshot = snapshot.encode()
        self._head = _MAGIC + struct.pack(">H", len(self._snapshot)) + self._snapshot + salt
        self._file: BinaryIO | None = None

    def append(self, frame: Frame) -> None:
        """Append a page."""
        if self._file is None and self._number:
            return  # it has failed
        sealed = seal(self._key, self._number, self._snapshot, frame.data)
        self._number += 1
        try:
            if self._file is None:
                self._file = self._begin()
            self._file.write(_FRAME.pack(len(sealed), len(frame.body), frame.shrunk) + sealed)
        except OSError:
            self.discard()

    def _begin(self) -> BinaryIO:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = os.fdopen(descriptor, "wb")
        file.write(self._head)
        return file

    def commit(self) -> None:
        """Make it the baseline, durably; leftovers of crashed predecessors go."""
        self.append(Frame(b"", False, b""))
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
            for left in self._path.parent.glob(f"{self._path.name}.*"):
                if left.name < self._part.name:
                    left.unlink(missing_ok=True)
        except OSError:
            self.discard()
        self._file = None

    def discard(self) -> None:
        """Drop it; harmless after `commit`."""
        if self._file is None:
            return
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._file = None


class BaselineReader:
    """The pages of a baseline, once, in order. Whoever has it closes it; it may be left half read.

    It ends early where the file is damaged: what is left out is read anew.
    """

    def __init__(self, file: BinaryIO, key: bytes, snapshot: bytes) -> None:
        self._file = file
        self._key = key
        self._snapshot = snapshot

    def close(self) -> None:
        """Give the file back; harmless when repeated."""
        self._file.close()

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        while (frame := self._next(number)) is not None:
            yield frame
            number += 1

    def _next(self, number: int) -> Frame | None:
        try:
            head = self._file.read(_FRAME.size)
            if len(head) != _FRAME.size:
                return None
            length, size, shrunk = _FRAME.unpack(head)
            if max(length, size) > _FRAME_MAX:
                return None
            data = unseal(self._key, number, self._snapshot, self._file.read(length))
            if not data:
                return None
            return Frame(decompress(data, size) if shrunk else data, bool(shrunk), data)
        except (Corrupt, OSError):
            return None


def read_baseline(path: Path, keys: WriterKeys, snapshot: str) -> BaselineReader | None:
    """The pages of `snapshot` as the writer remembers them; None where it does not."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    name = snapshot.encode()
    expected = _MAGIC + struct.pack(">H", len(name)) + name
    try:
        head, salt = file.read(len(expected)), file.read(_SALT)
    except OSError:
        head = salt = b""
    if head != expected:
        file.close()
        return None
    return BaselineReader(file, derive_key(_CONTEXT, keys.index_key + salt), name)
