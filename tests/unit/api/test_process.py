"""A served vault as a process, by TCP: behind TLS, and a body that does not say how long it is."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.certificates import make_certificate
from tests.processes import free_port
from tests.unit.api.conftest import make_door
from tests.unit.api.test_socket import answering, served
from vault.api.limiting import BODY_MOST
from vault.client import Client
from vault.library import Vault

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the vault and its certificate are."""
    return tmp_path_factory.mktemp("process")


@pytest.fixture(scope="module")
def ann(root: Path) -> str:
    """Ann's token for production, in a vault with `db` and `ledger`."""
    return make_door(root)[2]["ann", "production"]


@pytest.fixture(scope="module")
def certificate(root: Path) -> Path:
    """One for loopback, with its key."""
    return make_certificate(root / "server.pem")


@pytest.fixture(scope="module")
def address(root: Path, ann: str, certificate: Path) -> Iterator[str]:
    """Host and port where that vault answers behind TLS."""
    assert ann
    listen, file = f"127.0.0.1:{free_port()}", str(certificate)
    with served(root / "home", "--listen", listen, "--tls-cert", file, "--tls-key", file):
        with trusting(listen, certificate) as http:
            answering(http)
        yield listen


def trusting(address: str, certificate: Path, token: str = "") -> httpx.Client:
    """HTTP behind TLS, by somebody who trusts this certificate alone."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    trust = ssl.create_default_context(cafile=certificate)
    return httpx.Client(base_url=f"https://{address}", verify=trust, headers=headers, timeout=60)


def test_who_trusts_the_certificate_is_answered(address: str, certificate: Path, ann: str) -> None:
    with Client(f"https://{address}", ann, verify=str(certificate)) as vault:
        assert vault.whoami()["name"] == "ann"
    with trusting(address, certificate) as http:
        assert http.get("/v1/whoami").status_code == 401


def test_in_the_clear_nothing_is_answered(address: str, ann: str) -> None:
    with httpx.Client(base_url=f"http://{address}", timeout=60) as http:
        for headers in ({}, {"Authorization": f"Bearer {ann}"}):
            with pytest.raises(httpx.TransportError):
                http.get("/v1/whoami", headers=headers)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """A body of this size, in chunks; what it has more than the words is blank."""
    yield body
    for start in range(len(body), size, 1024):
        yield b" " * min(1024, size - start)


def test_a_body_in_chunks_has_the_same_limit(
    address: str, certificate: Path, ann: str, root: Path
) -> None:
    """One byte more than that, and nothing is undone; with as many as that, it is."""
    with Vault.open(root / "home") as vault:
        vault.delete("ledger", reason="moved")
    with trusting(address, certificate, ann) as http:

        def undo(size: int) -> httpx.Response:
            chunks = pieces(b'{"since": "1h"}', size)
            return http.post("/v1/undelete", content=chunks, headers=JSON)

        def state() -> str:
            return str(http.get("/v1/volumes/ledger").json()["state"])

        for size in (BODY_MOST + 1, 20 * BODY_MOST):
            with suppress(httpx.TransportError):  # a server need not read what it refuses
                refused = undo(size)
                assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
            assert state() == "tombstoned"
        assert undo(BODY_MOST).is_success
        assert state() == "active"
