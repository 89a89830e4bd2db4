"""Refused: settings, homes and processes that cannot be; nothing is lost and nothing changed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.hosts import COMMAND, Host, make_host, picture
from tests.cli.nobody import AS_NOBODY, NEEDS_NOBODY
from vault import errors


def test_no_vault_here(tmp_path: Path) -> None:
    """Every command says how to make one, and leaves no home behind."""
    host = Host(tmp_path / "home", f"file://{tmp_path}/store", tmp_path)
    for words in (
        *(("status",), ("rebuild",), ("snapshot", "photos"), ("daemon", "--once")),
        *(("purger", "--once"), ("restore", "photos", "--to", str(tmp_path / "back"))),
    ):
        answer = host.run(*words, status=errors.NotInitialised.status)
        assert "vault init" in answer.err, words
    assert list(tmp_path.iterdir()) == []


def test_initialised_twice(captured: Host) -> None:
    """The vault that is there stays."""
    before = picture(captured.home)
    error = captured.refused(errors.AlreadyInitialised, "init", says=str(captured.home))
    assert "VAULT_HOME" in error["hint"]
    assert picture(captured.home) == before


def test_a_store_that_holds_another_vault(captured: Host, tmp_path: Path) -> None:
    """A second home cannot take it; the first goes on."""
    second = Host(tmp_path / "second" / "home", captured.url, captured.volume)
    second.home.parent.mkdir()
    error = second.refused(
        errors.AlreadyInitialised, "init", "--store", captured.url, says="another vault"
    )
    assert "rebuild" in error["hint"]
    assert not (second.home / "vault.toml").exists()
    captured.ask("verify")


@pytest.mark.parametrize(
    "words",
    [
        ("delete", "photos", "--reason", "moved\udcff"),
        ("delete", "photos", "--reason", "moved", "--task", "\udcff"),
        ("delete", "\udcff", "--reason", "moved"),
        ("snapshot", "photos", "\udcff"),
        ("hold", "tomb_01k8", "--reason", "\udcff"),
        ("freeze", "bot", "--reason", "\udcff"),
        ("panic", "--reason", "\udcff"),
        ("task", "add", "OPS-1", "--title", "\udcff", "--assignee", "bot"),
        ("identity", "add", "\udcff"),
        ("restore", "photos", "--to", "/nowhere", "--at", "\udcff"),
        ("status", "--config", "/nowhere", "\udcff"),
    ],
)
def test_a_word_that_is_no_text(shared: Host, words: tuple[str, ...]) -> None:
    """It could stand in no log: it is bad usage, before anything is looked at."""
    error = json.loads(shared.run(*words, "--json", status=2).err)
    assert error["code"] == errors.UsageError.code
    assert error["hint"]


def test_a_word_that_is_no_text_is_named(shared: Host) -> None:
    """By the option, with what is safe."""
    words = ("delete", "photos", "--reason", "moved\udcff")
    error = shared.refused(errors.UsageError, *words, says="--reason has bytes in it that are not")
    assert error["safe"] == "Nothing was changed."
    assert r"moved\xff" in shared.run(*words, status=2).err


def test_a_recipient_that_is_none(tmp_path: Path) -> None:
    """Nothing is made for it."""
    url = f"file://{tmp_path}/store?immutable=no"
    host = Host(tmp_path / "home", url, tmp_path / "photos")
    host.volume.mkdir()
    host.store.mkdir()
    words = ("init", "--store", host.url, "--recipient", "age1nobody")
    error = host.run(*words, "--json", status=2)
    assert "age1nobody" in error.err
    assert not (host.home / "vault.toml").exists()
    assert not host.kit.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[store]\nurl = 'file:///s'\ncolour = 'red'\n", "colour"),
        ("[stor]\nurl = 'file:///s'\n", "stor"),
        ("[store]\nurl = ''\n", "empty"),
        ("[store\nurl", "vault.toml"),
        ("", "store"),
        ("[store]\nurl='file:///s'\n[environments.production]\nwindow='1h'\n", "48h"),
        ("[store]\nurl='file:///s'\n[environments.production]\nwindow='soon'\n", "soon"),
        ("[store]\nurl='file:///s'\n[daemon]\nlisten='everywhere'\n", "everywhere"),
    ],
    ids=["key", "table", "no-url", "not-toml", "nothing", "window", "span", "listen"],
)
def test_a_vault_toml_that_cannot_be(shared: Host, tmp_path: Path, text: str, says: str) -> None:
    """The message names the word; the store is not asked."""
    config = tmp_path / "vault.toml"
    config.write_text(text)
    error = shared.refused(errors.SettingsError, "status", "--config", config, says=says)
    assert str(config) in error["message"]


def test_a_config_that_is_not_there(shared: Host, tmp_path: Path) -> None:
    """Its name is in the message."""
    missing = tmp_path / "other.toml"
    shared.refused(errors.NotInitialised, "status", "--config", missing, says="other.toml")


@pytest.mark.parametrize(
    "words",
    [
        ("snapshot",),
        ("delete", "photos"),
        ("restore", "photos", "--to", "x", "--in-place"),
        ("restore", "photos", "--to", "x", "--at", "2026-01-01T00:00:00"),
        ("restore", "photos", "--to", "x", "--store", "file:///s"),
        ("undelete",),
        ("volume", "add", "a/b", "/tmp"),
        ("volume", "add", "a", "/tmp", "--schedule", "now and then"),
        ("volume", "add", "a", "/tmp", "--keep", "lots"),
        ("volume", "add", "a", "/tmp", "--environment", "moon"),
        ("cat", "photos", "holidays"),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_words_that_do_not_fit(shared: Host, words: tuple[str, ...]) -> None:
    """Status 2, and what would fit."""
    shared.refused(errors.UsageError, *words)


def test_two_daemons_on_one_home(captured: Host) -> None:
    """The second is refused and names the first; the first works on."""
    first = captured.start("daemon", "--listen", "", "--interval", "1s")
    assert first.stderr is not None
    try:
        while b'"started"' not in (line := first.stderr.readline()):
            assert line, "the daemon ended early"
        for words in (("daemon", "--once"), ("daemon",)):
            answer = captured.run(*words, "--json", status=errors.AlreadyRunning.status)
            assert str(first.pid) in answer.err
        assert first.poll() is None
        captured.ask("status")
    finally:
        first.terminate()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_listen_address_in_use(captured: Host) -> None:
    """A daemon that cannot serve its metrics says so and does not start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        error = captured.refused(errors.SettingsError, "daemon", "--listen", address)
        assert address in error["message"]


