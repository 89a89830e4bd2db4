"""The real S3 server for tests: one a run, started when first asked for; a plugin of pytest.

`VAULT_TEST_RGW` is `auto` (skip with the reason where it cannot be had), `require` (fail) or `off`.
`VAULT_TEST_RGW_DIR` names the folder of a server that runs already and is left running.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.compat import get_current_datetime

from vault.clock import BootTime, SystemClock
from vault.errors import StoreUnreachable
from vault.store.address import parse_address
from vault.store.s3_bucket import Bucket
from vault.testing.rgw import Server, provision, running_server, start_server

_SHARED = "VAULT_TEST_RGW_SHARED"


@dataclass(frozen=True)
class RgwBucket:
    """A fresh bucket with Object Lock and the policy of the roles; profiles are the role names."""

    server: Server
    name: str
    url: str


class ShiftedClock(SystemClock):
    """The host's clock, moved."""

    def __init__(self, offset: timedelta) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """See Clock."""
        return super().now() + self._offset

    def boot_time(self) -> BootTime:
        """See Clock: the time that was skipped counts as lived through."""
        boot = super().boot_time()
        return BootTime(boot.boot, boot.seconds + self._offset.total_seconds())


@contextmanager
def client_time(offset: timedelta) -> Iterator[ShiftedClock]:
    """Sign requests with a moved clock, as a host would whose time is the moved server's."""

    def moved(*args: Any, **named: Any) -> datetime:
        return get_current_datetime(*args, **named) + offset

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", moved)
        yield ShiftedClock(offset)


def pytest_configure(config: pytest.Config) -> None:
    """Name the run's server before the workers of xdist are born, so that they share it."""
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.gettempdir(), f"vault-test-rgw-{os.getpid()}")
        os.environ.setdefault(_SHARED, str(folder))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that named the server ends it."""
    folder = Path(os.environ.get(_SHARED, ""))
    if not hasattr(config, "workerinput") and folder.name.endswith(f"-{os.getpid()}"):
        if (folder / "env").exists():
            running_server(folder).stop()
        folder.with_suffix(".lock").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def rgw() -> Iterator[Server]:
    """The run's server. Leave its clock and its life alone: others use it at the same time."""
    with _or_skip():
        server = _shared_server()
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, server)
        yield server


@pytest.fixture
def rgw_own(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, to shift and to kill."""
    with _or_skip():
        _mode()
        server = start_server(tmp_path / "rgw")
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, server)
        yield server
    server.stop()


@pytest.fixture
def rgw_bucket(rgw: Server) -> RgwBucket:
    """A fresh bucket on the run's server."""
    return fresh_bucket(rgw)


def fresh_bucket(server: Server, *, locked: bool = True) -> RgwBucket:
    """Make a bucket with the policy of the roles, or one of the provisioner's without any lock."""
    name = f"vault-{secrets.token_hex(6)}"
    url = server.url(name, "main")
    if locked:
        provision(url, SystemClock())
    else:
        Bucket(parse_address(url), "provisioner", SystemClock()).client.create_bucket(Bucket=name)
    return RgwBucket(server, name, url)


def _use(patch: pytest.MonkeyPatch, server: Server) -> None:
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(server.credentials))
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)


def _shared_server() -> Server:
    _mode()
    if given := os.environ.get("VAULT_TEST_RGW_DIR"):
        return running_server(Path(given))
    folder = Path(os.environ[_SHARED])
    with folder.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            return running_server(folder)
        except StoreUnreachable:
            return start_server(folder)


def _mode() -> str:
    mode = os.environ.get("VAULT_TEST_RGW", "auto")
    if mode == "off":
        pytest.skip("VAULT_TEST_RGW=off")
    return mode


@contextmanager
def _or_skip() -> Iterator[None]:
    try:
        yield
    except StoreUnreachable as error:
        if os.environ.get("VAULT_TEST_RGW") == "require":
            pytest.fail(f"no S3 server, and VAULT_TEST_RGW=require: {error.message}")
        pytest.skip(f"no S3 server: {error.message}")
