"""A throw-away Ceph gateway for tests and trials, driven through `scripts/s3`."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vault.clock import Clock
from vault.errors import StoreUnreachable
from vault.store.address import parse_address
from vault.store.policy import Role, bucket_policy
from vault.store.s3_bucket import Bucket, create_bucket, set_policy

ROLES: Final[tuple[Role, ...]] = ("writer", "purger", "reader", "collector")
_PORTS: Final = range(18000, 32000, 64)
_START_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and the file with a profile for each role.

    Processes that use the profiles need AWS_SHARED_CREDENTIALS_FILE set to `credentials`.
    """

    folder: Path
    endpoint: str
    tls_endpoint: str
    ca: Path
    credentials: Path

    def url(self, bucket: str, prefix: str = "") -> str:
        """The store's URL of a bucket here."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region=default"

    def shift(self, offset: str) -> None:
        """Restart the gateway with its clock moved, as by `+49h`; "" is the true time again."""
        _script("restart", str(self.folder), *(("--shift", offset) if offset else ()))

    def kill(self) -> None:
        """Let the gateway die at once and stay down."""
        _script("kill", str(self.folder))

    def is_down(self) -> bool:
        """Whether nobody listens."""
        at = urlsplit(self.endpoint)
        with socket.socket() as probe:
            return probe.connect_ex((at.hostname, at.port)) != 0

    def start(self) -> None:
        """Bring the gateway back with the true time; what it acknowledged is there."""
        self.shift("")

    def stop(self) -> None:
        """End the whole server and remove its data."""
        _script("stop", str(self.folder))


def start_server(folder: Path) -> Server:
    """Start a server in `folder` on free ports; takes about five seconds.

    Raises StoreUnreachable with the one reason why it cannot be had.
    """
    guard = Path(tempfile.gettempdir(), f"vault-s3-{os.getuid()}.lock")
    with guard.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would find the same ports free
        port = next(port for port in _PORTS if _free(port))
        _script("start", str(folder), "--port", str(port))
    return running_server(folder)


def running_server(folder: Path) -> Server:
    """The server that `scripts/s3 start` left in `folder`."""
    try:
        lines = (folder / "env").read_text("utf-8").splitlines()
    except OSError as error:
        raise StoreUnreachable(f"no server in {folder}: {error.strerror}") from error
    terms = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return Server(
        folder,
        terms["S3_ENDPOINT"],
        terms["S3_TLS_ENDPOINT"],
        Path(terms["S3_CA"]),
        Path(terms["AWS_SHARED_CREDENTIALS_FILE"]),
    )


def provision(url: str, clock: Clock, *, profile: str = "provisioner") -> None:
    """Create the bucket of a store's URL with Object Lock and the policy of the four roles."""
    bucket = Bucket(parse_address(url), profile, clock)
    create_bucket(bucket)
    principals = {role: [f"arn:aws:iam:::user/{role}"] for role in ROLES}
    set_policy(bucket, bucket_policy(bucket.name, bucket.prefix, principals, vendor="ceph"))


def _script(*words: str) -> None:
    script = Path(__file__).parents[2] / "scripts" / "s3"
    try:
        done = subprocess.run(
            [str(script), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_START_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreUnreachable(f"{script}: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = [line for line in lines if line.startswith("s3: ")]  # beside what the shell says
        raise StoreUnreachable((said or lines or ["it says nothing"])[-1])


def _free(port: int) -> bool:
    """Whether the server's first ports are free on loopback."""
    for offset in (0, 1, 2, 10, 11, 12, 13):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port + offset)) == 0:
                return False
    return True
