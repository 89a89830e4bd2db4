"""Doctor: what it tells of a process without a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.library import Vault
from vault.operations import homes
from vault.operations.items import CheckItem


def found(home: Path) -> Path:
    """A new vault's kit."""
    return Vault.init(home, store=f"file://{home.parent / 'store'}?immutable=no").kit


def collector(home: Path) -> CheckItem:
    """What doctor says of the collector."""
    with Vault.open(home) as vault:
        (told,) = (check for check in vault.doctor() if check.name == "collector")
    return told


def test_a_collector_whose_key_lies_here_or_elsewhere_is_well(tmp_path: Path) -> None:
    found(tmp_path / "home")
    assert collector(tmp_path / "home").ok
    (tmp_path / "home" / homes.COLLECTOR_KEY).unlink()  # as it is handed over
    assert collector(tmp_path / "home").ok


def test_an_older_vault_is_told_the_command_until_its_collector_has_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(homes, "PROCESS_KEYS", {"purger": homes.PURGER_KEY})
        kit = found(tmp_path / "home")
    told = collector(tmp_path / "home")
    assert not told.ok
    assert "no key of its own" in told.detail
    assert "vault key make collector" in told.hint
    with Vault.open(tmp_path / "home") as vault:
        vault.key_make("collector", kit=kit)
    assert collector(tmp_path / "home").ok
    with Vault.open(tmp_path / "home") as vault:
        vault.key_revoke("collector", reason="it was copied", kit=kit)
    assert not collector(tmp_path / "home").ok
