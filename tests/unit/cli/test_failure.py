"""Errors at the door: words, statuses, and what programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NoReturn

import pytest

from tests.unit.cli.conftest import FakeVault
from vault.errors import UsageError

Run = Callable[..., int]
Printed = pytest.CaptureFixture[str]


def test_wrong_words_are_a_usage_error(vault: Run, capsys: Printed) -> None:
    """Unknown commands and options leave with 2 and say where help is."""
    assert vault("snapshoot") == 2
    assert "snapshot" in capsys.readouterr().err
    assert vault("delete", "photos") == 2
    assert "--reason" in capsys.readouterr().err


def test_wrong_words_for_programs(vault: Run, capsys: Printed) -> None:
    """With --json a usage error is an object like any other."""
    assert vault("delete", "photos", "--json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    answer = json.loads(printed.err)
    names = {"version", "kind", "code", "message", "safe", "hint", "retryable"}
    assert answer.keys() == names
    assert answer["kind"] == "error"
    assert answer["code"] == "usage"
    assert answer["hint"] == "See: vault delete --help"


def test_no_words_show_help(vault: Run, capsys: Printed) -> None:
    """And leave with 2, since nothing was done."""
    assert vault() == 2
    assert "undelete" in capsys.readouterr().out


def _fail_with(error: BaseException) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


def test_names_keep_their_letters(
    fake: FakeVault, vault: Run, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """“snap_01” and “Snap_01” are two names: none is made a capital for looks."""
    monkeypatch.setattr(fake, "status", _fail_with(UsageError("snap_01 is the first")))
    assert vault("status") == 2
    assert "Error: snap_01 is the first" in capsys.readouterr().err


def test_the_unexpected_says_what_to_do(
    fake: FakeVault, vault: Run, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and status 1; the traceback only for who asks."""
    monkeypatch.setattr(fake, "status", _fail_with(ZeroDivisionError("odd\nnumber")))
    assert vault("status") == 1
    err = capsys.readouterr().err
    assert "Unexpected ZeroDivisionError: odd number" in err
    assert "VAULT_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("VAULT_DEBUG", "1")
    assert vault("status") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(fake: FakeVault, vault: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect it."""
    monkeypatch.setattr(fake, "status", _fail_with(KeyboardInterrupt()))
    assert vault("status") == 130


def test_the_vault_is_closed_on_errors(
    fake: FakeVault, vault: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happened inside."""
    monkeypatch.setattr(fake, "status", _fail_with(ValueError()))
    vault("status")
    assert fake.calls[-1] == ("close", None)
