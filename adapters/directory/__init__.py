"""Directories on a Linux file system: captured, restored, set aside by a rename."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.directory.provider import DirectoryProvider
from vault.clock import SystemClock
from vault.lazy import loading
from vault.provider import Provider

__all__ = ["provider", "quarantine", "restoration"]

if TYPE_CHECKING:
    from adapters.directory import quarantine, restoration
else:
    __getattr__ = loading(__name__, __all__)


def provider() -> Provider:
    """Make the provider, as the entry points of other adapters do."""
    return DirectoryProvider(SystemClock())
