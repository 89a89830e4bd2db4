"""The daemon's life, on a vault of made-up duties."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from vault.daemon.service import Daemon
from vault.errors import (
    AlreadyRunning,
    CatalogBusy,
    NotIsolated,
    SettingsError,
    StoreUnreachable,
    VaultError,
)
from vault.process.instance import only_instance
from vault.process.logs import open_log
from vault.process.notify import Notifier


class FakeVault:
    """Has these duties once, and remembers what was done."""

    def __init__(self, *duties: str, isolated: bool = True, store: str = "s3://b/p") -> None:
        self.waiting = [SimpleNamespace(task=d, volume="vol_1", tombstone="") for d in duties]
        self.done: list[str] = []
        self.closed = False
        self.told = 0
        self.tell_fails = False
        self.on_due: Callable[[], None] = lambda: None
        self.amiss: list[str | VaultError] = []
        self._report = SimpleNamespace(isolated=isolated, store=store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See the facade."""
        self.closed = True

    def status(self) -> Any:
        """See the facade."""
        return self._report

    def resume(self) -> tuple[str, ...]:
        """See the facade."""
        return ("undelete of tomb_1",)

    def due(self) -> tuple[Any, ...]:
        """See the facade."""
        self.on_due()
        duties, self.waiting = tuple(self.waiting), []
        return duties

    @property
    def oversight(self) -> Self:
        """See the facade."""
        return self

    def watch_policy(self) -> str:
        """See the facade; from round to round what is amiss, and nothing in the end."""
        amiss = self.amiss.pop(0) if self.amiss else ""
        if isinstance(amiss, VaultError):
            raise amiss
        return amiss

    def perform(self, duty: Any) -> str:
        """Fails for the duties “fail” and “break”."""
        self.done.append(duty.task)
        if duty.task == "fail":
            raise StoreUnreachable("gone")
        if duty.task == "break":
            raise ZeroDivisionError("odd")
        return "fine"

    def tell(self) -> tuple[Any, ...]:
        """See the facade; fails once where it should."""
        self.told += 1
        if self.told == 1 and self.tell_fails:
            raise CatalogBusy("busy")
        return (SimpleNamespace(receiver="ops", taken=2, fault="it answered 500"),)

    def volumes(self) -> tuple[Any, ...]:
        """See the facade."""
        return ()


def _daemon(vault: FakeVault, home: Path, **changes: Any) -> tuple[Daemon, io.StringIO]:
    stream = io.StringIO()
    parts: dict[str, Any] = {
        "open_vault": lambda: vault,
        "home": home,
        "tick_seconds": 0.02,
        "log": open_log("daemon", stream),
        "notifier": Notifier(),
    }
    return Daemon(**(parts | changes)), stream


def _events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def _signal(number: int) -> None:
    os.kill(os.getpid(), number)


def test_once_does_what_is_due_and_ends(tmp_path: Path) -> None:
    """One duty's failure, foreseen or not, does not keep the others waiting."""
    vault = FakeVault("capture", "fail", "break", "extend")
    daemon, stream = _daemon(vault, tmp_path / "home")
    outcomes = [(one.task, one.outcome) for one in daemon.once()]
    assert outcomes == [
        ("capture", "done"),
        ("fail", "failed"),
        ("break", "failed"),
        ("extend", "done"),
    ]
    assert _events(stream)[0] == "resumed"
    assert vault.closed
    assert daemon.metrics.duties.labels("capture", "done")._value.get() == 1


def test_rules_that_cannot_be_used_are_said_once(tmp_path: Path) -> None:
    """Whatever it is that fails meanwhile, the rest is done, and told."""
    vault = FakeVault("capture")
    vault.amiss = ["line 3", "line 3", CatalogBusy("busy"), "line 3", "line 4", "", ""]
    daemon, stream = _daemon(vault, tmp_path)
    for _ in range(8):
        daemon.once()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    said = [(one["event"], one["level"], one.get("detail")) for one in lines if "poli" in str(one)]
    assert said == [
        ("policy_invalid", "warning", "line 3"),
        ("policy_invalid", "warning", "line 4"),
        ("policy_valid", "info", None),
    ]
    assert _events(stream).count("watch_failed") == 1
    assert (vault.done, vault.told) == (["capture"], 8)


