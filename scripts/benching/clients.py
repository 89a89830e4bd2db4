"""Many callers of the HTTP interface at once: each deletes and undeletes a volume of its own."""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx

from benching.measuring import fresh, program
from benching.results import Sheet, table
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.tokens import TokenWish

_ENVIRONMENT = "preview"


@dataclass
class _Told:
    """What the callers saw, in seconds."""

    deletes: list[float] = field(default_factory=list)
    undeletes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def measure(chosen: argparse.Namespace) -> None:
    """Run `chosen.callers` callers for `chosen.seconds`; print rates and percentiles."""
    folder, sheet = fresh(chosen.where), Sheet(chosen.out)
    home = folder / "home"
    token = _vault(folder, home, chosen.callers)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    words = [program("vault"), "api", "--listen", listen, "--rate", "100000"]
    server = subprocess.Popen(words, env=dict(os.environ, VAULT_HOME=str(home)))
    try:
        told = _crowd(f"http://{listen}", token, chosen)
    finally:
        server.terminate()
        server.wait()
    seconds = chosen.seconds
    rows = [
        [name, str(len(took)), f"{len(took) / seconds:.1f}", *(f"{v:.2f}" for v in _spread(took))]
        for name, took in (("delete", told.deletes), ("undelete", told.undeletes))
    ]
    title = f"`scripts/bench clients --callers {chosen.callers} --seconds {seconds}`"
    head = ["", "answered", "a second", "median, s", "p99, s", "most, s"]
    sheet.table(f"{title}: {len(told.errors)} errors", table(head, rows))
    for line in sorted(set(told.errors))[:10]:
        print(line)


def _vault(folder: Path, home: Path, callers: int) -> str:
    """A vault with a volume for each caller, in an environment without a budget; a token."""
    Vault.init(home, store=f"file://{folder}/store?immutable=no")
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
        for _ in range(200):
            try:
                probe.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
    until = time.monotonic() + chosen.seconds

    def call(number: int) -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=120) as http:
            while time.monotonic() < until:
                _once(http, number, told)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(chosen.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def _once(http: httpx.Client, number: int, told: _Told) -> None:
    begun = time.monotonic()
    try:
        made = http.delete(f"/v1/volumes/v{number}", headers={"Vault-Reason": "bench"})
        told.deletes.append(time.monotonic() - begun)
        if made.status_code != 202:
            told.errors.append(f"delete: {made.status_code} {made.text[:200]}")
            return
        begun = time.monotonic()
        back = http.post(made.json()["links"]["undelete"])
        told.undeletes.append(time.monotonic() - begun)
        if back.status_code != 200:
            told.errors.append(f"undelete: {back.status_code} {back.text[:200]}")
    except httpx.TransportError as error:
        told.errors.append(f"{type(error).__name__}: {error}")


def _spread(took: list[float]) -> tuple[float, float, float]:
    ordered = sorted(took) or [0.0]
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]
