"""A throw-away S3 server (Ceph's RADOS gateway) for one bench, with buckets for its contenders.

The server is made and filled by other processes: a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own on the server in `folder`."""

    folder: Path
    endpoint: str
    name: str

    @property
    def env(self) -> dict[str, str]:
        """What programs need to reach it: profiles, and the keys of one who may do all."""
        credentials = self.folder / "credentials"
        known = configparser.ConfigParser()
        known.read(credentials)
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_ACCESS_KEY_ID": known["provisioner"]["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": known["provisioner"]["aws_secret_access_key"],
        }

    @property
    def url(self) -> str:
        """As vault writes it."""
        return f"s3://{self.name}/vault?endpoint={self.endpoint}&region=default"

    def provision(self) -> None:
        """Make it with Object Lock and the policy of vault's roles."""
        _apart("provision", str(self.folder), self.url)

    def spent(self) -> float:
        """Processor seconds that the server's processes have had."""
        ticks = 0
        for pid in (self.folder / "pids").iterdir():
            fields = Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rpartition(")")[2]
            ticks += sum(map(int, fields.split()[11:13]))  # utime and stime: proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")

    def held(self) -> float:
        """MB in all versions of all objects."""
        words = ["radosgw-admin", "bucket", "stats", f"--bucket={self.name}"]
        env = dict(os.environ, CEPH_CONF=str(self.folder / "ceph.conf"))
        done = subprocess.run(words, env=env, capture_output=True, check=False)
        if done.returncode:  # not there yet
            return 0.0
        uses = json.loads(done.stdout)["usage"].values()
        return float(sum(use["size"] for use in uses) / 1e6)


class Gateway:
    """A server that runs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._endpoint = _apart("endpoint", str(folder)).strip()

    def bucket(self, name: str) -> Bucket:
        """One of that name, not made yet."""
        return Bucket(self._folder, self._endpoint, name)


@contextmanager
def serving(folder: Path) -> Iterator[Gateway]:
    """A server that ends with the context, and its data with it."""
    try:
        _apart("start", str(folder))
        yield Gateway(folder)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one would leave it running
            signal.signal(number, signal.SIG_IGN)
        if (folder / "pids").exists():
            _apart("stop", str(folder))


def _apart(*words: str) -> str:
    command = [sys.executable, "-m", "benching.server", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
