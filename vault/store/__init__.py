"""Names to write-once bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = ["attest"]

if TYPE_CHECKING:
    from vault.store import attest
else:
    __getattr__ = loading(__name__, __all__)
