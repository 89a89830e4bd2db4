"""Identities and their tokens: added, reviewed, signed by a key that changes, and kept secret."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agents import Agent
from tests.cli.hosts import Host
from tests.processes import vault_api, vault_mcp
from vault.clock import SystemClock, parse_time
from vault.errors import IdentityUnknown, UsageError
from vault.limits import SERVICE_TOKEN_LONGEST


def environ(host: Host) -> dict[str, str]:
    """That of a process which serves this host's vault."""
    return {"PATH": os.environ["PATH"], "HOME": "/", "VAULT_HOME": str(host.home)}


def token(host: Host, name: str, *words: str) -> str:
    """A token, as the command writes it."""
    made = host.run("token", "make", name, "--environment", "production", *words)
    assert made.out.startswith("vlt_")
    return made.out.strip()


def status(url: str, secret: str) -> int:
    """What a look at the volumes is answered."""
    shown = {"Authorization": f"Bearer {secret}"}
    return httpx.get(f"{url}/v1/volumes", headers=shown, timeout=60).status_code


# --- who there is --------------------------------------------------------------------------------


def test_an_identity_from_its_beginning_to_its_end(fresh: Host) -> None:
    made = fresh.ask("identity", "add", "bot", "--kind", "agent").item
    assert (made["kind"], made["tokens"], made["last_seen_at"]) == ("agent", 0, None)
    fresh.refused(UsageError, "identity", "add", "BOT", "--kind", "agent", says="bot")
    fresh.refused(UsageError, "identity", "add", "a/b", "--kind", "agent")
    fresh.refused(UsageError, "identity", "add", "cat", "--kind", "animal")
    fresh.refused(IdentityUnknown, "identity", "show", "nobody")
    token(fresh, "bot")
    assert fresh.ask("identity", "show", "bot").item["tokens"] == 1
    assert fresh.ask("identity", "disable", "bot").item["disabled"]
    fresh.refused(IdentityUnknown, "token", "make", "bot", "--environment", "production")
    assert not fresh.ask("identity", "disable", "bot", "--enable").item["disabled"]
    assert [i["name"] for i in fresh.ask("identity", "list").items] == ["bot"]


def test_review_lists_what_no_one_should_have(fresh: Host) -> None:
    """Unused, over-broad, never-expiring, long-lived, disabled with tokens; nothing else."""
    fresh.ask("identity", "add", "ann", "--kind", "human")
    for name, kind in (("bot", "agent"), ("tidy", "agent"), ("site", "service")):
        fresh.ask("identity", "add", name, "--kind", kind)
    token(fresh, "bot")
    token(fresh, "tidy", "--verb", "undelete", "--volume", "photos")
    token(fresh, "site", "--verb", "delete", "--for", "60d")
    fresh.ask("task", "add", "OPS-1", "--assignee", "bot", "--volume", "*")
    fresh.ask("task", "add", "OPS-2", "--assignee", "tidy", "--volume", "photos", "--for", "1d")
    fresh.ask("task", "add", "OPS-3", "--assignee", "tidy", "--volume", "*")
    fresh.ask("task", "close", "OPS-3")
    fresh.ask("grant", "give", "--to", "bot", "--volume", "*", "--reason", "all of it")
    fresh.ask("identity", "disable", "tidy")
    found = fresh.ask("identity", "review", status=3).items
    assert sorted((item["name"], item["what"]) for item in found) == [
        *(("ann", "never-used"), ("bot", "never-expiring"), ("bot", "never-used")),
        *(("bot", "over-broad"), ("bot", "over-broad"), ("bot", "over-broad")),
        *(("site", "long-lived"), ("site", "never-used")),
        *(("tidy", "disabled"), ("tidy", "never-used")),
    ]
    assert "OPS-1" in fresh.run("identity", "review", status=3).out
    assert "OPS-3" not in str(found)


def test_review_tells_who_was_last_used_from_elsewhere(fresh: Host) -> None:
    """Loopback has many addresses: the requests come from one, then from another."""
    fresh.ask("identity", "add", "ann", "--kind", "human")
    shown = {"Authorization": f"Bearer {token(fresh, 'ann')}"}

    def snapshot(url: str, address: str) -> None:
        transport = httpx.HTTPTransport(local_address=address)
        with httpx.Client(transport=transport, headers=shown, timeout=60) as http:
            assert http.post(f"{url}/v1/volumes/photos/snapshots").is_success

    with vault_api(environ(fresh)) as url:
        for address in ("127.0.0.1", "127.0.0.1"):
            snapshot(url, address)
            assert fresh.ask("identity", "review").items == []
        snapshot(url, "127.0.0.2")
        (found,) = fresh.ask("identity", "review", status=3).items
        assert (found["name"], found["what"]) == ("ann", "elsewhere")
        assert "127.0.0.2" in found["detail"]
        snapshot(url, "127.0.0.1")
        assert fresh.ask("identity", "review").items == []


# --- the key that signs --------------------------------------------------------------------------


