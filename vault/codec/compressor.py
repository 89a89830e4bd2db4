"""zstd: kept only where it pays, expanded only to the size that was announced."""

from __future__ import annotations

import threading
from typing import Final

import zstandard

from vault.codec.buffers import Buffer
from vault.errors import Corrupt

LEVEL: Final = 2
_WORTH: Final = 0.98  # of the original size; above it, expanding costs more than is saved

_local = threading.local()  # contexts are large and must not be used by two threads at once


def compress(data: Buffer) -> tuple[bool, Buffer]:
    """Compress into one zstd frame; (False, data) where that saves less than two percent."""
    context = getattr(_local, "compressor", None)
    if context is None:
        context = _local.compressor = zstandard.ZstdCompressor(level=LEVEL)
    packed: bytes = context.compress(data)
    return (True, packed) if len(packed) <= len(data) * _WORTH else (False, data)


def decompress(data: Buffer, size: int) -> bytes:
    """Expand one frame to exactly `size` bytes. Raises Corrupt, and allocates no more than that."""
    context = getattr(_local, "decompressor", None)
    if context is None:
        context = _local.decompressor = zstandard.ZstdDecompressor()
    try:
        # The library allocates what the frame's header says, whatever limit it is given.
        if zstandard.frame_content_size(data) != size:
            raise Corrupt(f"a compressed chunk does not announce its {size} bytes")
        expanded: bytes = context.decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(f"a compressed chunk cannot be expanded: {error}") from error
    if len(expanded) != size:
        raise Corrupt(f"a compressed chunk holds {len(expanded)} bytes, not {size}")
    return expanded
