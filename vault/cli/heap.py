"""The process's heap: one for all threads, so that what one of them frees another one uses."""

from __future__ import annotations

import ctypes
from typing import Final

_ARENA_MAX: Final = -8  # M_ARENA_MAX of glibc's malloc.h


def share_heap() -> None:
    """Give the threads that begin from now on no heap of their own; only glibc does that at all.

    Buffers of MiBs are made in one thread and freed in another: with a heap each, a snapshot
    holds 40 MiB more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
