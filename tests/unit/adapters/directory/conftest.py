"""Folders and helpers for the tests of directories."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.adapters.directory.mounting import can_mount, tmpfs
from tests.unit.adapters.directory.passing import remove

NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter and write to."""
    folder = Path(tempfile.mkdtemp(prefix="vault-shared-"))
    folder.chmod(0o777)
    yield folder
    remove(folder)


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], None]], None]:
    """Run something as a user without rights: in a child process where the tests are root's."""
    return run_as_nobody


def run_as_nobody(call: Callable[[], None]) -> None:
    """Fails where the call fails."""
    if os.geteuid() != 0:
        call()
        return
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setegid(NOBODY)
            os.seteuid(NOBODY)
            call()
            status = 0
        except BaseException:  # noqa: BLE001 (it is printed, and the parent fails)
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, "see the traceback on standard error"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A small volume beside something else."""
    root = tmp_path / "parent" / "volume"
    root.mkdir(parents=True)
    (root / "d").mkdir()
    (root / "d" / "f").write_text("content")
    (root / "g").write_text("more")
    (tmp_path / "parent" / "other").write_text("stays")
    return root


@pytest.fixture(params=["beside", "inside"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small volume: an ordinary one, or a mount point."""
    root = tmp_path / "volume"
    root.mkdir()
    with ExitStack() as stack:
        if request.param == "inside":
            if not can_mount():
                pytest.skip("mounting needs root")
            stack.enter_context(tmpfs(root))
        (root / "d").mkdir()
        (root / "d" / "f").write_text("content")
        for number in range(5):
            (root / f"g{number}").write_text(str(number))
        os.utime(root, ns=(5, 10**18 + 7))
        yield root
