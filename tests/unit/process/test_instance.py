"""One process of a role at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vault.errors import AlreadyRunning
from vault.process.instance import only_instance


def test_a_second_one_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    """The error names the process that works already."""
    lock = tmp_path / "daemon.lock"
    with (
        only_instance(lock),
        pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"),
        only_instance(lock),
    ):
        pytest.fail("two at once")


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """A file left behind stops nobody."""
    lock = tmp_path / "daemon.lock"
    for _ in range(2):
        with only_instance(lock):
            assert lock.read_text() == f"{os.getpid()}\n"
