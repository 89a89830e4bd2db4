"""Asking a tracker, on a real socket: what is late, large, packed or cut short is an answer too."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.certificates import make_certificate
from tests.trackers import (
    Manner,
    answering,
    bomb,
    cut,
    hanging,
    huge,
    knowing,
    tracking,
    trickling_body,
    trickling_head,
)
from vault import limits, tracker
from vault.errors import SettingsError
from vault.governance.tracker import Answer
from vault.settings import parse_settings

STORE = '[store]\nurl = "file:///srv/vault"\n'


def asked(manner: Manner, seconds: float = 5.0) -> Answer:
    """What is answered for one task."""
    with tracking(manner) as soft:
        return tracker.ask(soft.url, "staging", "OPS 1&x=ä", seconds=seconds)


def test_a_task_is_asked_for_by_its_name_and_environment() -> None:
    with tracking(knowing(title="tidy up")) as soft:
        answer = tracker.ask(soft.url, "staging", "OPS 1&x=ä", seconds=5)
    assert (answer.status, answer.failure) == (200, "")
    assert json.loads(answer.body)["title"] == "tidy up"
    assert soft.asked == [{"project": "ops", "task": "OPS 1&x=ä", "environment": "staging"}]
    assert soft.bearers == [""]


def test_a_token_is_shown_as_bearer() -> None:
    with tracking(knowing()) as soft:
        tracker.ask(soft.url, "staging", "OPS-1", seconds=5, token="secret")
    assert soft.bearers == ["Bearer secret"]


@pytest.mark.parametrize("manner", [hanging, trickling_head, trickling_body])
def test_what_is_late_ends_in_time(manner: Manner) -> None:
    begun = time.monotonic()
    answer = asked(manner, seconds=0.5)
    assert answer.failure == "did not answer within 0.5 s"
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("manner", [hanging, trickling_head, trickling_body, huge])
def test_nothing_goes_on_in_the_background(manner: Manner) -> None:
    before = threading.active_count()
    asked(manner, seconds=0.3)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_what_is_huge_is_not_read() -> None:
    assert asked(huge).failure == f"answered more than {limits.TRACKER_ANSWER} bytes"
    assert asked(answering(200, b" " * (limits.TRACKER_ANSWER + 1))).failure
    assert asked(answering(200, b" " * limits.TRACKER_ANSWER)).failure == ""


def test_what_is_packed_is_not_unpacked() -> None:
    assert "packed" in asked(bomb).failure


def test_what_is_cut_short_is_a_failure() -> None:
    assert "could not be asked" in asked(cut).failure


def test_a_redirect_is_not_followed() -> None:
    with tracking(knowing()) as other, tracking(answering(302, Location=other.url)) as soft:
        answer = tracker.ask(soft.url, "staging", "OPS-1", seconds=5)
    assert answer.status == 302
    assert other.asked == []


def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = tracker.ask(f"http://127.0.0.1:{port}/", "staging", "OPS-1", seconds=5)
    assert "could not be asked" in answer.failure


def test_what_is_no_http_or_no_tls_is_a_failure() -> None:
    assert "could not be asked" in asked(lambda handler: _say(handler, b"SSH-2.0\r\n\r\n")).failure
    with tracking(knowing()) as soft:
        url = soft.url.replace("http://", "https://")
        assert "could not be asked" in tracker.ask(url, "staging", "OPS-1", seconds=5).failure
    assert soft.asked == []


def test_a_certificate_that_nobody_here_trusts_is_refused(tmp_path: Path) -> None:
    """Before anything is asked: no word and no token goes to whom nobody knows."""
    with tracking(knowing(), make_certificate(tmp_path / "own.pem")) as soft:
        answer = tracker.ask(soft.url, "staging", "OPS-1", seconds=5, token="secret")
    assert "certificate verify failed" in answer.failure
    assert (soft.asked, soft.bearers) == ([], [])


def test_a_certificate_that_the_system_trusts_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As $SSL_CERT_FILE adds one; for its own name alone."""
    certificate = make_certificate(tmp_path / "own.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tracking(knowing(), certificate) as soft:
        answer = tracker.ask(soft.url, "staging", "OPS-1", seconds=5, token="secret")
        assert (answer.status, answer.failure) == (200, "")
        assert soft.bearers == ["Bearer secret"]
        other = tracker.ask(
            soft.url.replace("127.0.0.1", "localhost"), "staging", "OPS-1", seconds=5
        )
    assert "certificate verify failed" in other.failure
    assert len(soft.asked) == 1


def _say(handler: SimpleNamespace | object, data: bytes) -> None:
    handler.wfile.write(data)  # type: ignore[union-attr]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert asked(knowing()).status == 200


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('url = "http://tracker.example/tasks"', "over https"),
        ('url = "ftp://127.0.0.1/"', "over https"),
        ('url = "tasks"', "over https"),
        ('url = "https://"', "over https"),
        ('url = "http://127.0.0.1.example/"', "over https"),
        ('url = "http://127.0.0.1@tracker.example/"', "over https"),
        ('url = "https://ann:secret@tracker.example/"', "no user"),
        ('url = "https://tracker.example/#x"', "fragment"),
        ('timeout = "31s"', "30s at most"),
        ('token = "secret"', "token"),
    ],
)
def test_a_tracker_is_asked_over_https_or_on_loopback(line: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        parse_settings(f"{STORE}[tracker]\n{line}\n")


@pytest.mark.parametrize(
    "url", ["https://tracker.example/t?a=b", "http://localhost:8/", "http://[::1]/", ""]
)
def test_these_are(url: str, tmp_path: Path) -> None:
    settings = parse_settings(f'{STORE}[tracker]\nurl = "{url}"\ntimeout = "2s"\n')
    assert (settings.tracker.url, settings.tracker.timeout.total_seconds()) == (url, 2)
