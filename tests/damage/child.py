"""What a hostile repository does to the process that reads it: `python -m tests.damage.child`.

Words: URL, KIT, SNAPSHOT, and the folder to restore to, or `ls`; RESCUE.PY before them has that
program restore. Tells its outcome and its peak of memory in KiB; ru_maxrss would also count what
its parent held.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from vault.errors import VaultError
from vault.library import Vault
from vault.operations.items import RestoreRequest


def main(url: str, kit: str, snapshot: str, to: str) -> str:
    """Look, or restore."""
    with Vault.from_store(url, Path(kit)) as vault:
        try:
            if to == "ls":
                return f"{sum(1 for _ in vault.ls(snapshot, kit=Path(kit)))} entries"
            request = RestoreRequest(what=snapshot, to=Path(to), kit=Path(kit))
            report = vault.restore(request)
            whats = sorted({found.what for found in report.findings})
            return f"{report.written} written, {len(report.findings)} findings: {' '.join(whats)}"
        except VaultError as error:
            return f"{error.code}: {error.message}"


def rescue(program: str, url: str, kit: str, snapshot: str, to: str) -> str:
    """Restore with scripts/rescue.py, which says on standard error what is missing."""
    sys.argv = [program, "--store", url, "--kit", kit, "--snapshot", snapshot, "--to", to]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        return f"status {end.code}"
    return "no status"


if __name__ == "__main__":
    words = sys.argv[1:]
    told = (rescue if words[0].endswith(".py") else main)(*words)
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(told, peak, sep="\n")
