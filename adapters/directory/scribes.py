"""Small files of a restore, handed to several processes: one Python thread cannot keep a disk busy.

Files go out in stretches that lie in shared memory, to one process after the other. Directories
are made before, by the restoration itself, and are given their metadata when what stands in them
is written. Threads would not do: they take turns between any two calls of the system.
"""

from __future__ import annotations

import mmap
import os
import select
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import IO, Final

import msgspec

from adapters.directory.failures import Findings, as_failure, ends_restore, reason, shown
from adapters.directory.filling import Blocks
from adapters.directory.metadata import Metadata
from adapters.directory.scribe import HEAD, LENGTH, READY, STRETCH, Report
from adapters.directory.trail import open_below
from vault.errors import SourceError
from vault.limits import MIB
from vault.provider import Entry

_ALONE: Final = 1000  # files that are written before it is worth while to start any
_PROCESSES: Final = 4  # more would wait for the one that reads the store
_SLOT: Final = 4 * MIB  # of shared memory: one stretch
_SLOTS: Final = 2  # a process: one being written, one being filled
_LARGEST: Final = 1 * MIB  # a larger file costs more to hand over than to write
_WAITING: Final = 4096  # directories that wait for their files, at most
_PATIENCE: Final = 0.0  # seconds to wait for a start: meanwhile files are written here
_PROGRAM: Final = "from adapters.directory.scribe import serve; serve()"

_encoder: Final = msgspec.msgpack.Encoder()


class Scribes:
    """Processes that write below one open directory; for one thread."""

    def __init__(self, findings: Findings, metadata: Metadata) -> None:
        self._findings = findings
        self._metadata = metadata
        self._root = -1
        self._files = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._starting: list[subprocess.Popen[bytes]] = []
        self._slots = 0
        self._answered = self._sent = 0  # stretches
        self._at = self._start = 0
        self._waiting: deque[tuple[int, Entry]] = deque()
        self._failure: SourceError | None = None

    def take(self, root: int, entry: Entry, blocks: Blocks) -> bool:
        """Take a file over; False, and nothing read, where it had better be written here.

        Raises what taking blocks raises, and SourceError where an earlier file ended the restore.
        """
        self._files += 1
        if self._files == _ALONE:
            self._begin(root)
        if self._failure is not None:
            raise self._failure
        if not self._processes or (self._starting and not self._ready()):
            return False
        room = sum(n for _, n in entry.segments) if entry.segments is not None else entry.size
        head = _encoder.encode(entry)
        if room > _LARGEST or HEAD.size + len(head) + room >= _SLOT:
            return False
        self._add(head, blocks, room)
        return True

    def defer(self, entry: Entry) -> bool:
        """Settle a directory once all files taken so far are written; False where they are."""
        if self._idle:
            return False
        self._waiting.append((self._sent, entry))
        if len(self._waiting) > _WAITING:
            self.wait()
        return True

    def wait(self) -> None:
        """Until all that was taken is written. Raises SourceError, OSError."""
        if self._failure is not None:
            raise self._failure
        self._send()
        while self._answered < self._sent:
            self._hear()
        self._settle()

    def close(self) -> None:
        """End the processes; the stretch that one is at it finishes."""
        if self._processes:
            self._memory.close()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait()
        self._processes.clear()

    @property
    def _idle(self) -> bool:
        return self._at == self._start and self._answered == self._sent

    def _begin(self, root: int) -> None:
        """Start the processes, where this system has the means and processors to spare."""
        count = min(_processors(), _PROCESSES)
        if count < 2 or not sys.executable or not hasattr(os, "memfd_create"):
            return
        self._root, self._slots = root, count * _SLOTS
        memory = os.memfd_create("vault-restore", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, self._slots * _SLOT)
            self._memory = mmap.mmap(memory, 0)
            for _ in range(count):
                self._processes.append(_started(root, memory))
            self._starting = list(self._processes)
        except OSError:  # it takes longer without them
            self.close()
        finally:
            os.close(memory)

    def _ready(self) -> bool:
        while self._starting:
            pipe = self._starting[-1].stdout
            if pipe is None or not select.select([pipe], [], [], _PATIENCE)[0]:
                return False
            if pipe.read(len(READY)) != READY:  # it cannot run here: do without
                self.close()
                self._starting.clear()
                return False
            self._starting.pop()
        return True

    def _add(self, head: bytes, blocks: Blocks, room: int) -> None:
        """Lay a file into a slot; of content that is too long only enough to be seen."""
        if self._at + HEAD.size + len(head) + room >= self._start + _SLOT:
            self._send()
        if self._at == self._start:
            while self._sent - self._answered >= self._slots:
                self._hear()
            self._at = self._start = self._sent % self._slots * _SLOT
        body = self._at + HEAD.size + len(head)
        end, most = body, body + room + 1
        for block in blocks:
            piece = block if len(block) <= most - end else block[: most - end]
            self._memory[end : end + len(piece)] = piece
            end += len(piece)
            if end == most:
                break
        HEAD.pack_into(self._memory, self._at, len(head), end - body)
        self._memory[self._at + HEAD.size : body] = head
        self._at = end

    def _send(self) -> None:
        if self._at == self._start:
            return
        pipe = self._processes[self._sent % len(self._processes)].stdin
        try:
            if pipe is not None:
                pipe.write(STRETCH.pack(self._start, self._at))
        except BrokenPipeError as error:
            raise _ended() from error
        self._sent += 1
        self._at = self._start

    def _hear(self) -> None:
        """Take the report on the oldest stretch. Raises SourceError, OSError."""
        pipe = self._processes[self._answered % len(self._processes)].stdout
        (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
        report = msgspec.msgpack.decode(_exactly(pipe, length), type=Report)
        self._answered += 1
        for path, why in report.lost:
            self._findings.report("not-restored", path, why)
        self._metadata.add(report.refused)
        if report.failure:
            error = OSError(report.failure, os.strerror(report.failure))
            self._failure = as_failure(error, f"write “{shown(report.failed_at)}”")
            self.close()
            raise self._failure
        self._settle()

    def _settle(self) -> None:
        """Give the directories whose files are written the metadata that were kept back."""
        while self._waiting and (self._idle or self._waiting[0][0] < self._answered):
            _, entry = self._waiting.popleft()
            try:
                fd = open_below(self._root, entry.path)
                try:
                    self._metadata.apply(fd, entry)
                finally:
                    os.close(fd)
            except OSError as error:
                if ends_restore(error):
                    raise
                self._findings.report("not-restored", entry.path, reason(error))


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _started(root: int, memory: int) -> subprocess.Popen[bytes]:
    """A process that sees the same modules as this one, and of its files only these two.

    Not all of them lie below `sys.path`: an editable installation's are found by what `site` loads.
    """
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, str(root), str(memory)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(root, memory),
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,  # an interrupt is for the restore, which then lets go of it
    )


def _exactly(pipe: IO[bytes] | None, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = pipe.read(length - len(data)) if pipe is not None else b""
        if not part:
            raise _ended()
        data += part
    return data


def _ended() -> SourceError:
    return SourceError(
        "A process that wrote files for this restore ended before its time",
        safe="What is stored is untouched.",
        hint="Look for what ended it (out of memory?), then restore again into an empty folder.",
    )
