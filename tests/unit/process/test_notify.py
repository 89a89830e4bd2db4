"""What systemd is told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from vault.process.notify import Notifier, from_environment


def test_datagrams_as_systemd_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a datagram, to the socket that the environment names."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        notifier = from_environment()
        notifier.ready()
        notifier.status("two\nlines")
        notifier.alive()
        notifier.stopping()
        said = [manager.recv(100).decode() for _ in range(4)]
    assert said == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1"]
    assert notifier.watchdog_seconds == 30.0


def test_another_processs_watchdog_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of the service does not feed it."""
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert from_environment().watchdog_seconds == 0.0


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """Nothing is raised, with no address or with a dead one."""
    Notifier().ready()
    Notifier(str(tmp_path / "nobody")).ready()
    Notifier("@vault-no-such-manager").ready()
