"""A volume of many files: several packs, pages and indexes, and the processes of a restore."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from adapters.directory import scribes
from tests.crash.world import FileWorld, passing
from tests.promises.embedded import embed
from vault import limits
from vault.repository import index_objects

_FILES: Final = 1_500
_FOLDER: Final = 60  # files in one folder
_SIZE: Final = 500
_LARGE: Final = 400_000  # one file of many chunks


class LargeWorld(FileWorld):
    """A vault of a volume in which every snapshot finds all files changed."""

    def change(self) -> None:
        """See World; and another content of every one of many files."""
        super().change()
        content = os.urandom(_SIZE)
        for number in range(_FILES):
            folder = self.source / f"many-{number // _FOLDER}"
            folder.mkdir(exist_ok=True)
            (folder / f"file-{number}").write_bytes(b"%d" % number + content)
        (self.source / "large").write_bytes(os.urandom(_LARGE))


@contextmanager
def large_world(root: Path) -> Iterator[LargeWorld]:
    """A world in a folder. Packs, indexes and stretches are small, so that there are several; and
    a restore waits until its processes have started.
    """
    with passing() as time, pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PACK_TARGET", 200_000)
        patch.setattr(index_objects, "_ROWS", 2)
        patch.setattr(scribes, "_SLOT", 1 << 15)
        patch.setattr(scribes, "_PATIENCE", 60.0)
        yield LargeWorld(time, embed(root, tree=False))
