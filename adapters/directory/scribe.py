"""A process that writes small files for a restore; what to write comes through shared memory.

`scribes` starts it. It holds no key, reaches no store, and ends when the restore does.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec

from adapters.directory.failures import Findings, ends_restore, reason, unsafe
from adapters.directory.metadata import Given, Metadata, Refusals, given_to
from adapters.directory.placing import Placing
from adapters.directory.trail import Journey
from vault.errors import PathUnsafe
from vault.provider import Entry

HEAD: Final = struct.Struct("=II")  # before each file: bytes of its entry, bytes of its content
STRETCH: Final = struct.Struct("=QQ")  # where files lie in the shared memory: from, to
READY: Final = b"!"  # said once, before anything else
LENGTH: Final = struct.Struct("=I")  # of the report on a stretch

_decoder: Final = msgspec.msgpack.Decoder(Entry)


class Report(msgspec.Struct, array_like=True):
    """What came of a stretch: what was not restored and why, what else was refused.

    `failure` is the errno that ended it, 0 where all was tried, and `failed_at` the path.
    """

    lost: list[tuple[bytes, str]]
    refused: Refusals
    failure: int = 0
    failed_at: bytes = b""


class Scribe(Journey):
    """Writes files below an open directory, going through no symlink."""

    def __init__(self, root: int) -> None:
        """Take over the open directory `root`. Raises OSError."""
        super().__init__(root)
        log = Findings()
        self._metadata = Metadata(log)
        self._placing = Placing(log, self._metadata, in_place=False)
        self._given: Given | None = None  # to each file of the directory that it is in

    def write(self, files: Iterator[tuple[Entry, memoryview]]) -> Report:
        """Write files in turn; one that cannot be written does not stop the others."""
        report = Report([], {})
        for entry, content in files:
            try:
                self._file(entry, content)
            except PathUnsafe as error:
                report.lost.append((entry.path, error.message))
            except OSError as error:
                if ends_restore(error):
                    report.failure = error.errno or errno.EIO
                    report.failed_at = entry.path
                    break
                report.lost.append((entry.path, reason(error)))
        report.refused = self._metadata.drain()
        return report

    def _file(self, entry: Entry, content: memoryview) -> None:
        name = self.go(entry.path)
        try:
            self._placing.file(self.fd, name, entry, (content,), given=self._given_to)
        except FileExistsError as error:
            raise unsafe(entry.path, "something stands there already") from error

    def _given_to(self, fd: int) -> Given:
        """Looked at once a directory: its own metadata are set when its files are written."""
        if self._given is None:
            self._given = given_to(fd)
        return self._given

    def entered(self, info: os.stat_result) -> None:
        """See Journey."""
        self._given = None

    def leaving(self) -> None:
        """See Journey."""
        self._given = None


def files_in(shared: memoryview) -> Iterator[tuple[Entry, memoryview]]:
    """The files of a stretch: entry and content."""
    at = 0
    while at < len(shared):
        head, size = HEAD.unpack_from(shared, at)
        at += HEAD.size
        yield _decoder.decode(shared[at : at + head]), shared[at + head : at + head + size]
        at += head + size


def serve() -> None:
    """Write the stretches that standard input names, report on standard output, until it ends.

    Its words are the descriptors of the target and of the shared memory.
    """
    with suppress(BrokenPipeError):  # the restore is over, or died: nobody waits for a word
        _serve(*map(int, sys.argv[1:]))
    os._exit(0)  # nothing is left to be undone


def _serve(root: int, memory: int) -> None:
    scribe = Scribe(root)
    shared = memoryview(mmap.mmap(memory, 0, prot=mmap.PROT_READ))
    calls, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while call := calls.read(STRETCH.size):
        start, end = STRETCH.unpack(call)
        body = msgspec.msgpack.encode(scribe.write(files_in(shared[start:end])))
        answers.write(LENGTH.pack(len(body)) + body)
        answers.flush()
