"""Days that pass: a server's clock and its hosts' are moved, together or apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.promises.scenes import Scene, answer
from tests.rgw import ShiftedClock, client_time
from vault.clock import SystemClock
from vault.compose import RoleName
from vault.library import Vault
from vault.operations.homes import read_root
from vault.repository.charter import load_charter
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.store.opening import open_store

NOW = timedelta(0)


def believing(offset: timedelta) -> dict[str, str]:
    """What makes a process believe that it is later (or earlier) by `offset`, in whole seconds.

    Boot time and what `stat` tells stay true.
    """
    if not offset:
        return {}
    library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{int(offset.total_seconds()):+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


class Days:
    """A scene on a server of its own; its processes believe that it is later by `host`."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = NOW

    def move(self, *, server: timedelta, host: timedelta) -> None:
        """From now on it is later by `server` there and by `host` here."""
        self.scene.bucket.server.shift(f"{int(server.total_seconds()):+d}" if server else "")
        self.host = host

    def run(self, *words: str, role: RoleName = "writer", status: int = 0) -> list[dict[str, Any]]:
        """What a process of that role answers; the error alone, where it has to end with one."""
        done = self.scene.run(*words, "--json", role=role, env=self.env)
        assert done.returncode == status, done.stderr + done.stdout
        if status:
            return [json.loads(done.stderr.strip().splitlines()[-1])]
        return answer(done)

    @property
    def env(self) -> dict[str, str]:
        """What makes a process believe the time of the host."""
        return believing(self.host)

    def daemon(self) -> list[dict[str, Any]]:
        """One round of the daemon."""
        return self.run("daemon", "--once", "--listen", "")

    def verdict(self, *words: str) -> tuple[str, str]:
        """What the purger says of the only tombstone."""
        (item,) = self.run("purger", "--once", *words, role="purger")
        return item["verdict"], "; ".join(item["reasons"])

    def records(self) -> list[SnapshotRecord]:
        """All snapshots that are stored, read with no catalog's help."""
        root = read_root(self.scene.home())
        with client_time(self.host) as clock:
            reader = open_store(self.scene.url, right="reader", clock=clock, profile="reader")
            return list(list_snapshots(reader, load_charter(reader, root), []))

    @contextmanager
    def vault(self, role: RoleName, *, signing: timedelta, believed: timedelta) -> Iterator[Vault]:
        """A vault in this process: its requests are signed at one time, its clock tells another."""
        with client_time(signing), later(believed), self.scene.vault(role) as vault:
            yield vault


@contextmanager
def later(offset: timedelta) -> Iterator[None]:
    """Vaults that are opened now, in this process, believe that so much time has passed here.

    Their requests to a server are signed at the true time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.compose.SystemClock", lambda: ShiftedClock(offset))
        yield


def wait_for_the_hour() -> None:
    """Return with a minute left of the present hour, so that a few snapshots fall into one."""
    clock = SystemClock()
    now = clock.now()
    left = 3600 - now.minute * 60 - now.second
    if left < 60:
        clock.sleep(left + 1)
