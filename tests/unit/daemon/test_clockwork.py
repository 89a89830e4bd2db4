"""The daemon's strikes, while somebody sets the host's clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_LIBRARY = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"), None)
_PROGRAM = """
import sys, threading, time
from pathlib import Path
from vault.clock import SystemClock
from vault.daemon.clockwork import striking
told, beats = Path(sys.argv[1]), threading.Semaphore(0)
with striking(SystemClock(), {0.01: beats.release}):
    for offset in ("-30d", "+30d", "-1d"):
        before = time.time()
        told.write_text(offset)
        while abs(time.time() - before) < 86000:
            beats.acquire()
        for _ in range(5):
            beats.acquire()
        print(offset)
"""


@pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed")
def test_setting_the_clock_holds_up_no_strike(tmp_path: Path) -> None:
    told = tmp_path / "offset"
    told.write_text("+0")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, told],
        env={
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(told),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["-30d", "+30d", "-1d"], done.stderr
