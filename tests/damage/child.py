"""What a hostile repository does to the process that reads it: `python -m tests.damage.child`.

Words: URL, KIT, SNAPSHOT, and the folder to restore to or `ls`. Tells its outcome and its peak of
memory in KiB; ru_maxrss would also count what its parent held.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vault.errors import VaultError
from vault.library import Vault
from vault.operations.items import RestoreRequest


def main(url: str, kit: str, snapshot: str, to: str) -> None:
    """Look, or restore."""
    with Vault.from_store(url, Path(kit)) as vault:
        try:
            if to == "ls":
                told = f"{sum(1 for _ in vault.ls(snapshot, kit=Path(kit)))} entries"
            else:
                request = RestoreRequest(what=snapshot, to=Path(to), kit=Path(kit))
                report = vault.restore(request)
                told = f"{report.written} written, {len(report.findings)} findings"
        except VaultError as error:
            told = error.code
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(told, peak, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
