"""What is stored: charter, sessions, packs, indexes, snapshots, events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = ["authentic", "charter", "index", "sessions"]

if TYPE_CHECKING:
    from vault.repository import authentic, charter, index, sessions
else:
    __getattr__ = loading(__name__, __all__)
