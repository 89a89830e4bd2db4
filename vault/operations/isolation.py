"""Isolation: whether this process could load what must stay with another one (P1)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vault.operations import homes
from vault.settings import Settings
from vault.store.opening import credential_loads

_OTHERS: Final = ("purger", "collector")


def reachable(home: Path, settings: Settings) -> tuple[str, ...]:
    """What of the purger's and the collector's this process can load, in words.

    An embedded store (`file://`) has no credentials to keep apart: it is never isolated.
    """
    if settings.store_url.startswith("file:"):
        return ("the store is a directory on this host",)
    found = []
    if os.access(home / homes.PURGER_KEY, os.R_OK):
        found.append(f"the purger's key, {home / homes.PURGER_KEY}")
    for role in _OTHERS:
        profile = settings.roles[role].profile
        if profile and credential_loads(profile):
            found.append(f"the {role}'s credential profile “{profile}”")
    return tuple(found)
