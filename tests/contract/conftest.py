"""What the contracts share: files made immutable are made removable again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vault.store.durable import unseal


@pytest.fixture
def sealed() -> Iterator[Callable[[Path], None]]:
    """Name a folder whose files may become immutable; afterwards they can be removed."""
    folders: list[Path] = []
    yield folders.append
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                unseal(path)
