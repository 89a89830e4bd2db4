"""Adapters: vault's own is there, another is found by what its distribution announces."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.directory.provider import DirectoryProvider
from vault.compose import installed_providers


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with an adapter called “tape”, and one that calls itself “directory”."""
    folder = tmp_path / "tapes-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tapes\nVersion: 1.0\n")
    announced = "[vault.adapters]\ntape = tapes:provider\ndirectory = tapes:provider\n"
    (folder / "entry_points.txt").write_text(announced)
    (tmp_path / "tapes.py").write_text("def provider():\n    return 'of tapes'\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("another")
def test_another_adapter_is_found_and_replaces_none() -> None:
    """By its name, beside vault's own, which stays what it is."""
    providers = installed_providers()
    assert {"directory", "tape"} <= set(providers)
    assert len(providers) == len(set(providers))
    assert str(providers["tape"]) == "of tapes"
    assert isinstance(providers["directory"], DirectoryProvider)


def test_what_nobody_has_is_not_there() -> None:
    """And an adapter is made once."""
    providers = installed_providers()
    assert "tape" not in providers
    assert providers["directory"] is providers["directory"]