def test_the_key_changes_without_an_outage(fresh: Host) -> None:
    """What is out goes on until its own end, at a door that runs all the while."""
    fresh.ask("identity", "add", "bot", "--kind", "agent")
    old, brief = token(fresh, "bot"), token(fresh, "bot", "--for", "20s")
    made = time.monotonic()
    with vault_api(environ(fresh), "--rate", "10000") as url:
        answers: list[int] = []
        done = threading.Event()

        def knock() -> None:
            while not done.is_set():
                answers.append(status(url, old))

        caller = threading.Thread(target=knock)
        caller.start()
        until = parse_time(fresh.ask("identity", "rotate").item["former_until"])
        new = token(fresh, "bot")
        assert new.rpartition(".")[2] != old.rpartition(".")[2]  # the key that signed
        assert [status(url, secret) for secret in (old, new)] == [200, 200]
        fresh.ask("identity", "rotate")
        newest = token(fresh, "bot")
        done.set()
        caller.join()
        assert set(answers) == {200}
        assert [status(url, secret) for secret in (old, new, newest)] == [200, 200, 200]
        assert until > SystemClock().now() + SERVICE_TOKEN_LONGEST - timedelta(minutes=5)
        time.sleep(max(0.0, 21 - (time.monotonic() - made)))
        assert status(url, brief) == 401  # its own end, whoever signed

        fresh.ask("identity", "rotate", "--now")
        assert [status(url, secret) for secret in (old, new, newest)] == [401, 401, 401]
        assert status(url, token(fresh, "bot")) == 200
    own = fresh.under(VAULTD_TOKEN=old)
    assert own.run("token", "narrow", "--verb", "undelete").out.startswith("vlt_")


# --- secrets -------------------------------------------------------------------------------------


@contextmanager
def watched() -> Iterator[set[str]]:
    """Every command line of every process, while the block runs."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def traces(secret: str) -> list[bytes]:
    """What would give a token away: its last part, which signs, as it stands and as bytes."""
    text = secret.removeprefix("vlt_").partition(".")[0]
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))[-32:]
    return [text[-40:].encode(), raw, raw.hex().encode()]


def refused(host: Host, *words: str) -> bytes:
    """All that a command says that is refused, with its traceback where one is asked for."""
    process = host.start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode
    return out + err


@pytest.mark.parametrize("debug", ["", "1"], ids=["plain", "debugging"])
def test_a_secret_is_shown_once_and_nowhere_else(fresh: Host, tmp_path: Path, debug: str) -> None:
    """Not in a log, the catalog, the store, an answer, an error, the audit log or an argv."""
    fresh.ask("identity", "add", "bot", "--kind", "agent")
    loud = environ(fresh) | ({"VAULT_DEBUG": debug} if debug else {})
    told: list[Any] = []
    logs = tmp_path / "logs"
    with watched() as argv, logs.open("wb") as log:
        secret = token(fresh, "bot")
        narrower = fresh.under(VAULTD_TOKEN=secret).run("token", "narrow", "--verb", "undelete").out
        with (
            vault_api(loud, log=log) as url,
            vault_mcp(loud | {"VAULTD_URL": url}, log=log) as tools,
        ):
            for shown in (secret, narrower.strip()):
                own = fresh.under(VAULTD_URL=url, VAULTD_TOKEN=shown, VAULT_DEBUG=debug)
                told.append(own.run("volume", "list"))
                lines = ("delete photos --reason x", "volume show nothing")
                told += [refused(own, *line.split()) for line in lines]
                headers = {"Authorization": f"Bearer {shown}"}
                paths = ("/v1/whoami", "/v1/nowhere", "/v1/volumes?limit=x")
                told += [httpx.get(url + path, headers=headers, timeout=60).text for path in paths]
                for agent in (Agent(shown, url), Agent(shown, server=tools)):
                    told += agent.call(("whoami", {}), ("delete_volume", {"volume": 1}))
        subprocess.run(["sleep", "3.5", "0.0"], check=True)
        other = "B" if secret[-80] == "A" else "A"
        tampered = secret[:-80] + other + secret[-79:]
        spoilt = fresh.under(VAULTD_TOKEN=tampered, VAULT_DEBUG=debug)
        told.append(refused(spoilt, "token", "narrow", "--verb", "undelete"))
        rest = ("audit show", "audit export", "token list", "identity show bot", "status")
        told += [fresh.run(*line.split()) for line in rest]
    assert any("sleep 3.5" in line for line in argv)  # it did look
    kept = (fresh.home / "keys" / "issuing.key").read_text().strip()
    files = [p for p in (*fresh.home.rglob("*"), *fresh.store.rglob("*"), logs) if p.is_file()]
    places = {str(p): p.read_bytes() for p in files if p.read_bytes().strip() != kept.encode()}
    places |= {"answers": repr(told).encode(), "command lines": "\n".join(argv).encode()}
    assert len(places) > 10
    for trace in (*traces(secret), *traces(narrower.strip()), kept.encode()):
        assert [name for name, data in places.items() if trace in data] == []
    assert json.loads(fresh.run("token", "list", "--json").out)["items"][0]["name"] == "bot"
