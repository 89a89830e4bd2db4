"""Many callers of the HTTP interface at once: each looks at, deletes and undeletes its volume.

Callers and server share the machine, so that the figures are of both.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from benching.gateway import serving
from benching.measuring import fresh, program
from benching.results import Sheet, table
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.tokens import TokenWish

_ENVIRONMENT = "preview"


@dataclass
class _Told:
    """What the callers saw, in seconds."""

    reads: list[float] = field(default_factory=list)
    deletes: list[float] = field(default_factory=list)
    undeletes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0


def measure(chosen: argparse.Namespace) -> None:
    """Run `chosen.callers` callers for `chosen.seconds`; print rates and percentiles."""
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    home = folder / "home"
    with _store(folder, chosen.store) as url:
        token = _vault(folder, home, url, chosen.callers)
        with _served(home) as address:
            told = _crowd(address, token, chosen)
    seconds = told.seconds
    rows = [
        [name, str(len(took)), f"{len(took) / seconds:.1f}", *(f"{v:.2f}" for v in _spread(took))]
        for name, took in (
            *(("read", told.reads), ("delete", told.deletes)),
            ("undelete", told.undeletes),
        )
    ]
    words = f"--store {chosen.store} --callers {chosen.callers} --seconds {chosen.seconds}"
    head = ["", "answered", "a second", "p50, s", "p99, s", "most, s"]
    sheet.table(f"`scripts/bench api {words}`: {len(told.errors)} errors", table(head, rows))
    for line in sorted(set(told.errors))[:10]:
        print(line)
    if told.errors:
        raise SystemExit(1)


@contextmanager
def _store(folder: Path, kind: str) -> Iterator[str]:
    """The URL of a store of that kind, for as long as the context lasts."""
    if kind == "file":
        yield f"file://{folder}/store?immutable=no"
        return
    with serving(folder / "server") as gateway:
        bucket = gateway.bucket("bench")
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = bucket.env["AWS_SHARED_CREDENTIALS_FILE"]
        bucket.provision()
        yield bucket.url


@contextmanager
def _served(home: Path) -> Iterator[str]:
    """The address of a `vault api` of that home."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    words = [program("vault"), "api", "--listen", listen, "--rate", "100000"]
    server = subprocess.Popen(words, env=dict(os.environ, VAULT_HOME=str(home)))
    try:
        yield f"http://{listen}"
    finally:
        server.terminate()
        server.wait()


def _vault(folder: Path, home: Path, url: str, callers: int) -> str:
    """A vault with a volume for each caller, in an environment without a budget; a token."""
    Vault.init(home, store=url, profile="writer" if url.startswith("s3:") else "")
    with (home / "vault.toml").open("a") as file:
        file.write(f'\n[environments.{_ENVIRONMENT}]\nkind = "ephemeral"\ndeletes = 1000000\n')
    with Vault.open(home) as vault:
        vault.add_environment(_ENVIRONMENT, ephemeral=True, window=timedelta(hours=1))
        for number in range(callers):
            place = folder / "srv" / f"v{number}"
            place.mkdir(parents=True)
            (place / "data").write_bytes(b"data")
            vault.add_volume(
                Enrolment(name=f"v{number}", path=str(place), environment=_ENVIRONMENT)
            )
        vault.oversight.add_identity("bot", "agent")
        return vault.oversight.make_token(TokenWish(name="bot", environment=_ENVIRONMENT)).secret


def _crowd(url: str, token: str, chosen: argparse.Namespace) -> _Told:
    told, headers = _Told(), {"Authorization": f"Bearer {token}"}
    with httpx.Client() as probe:
        for _ in range(1200):
            try:
                probe.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
    begun = time.monotonic()
    until = begun + chosen.seconds

    def call(number: int) -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=120) as http:
            while time.monotonic() < until:
                _once(http, number, told)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(chosen.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.seconds = time.monotonic() - begun  # what was asked for in time was answered
    return told


def _once(http: httpx.Client, number: int, told: _Told) -> None:
    """Look, delete, look, undelete."""
    place = f"/v1/volumes/v{number}"
    if _call(http, told, told.reads, "GET", place) is None:
        return
    made = _call(http, told, told.deletes, "DELETE", place)
    if made is None:
        return
    _call(http, told, told.reads, "GET", made["links"]["self"])
    _call(http, told, told.undeletes, "POST", made["links"]["undelete"])


def _call(
    http: httpx.Client, told: _Told, took: list[float], method: str, path: str
) -> dict[str, Any] | None:
    begun = time.monotonic()
    try:
        answer = http.request(method, path, headers={"Vault-Reason": "bench"})
    except httpx.TransportError as error:
        told.errors.append(f"{method}: {type(error).__name__}: {error}")
        return None
    took.append(time.monotonic() - begun)
    if not answer.is_success:
        told.errors.append(f"{method}: {answer.status_code} {answer.text[:200]}")
        return None
    found: dict[str, Any] = answer.json()
    return found


def _spread(took: list[float]) -> tuple[float, float, float]:
    ordered = sorted(took) or [0.0]
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]