@NEEDS_NOBODY
def test_a_home_of_somebody_else(public: Path) -> None:
    """A user who may not read the home is told whose right is missing; keys stay unread."""
    host = make_host(public)
    for words in (("status",), ("snapshot", "photos"), ("rebuild",), ("key", "export")):
        done = subprocess.run(
            [*AS_NOBODY, *COMMAND, *words],
            env=os.environ | {"VAULT_HOME": str(host.home), "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == errors.SettingsError.status, done.stderr
        assert "Safe:" in done.stderr
        assert "Next:" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")
def test_a_home_that_is_read_only(tmp_path: Path) -> None:
    """It says what is in the way; nothing is lost, and with the right back it goes on."""
    host = make_host(tmp_path, captured=True)
    subprocess.run(["mount", "--bind", host.home, host.home], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", host.home], check=True)
        for words in (("snapshot", "photos"), ("delete", "photos", "--reason", "x"), ("rebuild",)):
            before = host.picture()
            error = json.loads(host.run(*words, "--json", status=40).err)
            assert str(host.home) in error["message"]
            assert host.picture() == before
    finally:
        subprocess.run(["umount", host.home], check=True)
    host.ask("snapshot", "photos")


def test_where_python_cannot_find_the_script() -> None:
    """`python -m vault.cli` is the same program."""
    done = subprocess.run(
        [sys.executable, "-m", "vault.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("vault 0")
