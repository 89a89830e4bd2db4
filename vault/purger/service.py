"""One round of purging, and rounds without end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vault.process.rounds import keep_doing

if TYPE_CHECKING:
    from vault.library import Vault


def serve(home: Path, interval: float, open_vault: Callable[[], Vault]) -> None:
    """Purge what may be purged every `interval` seconds, until a signal ends it."""

    def work() -> dict[str, object]:
        # Opened anew each round: charter, settings and keys are those of now.
        with open_vault() as vault:
            report = vault.purge(dry_run=False)
        return dict(Counter(str(item.verdict) for item in report.items))

    keep_doing("purger", home, interval, work)
