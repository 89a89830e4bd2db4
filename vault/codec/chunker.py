"""Content-defined cutting (FastCDC, about 1 MiB) of one buffer."""

from __future__ import annotations

import threading
from typing import Final

from pyfastcdc import FastCDC

from vault.codec.buffers import Buffer
from vault.limits import CHUNK_AVERAGE, CHUNK_MAX, CHUNK_MIN

PARAMETERS: Final = f"fastcdc-2020 nc=1 min={CHUNK_MIN} avg={CHUNK_AVERAGE} max={CHUNK_MAX}"
"""What a snapshot records of how it was cut; readers need none of it."""

_local = threading.local()  # a FastCDC object must not be used by two threads at once


def cut(data: Buffer) -> list[int]:
    """The lengths of the chunks of one buffer, in order; they sum up to its length."""
    if len(data) <= CHUNK_MIN:
        return [len(data)] if data else []
    cutter = getattr(_local, "cutter", None)
    if cutter is None:
        cutter = _local.cutter = FastCDC(CHUNK_AVERAGE, min_size=CHUNK_MIN, max_size=CHUNK_MAX)
    return [chunk.length for chunk in cutter.cut_buf(data)]
