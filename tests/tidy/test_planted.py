"""The planted bugs can be planted: each stands for a line of today's code, in exactly one place."""

from __future__ import annotations

import runpy

from tests.tidy.source import ROOT


def test_what_is_planted_has_its_place() -> None:
    """A bug whose line has changed would count as one that nothing catches."""
    bugs = runpy.run_path(str(ROOT / "scripts" / "planting" / "bugs.py"))["BUGS"]
    assert len(bugs) > 20
    found = {bug.name: (ROOT / bug.path).read_text("utf-8").count(bug.right) for bug in bugs}
    assert not [name for name, count in found.items() if count != 1]
