"""Ends a process by SIGKILL at its n-th step: what kill -9 and a crash leave behind.

Only a test's own process wires it in; no setting, variable or flag of the product reaches it.
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from vault.store import durable

_STEPS_OF_OS: Final = (
    *("fsync", "link", "mkdir", "mknod", "rename", "replace"),
    *("rmdir", "symlink", "unlink"),
)
_CHANGES_OF_OS: Final = ("chmod", "fchmod", "ftruncate", "pwrite", "utime")
"""Of what stands under a name; the moment before each is that after another step."""


class CrashPoint:
    """Counts steps, from 0; the process ends before step `at`. For any thread.

    `before_the_end` is called last, for what has to be told of the moment. Where `instead` is
    given it happens at that step, and the process goes on.
    """

    def __init__(self, at: int) -> None:
        self._at = at
        self.kinds = Counter[str]()
        self._guard = threading.RLock()
        self.before_the_end: Callable[[], object] | None = None
        self.instead: Callable[[], object] | None = None

    @property
    def steps(self) -> int:
        """How many there were."""
        return self.kinds.total()

    def step(self, kind: str = "") -> None:
        """One more step, which `kinds` counts. Does not return where it is the last."""
        with self._guard:
            if self.steps == self._at:
                self._at = -1  # what happens now has steps of its own
                if self.instead:
                    self.instead()
                else:
                    if self.before_the_end:
                        self.before_the_end()
                    os.kill(os.getpid(), signal.SIGKILL)
            self.kinds[kind] += 1

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that counts as a step before it."""

        def stepped(*words: Any, **named: Any) -> Any:
            self.step(call.__name__)
            return call(*words, **named)

        return stepped

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that counts as a step before it, and as another one after it."""

        def stepped(*words: Any, **named: Any) -> Any:
            self.step(call.__name__)
            answer = call(*words, **named)
            self.step(call.__name__)
            return answer

        return stepped

    def wrap(self, owner: object, *names: str) -> None:
        """Make these functions of a module, class or object steps, until the process ends."""
        for name in names:
            setattr(owner, name, self.around(getattr(owner, name)))

    def wrap_reads(self, owner: object, *names: str) -> None:
        """Make steps of calls that change nothing: only the moment before one is another one."""
        for name in names:
            setattr(owner, name, self.before(getattr(owner, name)))

    def wrap_system(self) -> None:
        """Make steps of what changes a file system for good."""
        self.wrap(os, *_STEPS_OF_OS)
        self.wrap(durable, "seal")
        for name in _CHANGES_OF_OS:
            setattr(os, name, self._after_named(getattr(os, name)))
        self._wrap_opening()

    def _after_named(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What has no name is gone with the process."""

        def stepped(target: Any, *words: Any, **named: Any) -> Any:
            answer = call(target, *words, **named)
            if not isinstance(target, int) or os.fstat(target).st_nlink:
                self.step(call.__name__)
            return answer

        return stepped

    def _wrap_opening(self) -> None:
        """A file that has a name and nothing in it is something else than none."""
        of_os, of_io = os.open, io.open

        def opens(path: Any, flags: int, *words: Any, **named: Any) -> int:
            handle = of_os(path, flags, *words, **named)
            if flags & os.O_CREAT:
                self.step("create")
            return handle

        def opens_file(path: Any, mode: str = "r", *words: Any, **named: Any) -> Any:
            file = of_io(path, mode, *words, **named)
            if not isinstance(path, int) and "r" not in mode:
                self.step("create")
            return file

        setattr(os, "open", opens)  # noqa: B010 - mypy has it overloaded
        setattr(io, "open", opens_file)  # noqa: B010


def killed_at(number: int, work: Callable[[CrashPoint], str]) -> tuple[bool, str]:
    """Do `work` in a child process that dies at that step: whether it died, and what it told.

    What `work` returns is told at once: from then on it is acknowledged. The caller must have no
    threads of its own, nor any open vault. A failure of `work` is told as `error: …`.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            point = CrashPoint(number)
            try:
                told = work(point)
                point.step()
            except Exception as error:  # noqa: BLE001 - it is told to the parent
                told = f"error: {type(error).__name__}: {error}"
            os.write(writer, told.encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as told_to_us:
        told_text = told_to_us.read().decode()
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), told_text
