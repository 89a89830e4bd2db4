"""Bytes to bytes: cutting, hashing, compressing, sealing, signing. No I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = ["agreement", "keyring"]

if TYPE_CHECKING:
    from vault.codec import agreement, keyring
else:
    __getattr__ = loading(__name__, __all__)
