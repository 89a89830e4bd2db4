"""The unix socket of a served vault: the kernel says who is there, and that is no approval."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.processes import free_port
from tests.promises.users import open_ground, run_as, skip_unless_others_can_run
from tests.signers import SoftKey
from tests.unit.api.conftest import make_door
from vault.client import Client
from vault.clock import SystemClock, parse_time
from vault.errors import ApprovalNeeded, Denied, TokenInvalid
from vault.governance.intent import Task
from vault.library import Vault

VAULT: Final = str(Path(sys.executable).parent / "vault")
SOMEBODY: Final = 61011
ASK: Final = """
import json, sys
import httpx
with httpx.Client(transport=httpx.HTTPTransport(uds=sys.argv[1]), base_url="http://vault") as http:
    print(json.dumps([http.get("/v1/whoami").json(), http.delete("/v1/volumes/ledger").json()]))
"""


@contextmanager
def served(home: Path, *words: str) -> Iterator[None]:
    """`vault api` of a home, as a process."""
    process = subprocess.Popen(
        [VAULT, "api", *words],
        env=dict(os.environ, VAULT_HOME=str(home)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield
    finally:
        process.terminate()
        _, told = process.communicate(timeout=60)
        assert b"Traceback" not in told, told.decode()


def answering(client: httpx.Client) -> None:
    """Return once somebody answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.get("/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("vault api does not answer")


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A folder with a short name that other users can pass through."""
    with open_ground() as made:
        yield made


@pytest.fixture(scope="module")
def tokens(ground: Path) -> dict[Any, str]:
    """Those of a vault with `db` in two environments."""
    return make_door(ground)[2]


@pytest.fixture(scope="module")
def place(ground: Path, tokens: dict[Any, str]) -> Iterator[Path]:
    """The socket on which it is served."""
    assert tokens
    path = ground / "api.sock"
    with served(ground / "home", "--socket", str(path)):
        with at(path) as http:
            answering(http)
        yield path


def at(path: Path, token: str = "") -> httpx.Client:
    """HTTP by that socket."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.HTTPTransport(uds=str(path))
    return httpx.Client(transport=transport, base_url="http://vault", headers=headers, timeout=60)


def test_the_user_there_looks_protects_and_undoes(place: Path) -> None:
    me = f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"
    with Client(f"unix://{place}") as vault:
        told = vault.whoami()
        assert (told["name"], told["kind"], told["via"]) == (me, "human", "uid")
        assert {volume.environment for volume in vault.volumes()} == {"production", "staging"}
        assert vault.snapshot("ledger").state == "stored"
        made = vault.delete("ledger", reason="no longer used")
        assert made.deleted_by == me
        (back,) = vault.undelete([made.id])
        assert back.state == "restored"


def test_without_intent_nothing_is_deleted(place: Path) -> None:
    with Client(f"unix://{place}") as vault, pytest.raises(Denied, match="needs-reason"):
        vault.delete("ledger", reason="")


def test_with_approvers_a_user_needs_a_task_and_steers_nothing_alone(
    place: Path, ground: Path, tokens: dict[Any, str]
) -> None:
    """Anybody's program runs as that user, a coding agent, too."""
    with Vault.open(ground / "home") as vault:
        key = SoftKey()
        vault.oversight.add_approver("eve", key.line, kit=ground / "home" / "recovery.kit")
    with Client(f"unix://{place}") as vault:
        with pytest.raises(Denied, match="needs-task"):
            vault.delete("ledger", reason="no longer used")
        with pytest.raises(Denied, match="needs-task"):
            vault.delete("ledger", reason="no longer used", task="OPS-404")
    with at(place, tokens["bot", "production"]) as http:
        wish = {"volumes": ["ledger"], "reason": "work", "bytes": 7}
        begins = (SystemClock().now() + timedelta(hours=1)).isoformat()
        made = http.post("/v1/grants", json={**wish, "starts_at": begins}).json()
        assert (made["bytes"], parse_time(made["starts_at"])) == (7, parse_time(begins))
        assert http.post("/v1/grants", json={**wish, "starts_at": "soon"}).status_code == 400
        grant = made["id"]
    with at(place) as http:
        answer = http.post(f"/v1/grants/{grant}/give")
        assert (answer.status_code, answer.json()["code"]) == (403, "approval_needed")
        waits = http.get(answer.headers["location"]).json()
        assert (waits["state"], waits["verb"]) == ("waiting", "grant")
    with Client(f"unix://{place}") as vault, pytest.raises(ApprovalNeeded):
        vault.give_grant(grant)
    me = f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"
    with Vault.open(ground / "home") as operator, pytest.raises(ApprovalNeeded):
        operator.oversight.add_task(
            Task(task="OPS-9", environment="production", assignees=(me,), volumes=("ledger",))
        )


def test_another_user_is_somebody_else(place: Path, ground: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    skip_unless_others_can_run(SOMEBODY, environ, ground)
    done = run_as(SOMEBODY, [sys.executable, "-c", ASK, str(place)], environ, ground)
    assert done.returncode == 0, done.stderr
    who, refused = json.loads(done.stdout)
    assert who["name"] == f"uid-{SOMEBODY}@{socket.gethostname()}"
    assert (who["via"], refused["code"]) == ("uid", "denied")


def test_a_token_counts_before_the_user(place: Path, tokens: dict[Any, str]) -> None:
    """It is not more than itself here; and a bad one is not nothing."""
    with Client(f"unix://{place}", tokens["bot", "staging"]) as vault:
        told = vault.whoami()
        assert (told["name"], told["via"], told["environment"]) == ("bot", "token", "staging")
        assert {volume.environment for volume in vault.volumes()} == {"staging"}
    with Client(f"unix://{place}", "vlt_garbage") as vault, pytest.raises(TokenInvalid):
        vault.volumes()


def test_no_header_makes_somebody_a_user(ground: Path, place: Path) -> None:
    """By TCP from this host, where servers often believe what a proxy says."""
    assert place.is_socket()
    listen = f"127.0.0.1:{free_port()}"
    with (
        served(ground / "home", "--listen", listen),
        httpx.Client(base_url=f"http://{listen}") as http,
    ):
        answering(http)
        for host in ("uid", "uid:0", "unix:0", "0", "127.0.0.1:0", "localhost"):
            for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
                shown = f"for={host}" if name == "Forwarded" else host
                assert http.get("/v1/whoami", headers={name: shown}).status_code == 401
