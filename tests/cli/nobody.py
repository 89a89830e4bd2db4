"""Running the command line as another user, where there can be one."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

import pytest

from tests.cli.hosts import COMMAND

AS_NOBODY: Final = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def _can_run() -> bool:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return False
    done = subprocess.run([*AS_NOBODY, *COMMAND, "--help"], capture_output=True, check=False)
    return done.returncode == 0


NEEDS_NOBODY: Final = pytest.mark.skipif(
    not _can_run(), reason="needs root, setpriv, and a checkout that other users can reach"
)
