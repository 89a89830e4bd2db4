"""`vault` as a process that believes another time: the command line under libfaketime.

libfaketime 0.9.10 makes an absolute sleep on the true monotonic clock fail with EINVAL, which is
how Python sleeps; waiting for a lock is not touched.
"""

from __future__ import annotations

import threading
import time

from vault.cli import main


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


if __name__ == "__main__":
    time.sleep = _sleep
    main()
