"""The handler of docs/platforms.md, as it stands there, in front of a real `vault api`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.processes import vault_api
from tests.signers import SoftKey
from tests.tidy.source import ROOT
from tests.unit.api.conftest import Door, entrust, make_door
from vault.client import TOKEN, URL

PAGE = (ROOT / "docs" / "platforms.md").read_text("utf-8")
MOVED = {"X-Reason": "customer moved", "Idempotency-Key": "request 1"}


@dataclass
class Platform:
    """The page's app, and what the daemon that it asks answers from."""

    door: Door
    client: TestClient

    def delete(self, name: str, who: str = "ann", **headers: str) -> Any:
        """What somebody of production asks the platform."""
        shown = {
            "Authorization": f"Bearer {self.door.tokens[who, 'production']}",
            **MOVED,
            **headers,
        }
        return self.client.delete(f"/databases/{name}", headers=shown)


def handler() -> TestClient:
    """What the page's code makes."""
    (code,) = (part.partition("```")[0] for part in PAGE.split("```python\n")[1:])
    made: dict[str, Any] = {}
    exec(compile(code, "docs/platforms.md", "exec"), made)
    return TestClient(made["app"])


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The page's platform, and a daemon that it knows by its environment."""
    home, app, tokens = make_door(tmp_path)
    client = handler()
    monkeypatch.delenv(TOKEN, raising=False)
    with vault_api({"PATH": os.environ["PATH"], "VAULT_HOME": str(home)}) as url:
        monkeypatch.setenv(URL, url)
        yield Platform(Door(home, tmp_path, app, client, tokens), client)


@pytest.mark.timeout(300)
def test_the_handler_of_the_page(served: Platform) -> None:
    nobody = served.client.delete("/databases/db", headers=MOVED)
    assert (nobody.status_code, nobody.json()) == (401, {"error": "show a token"})
    assert served.delete("db", Authorization="Bearer vlt_x").status_code == 401
    assert served.delete("nothing").status_code == 404
    assert served.delete("db", "platform").status_code == 403
    refused = served.delete("db", **{"X-Reason": ""})
    assert (refused.status_code, "needs-reason" in refused.json()["error"]) == (403, True)

    first = served.delete("db")
    assert (first.status_code, first.json()["state"]) == (202, "tombstoned")
    assert served.delete("db").json() == first.json()
    other = {"Idempotency-Key": "request 2", "X-Reason": "another"}
    assert served.delete("db", **other).status_code == 409
    assert served.delete("ledger").status_code == 422
    with served.door.vault() as vault:
        vault.undelete([first.json()["tombstone"]])
    late = served.delete("db")
    assert (late.status_code, late.json()) == (202, {**first.json(), "state": "restored"})

    with served.door.vault() as vault:
        vault.oversight.freeze("ann", reason="looking")
    frozen = served.delete("ledger", **other)
    assert (frozen.status_code, frozen.headers["retry-after"]) == (429, "5")
    assert "unfreeze" in frozen.json()["error"]


@pytest.mark.timeout(300)
def test_what_waits_for_people_is_accepted_and_not_done(served: Platform) -> None:
    assert served.delete("db", "bot").status_code == 403
    entrust(served.door)
    with served.door.vault() as vault:
        vault.oversight.add_approver("eve", SoftKey().line, kit=served.door.home / "recovery.kit")
    waits = served.delete("db", "bot", **{"X-Task": "OPS-1"})
    assert (waits.status_code, waits.json()["state"]) == (202, "awaiting_approval")
    with served.door.vault() as vault:
        (ask,) = vault.oversight.approvals()
        assert waits.json()["approval"] == ask.id
        assert vault.tombstones() == ()


def test_without_a_daemon_it_says_later(served: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "http://127.0.0.1:9")
    away = served.delete("db")
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
