"""Bytes to bytes: cutting, hashing, compressing, sealing, signing. No I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = ["agreement", "keyring", "timestamp"]

if TYPE_CHECKING:
    from vault.codec import agreement, keyring, timestamp
else:
    __getattr__ = loading(__name__, __all__)
