"""Tokens on a busy host: how long one may be judged is bounded, and far beyond what it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.errors import TokenInvalid
from vault.governance import biscuits

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
VOLUMES = frozenset(f"preview-{number}" for number in range(300))


@pytest.fixture
def key() -> str:
    return biscuits.new_issuing_key()


@pytest.fixture
def token(key: str) -> str:
    """One that is limited to as much as a token can hold."""
    return biscuits.mint(
        key,
        biscuits.Terms(
            vault="vault_1",
            name="bot",
            kind="agent",
            environment="production",
            token="tok_1",
            made_at=NOW,
            expires_at=NOW + timedelta(hours=1),
            volumes=VOLUMES,
        ),
    )


def test_a_good_token_is_good_however_often_it_is_shown(key: str, token: str) -> None:
    for _ in range(50):
        assert biscuits.read(token, [biscuits.public_of(key)], NOW).volumes == VOLUMES


def test_a_token_is_not_judged_for_ever(
    key: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(biscuits, "_PATIENCE", timedelta(0))
    with pytest.raises(TokenInvalid):
        biscuits.read(token, [biscuits.public_of(key)], NOW)
