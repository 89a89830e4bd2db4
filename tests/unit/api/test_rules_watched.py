"""Rules of the home's own that cannot be used: the door says so once, not to each who asks."""

from __future__ import annotations

import io
import json
import os

import pytest
from fastapi.testclient import TestClient

from tests.processes import vault_api
from tests.unit.api.conftest import Door
from vault.api.application import create_app
from vault.api.pool import RENEW_SECONDS
from vault.clock import SystemClock
from vault.library import Vault
from vault.testing.clock import ManualClock

BROKEN = '// of ours\n@id("ours") forbid (principal, action resource);\n'


def said(log: str) -> list[tuple[str, str, str]]:
    """The lines about rules: event, level, and where it is."""
    lines = [json.loads(line) for line in log.splitlines()]
    return [
        (line["event"], line["level"], line.get("detail", "").partition(": ")[2][:17])
        for line in lines
        if line["event"].startswith("policy")
    ]


def test_it_is_said_once_for_each_change(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    clock, file = ManualClock(SystemClock().now()), door.home / "policy.cedar"
    app = create_app(lambda: Vault.open(door.home), rate=10_000.0, clock=clock)
    headers = door.headers("ann", "production", {})
    with TestClient(app) as client:
        for text in (BROKEN, BROKEN, "\n" + BROKEN, "", "", BROKEN):
            file.write_text(text)
            clock.sleep(RENEW_SECONDS + 1)
            for _ in range(5):
                assert client.get("/v1/volumes", headers=headers).status_code == 200
    assert said(capsys.readouterr().err) == [
        ("policy_invalid", "warning", "line 2, rule ours"),
        ("policy_invalid", "warning", "line 3, rule ours"),
        ("policy_valid", "info", ""),
        ("policy_invalid", "warning", "line 2, rule ours"),
    ]


@pytest.mark.timeout(300)
def test_a_process_says_it_when_it_starts(door: Door) -> None:
    """Nobody has asked for anything yet; and people are told once, however often it starts."""
    (door.home / "policy.cedar").write_text(BROKEN)
    environ = {"PATH": os.environ["PATH"], "VAULT_HOME": str(door.home)}
    for _ in range(2):
        log = io.BytesIO()
        with vault_api(environ, log=log):
            pass
        assert said(log.getvalue().decode()) == [("policy_invalid", "warning", "line 2, rule ours")]
    with door.vault() as vault:
        entries = [e for e in vault.oversight.audit_show() if e.kind == "check_failed"]
    assert [(e.body["check"], e.body["findings"]) for e in entries] == [("policy", 1)]
