"""What has no room in memory, where there is none on the disk either."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.unit.adapters.directory.mounting import needs_mounts, tmpfs
from tests.unit.adapters.directory.passing import begun
from vault import limits
from vault.errors import SourceError

MANY_LINKS = """
from adapters.directory.links import LinkMap
from vault.errors import SourceError
links = LinkMap()
try:
    for number in range(300_000):
        links.first((1, number), b"%d" % number)
except SourceError as error:
    print(error.message)
"""


@pytest.mark.parametrize("bound", ["NAMES_IN_MEMORY", "LINKS_IN_MEMORY"])
def test_without_temporary_files_there_is_no_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Half a folder is no folder: what is missing is room here, and nothing of the volume."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for number in range(10):
        (tmp_path / f"a{number}").touch()
        (tmp_path / f"b{number}").hardlink_to(tmp_path / f"a{number}")
    monkeypatch.setattr(limits, bound, 7)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(SourceError, match="temporary"):
        list(begun(tmp_path).entries())


@needs_mounts
def test_a_disk_that_fills_up_ends_no_process(tmp_path: Path) -> None:
    """A map of a file that has no room is written to once, by a process that dies of it."""
    with tmpfs(tmp_path, options="size=4m"):
        environ = {**os.environ, "TMPDIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", MANY_LINKS], env=environ, capture_output=True)
    assert (done.returncode, b"temporary" in done.stdout) == (0, True), done.stderr
