"""Which kinds of steps are watched in the verbs: each is seen, so none is left out unnoticed."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from adapters.directory import scribes
from tests.crash.accidents import NEVER
from tests.crash.getting_back import Restore
from tests.crash.protecting import Delete, Init, Snapshot
from tests.crash.steps import arm
from tests.crash.verb import Verb
from tests.crash.verbs import VERBS
from tests.crash.world import file_world
from vault.testing.crash import CrashPoint, killed_at

OPENED: Final = {"commit catalog.db", "close catalog.db", "get", "list", "now", "mkdir"}
"""Of every verb of a vault that there is."""
STORED: Final = {"put", "link", "fsync", "create"}
KINDS: Final = {
    *(*OPENED, *STORED, "extend", "delete", "retention", "commit index.db", "close index.db"),
    *("rename", "renameat2", "replace", "rmdir", "unlink", "symlink", "mknod", "syncfs"),
    *("chmod", "ftruncate", "pwrite", "utime", "_send", "_hear"),
}
"""Those of all verbs together."""


def counted(root: Path, kind: type[Verb]) -> Counter[str]:
    """How many steps of each kind a verb makes that nothing befalls."""
    with file_world(root) as world:
        os.mkfifo(world.source / "fifo")
        with (world.source / "holes").open("wb") as file:
            file.write(b"data")
            file.truncate(1 << 20)
        verb = kind(world)
        verb.prepare()

        def watched(point: CrashPoint) -> str:
            arm(point)
            verb.act()
            return json.dumps(point.kinds)

        died, told = killed_at(NEVER, watched)
        assert not died
        return Counter(json.loads(told))


def test_every_kind_of_step_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a snapshot and a delete those that each is known to make; of all verbs all there are."""
    of = {kind: counted(tmp_path / kind.__name__, kind) for kind in VERBS}
    assert all(kinds.keys() >= OPENED for kind, kinds in of.items() if kind is not Init)
    assert of[Snapshot].keys() == OPENED | STORED | {
        *("commit index.db", "close index.db", "extend", "replace", "syncfs"),
    }
    assert of[Delete].keys() == OPENED | STORED | {"close index.db", "renameat2"}
    monkeypatch.setattr(scribes, "_ALONE", 1)
    monkeypatch.setattr(scribes, "_PATIENCE", 60.0)
    monkeypatch.setattr(scribes, "_processors", lambda: 2)
    handed_over = counted(tmp_path / "handed-over", Restore)
    assert {kind for kinds in (*of.values(), handed_over) for kind in kinds} == KINDS
