"""Secrets of receivers: read from files that only their owner can read, and never kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from vault.errors import SettingsError

_LONGEST: Final = 64 * 1024


def read_secret(path: Path) -> str:
    """The text of a file that nobody else can read. Raises SettingsError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            text = file.read(_LONGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, getattr(error, "strerror", "it is no text")) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is no file")
    if found.st_mode & 0o077:
        raise _unusable(path, "others than its owner may read or write it", f"chmod 600 {path}")
    if not text:
        raise _unusable(path, "it is empty")
    return text


def _unusable(path: Path, why: str, hint: str = "") -> SettingsError:
    return SettingsError(
        f"{path} cannot be used as a secret: {why}",
        safe="Nothing was sent.",
        hint=hint or "See how receivers are set up: docs/notifications.md",
    )
