"""One vault that tests only read, and one of one's own for tests that change it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.hosts import Host, make_host


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A vault with one volume and one snapshot. Leave it as it is: all tests of the run read it."""
    return make_host(tmp_path_factory.mktemp("shared"), captured=True)


@pytest.fixture
def fresh(tmp_path: Path) -> Host:
    """A vault with a volume and no snapshot yet."""
    return make_host(tmp_path)


@pytest.fixture
def captured(tmp_path: Path) -> Host:
    """A vault with a volume and its first snapshot."""
    return make_host(tmp_path, captured=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="vault-cli-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
