"""The command line: words in, the library's answers out; no power beyond the library's."""

from __future__ import annotations

import gc
import io
import signal
import sys
from types import FrameType
from typing import NoReturn

from vault.cli.app import run
from vault.cli.heap import share_heap


class Pressed(KeyboardInterrupt):
    """Ctrl-C was pressed.

    A type of its own, as `python -m` ends by the signal instead of with our status once a bare
    KeyboardInterrupt went through any exec() of a text, which is how dataclasses are made.
    """


def main() -> None:
    """Run the command line of this process and leave with its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _press)
    share_heap()
    gc.set_threshold(20_000)  # manifests are objects by the hundred thousand, and hardly a cycle
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a poor locale is no reason to fail
    try:
        sys.exit(run(sys.argv[1:]))
    finally:
        gc.freeze()  # nobody needs what is left to be searched for garbage: the process ends


def _press(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Pressed
