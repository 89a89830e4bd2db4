"""Directories on a Linux file system: captured, restored, set aside by a rename."""

from __future__ import annotations

from adapters.directory.provider import DirectoryProvider
from vault.clock import SystemClock
from vault.provider import Provider


def provider() -> Provider:
    """Make the provider: the entry point of the group `vault.adapters`."""
    return DirectoryProvider(SystemClock())
