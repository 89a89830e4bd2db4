"""One round of collecting, and rounds without end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vault.process.rounds import keep_doing

if TYPE_CHECKING:
    from vault.library import Vault


def serve(home: Path, interval: float, open_vault: Callable[[], Vault]) -> None:
    """Collect what may go every `interval` seconds, until a signal ends it."""

    def work() -> dict[str, object]:
        # Opened anew each round: charter, settings and keys are those of now.
        with open_vault() as vault:
            report = vault.collect(dry_run=False)
        return {"deleted": report.deleted, "bytes": report.bytes, "reasons": report.reasons}

    keep_doing("collector", home, interval, work)