def test_it_serves_until_a_signal_and_tells_systemd(tmp_path: Path) -> None:
    """READY once it works, STOPPING before it ends; the clockwork brings further rounds."""
    rounds = []
    vault = FakeVault("capture")

    def look() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            _signal(signal.SIGTERM)

    vault.on_due = look
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=3600)
        daemon, stream = _daemon(vault, tmp_path, notifier=notifier)
        daemon.serve()
        assert [manager.recv(99) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
    assert len(rounds) == 3
    assert vault.done == ["capture"]
    assert vault.closed
    assert _events(stream)[-1] == "stopped"


def test_a_signal_ends_it_after_the_present_duty(tmp_path: Path) -> None:
    """What has begun is finished, what has not is left for the next start."""
    vault = FakeVault("capture", "extend")
    vault.on_due = lambda: None
    performed = vault.perform

    def perform(duty: Any) -> str:
        _signal(signal.SIGTERM)
        return performed(duty)

    vault.perform = perform  # type: ignore[method-assign]
    daemon, _ = _daemon(vault, tmp_path)
    daemon.serve()
    assert vault.done == ["capture"]


def test_hangup_opens_anew_and_a_bad_setting_keeps_the_old(tmp_path: Path) -> None:
    """A typo in vault.toml must not end protection."""
    first, second = FakeVault(), FakeVault("capture")
    answers: list[Any] = [first, SettingsError("typo"), second]

    def open_vault() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    first.on_due = lambda: _signal(signal.SIGHUP)
    second.on_due = lambda: _signal(signal.SIGTERM)
    daemon, stream = _daemon(first, tmp_path, open_vault=open_vault, tick_seconds=60.0)
    daemon.serve()
    assert "reload_failed" in _events(stream)
    assert "reloaded" in _events(stream)
    assert second.done == []
    assert first.closed
    assert second.closed


def test_an_unreachable_store_ends_a_round_only(tmp_path: Path) -> None:
    """Asked again at the next tick."""
    vault, rounds = FakeVault("capture"), []

    def look() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise StoreUnreachable("gone")
        vault.on_due = lambda: _signal(signal.SIGTERM)

    vault.on_due = look
    daemon, stream = _daemon(vault, tmp_path)
    daemon.serve()
    assert "round_failed" in _events(stream)
    assert vault.done == ["capture"]


def test_it_refuses_to_hold_what_others_hold(tmp_path: Path) -> None:
    """P1: with the others' credentials in reach it does not start; the embedded one warns."""
    daemon, _ = _daemon(FakeVault(isolated=False), tmp_path)
    with pytest.raises(NotIsolated):
        daemon.once()
    embedded, stream = _daemon(FakeVault(isolated=False, store="file:///s"), tmp_path)
    assert embedded.once() == []
    assert "NOT ISOLATED" in _events(stream)


def test_two_on_one_home_are_refused(tmp_path: Path) -> None:
    """The second learns who was first."""
    daemon, _ = _daemon(FakeVault(), tmp_path)
    with only_instance(tmp_path / "daemon.lock"), pytest.raises(AlreadyRunning):
        daemon.serve()


def test_receivers_are_told_in_every_round_and_their_failures_are_logged(tmp_path: Path) -> None:
    """Also where the store is out of reach; a catalog that is busy ends the telling only."""
    vault, rounds = FakeVault("capture"), []
    vault.tell_fails = True

    def look() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            raise StoreUnreachable("gone")
        if len(rounds) == 3:
            _signal(signal.SIGTERM)

    vault.on_due = look
    daemon, stream = _daemon(vault, tmp_path)
    daemon.serve()
    assert vault.told == 2  # in the third it was told to stop
    said = [one for one in _events(stream) if one in ("tell_failed", "round_failed", "not_told")]
    assert said == ["tell_failed", "round_failed", "not_told"]
    assert daemon.metrics.notices.labels("taken")._value.get() == 2
    assert daemon.metrics.notices.labels("failed")._value.get() == 1
