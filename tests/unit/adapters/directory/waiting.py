"""What the tests of quarantine share."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.directory import provider
from vault.provider import PurgePermit, Quarantine

AT = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)
TOMBSTONE = "tomb_01jsm0v3fg0000000000000000"
TRASH = ".vault-trash"
ADAPTER = provider()

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


def planned(volume: Path, tombstone: str = TOMBSTONE) -> Quarantine:
    """A plan for a volume."""
    return ADAPTER.plan_quarantine(str(volume), tombstone)


def permit(place: Quarantine) -> PurgePermit:
    """Leave to destroy, which only purge gives in earnest."""
    return PurgePermit(place, "snap_x", AT, "a test")
