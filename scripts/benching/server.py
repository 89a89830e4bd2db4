"""`python -m benching.server start|stop|endpoint|provision FOLDER [URL]`: a bench's S3 server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vault.clock import SystemClock
from vault.testing.rgw import provision, running_server, start_server


def main(verb: str, folder: str, url: str = "") -> None:
    """Start or stop it, print where it listens, or make a store's bucket."""
    if verb == "start":
        start_server(Path(folder))
        return
    server = running_server(Path(folder))
    if verb == "stop":
        server.stop()
    elif verb == "endpoint":
        print(server.endpoint)
    else:
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(server.credentials)
        provision(url, SystemClock())


if __name__ == "__main__":
    main(*sys.argv[1:])
