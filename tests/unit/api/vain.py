"""Tokens that do not count, one for each reason, made by the vault's own issuing key or another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from vault.clock import SystemClock
from vault.governance import biscuits
from vault.ids import new_id
from vault.library import Vault
from vault.operations import homes
from vault.operations.tokens import TokenWish

REASONS = (
    *("garbage", "cut", "expired", "future", "revoked", "narrowed-away"),
    *("another-key", "another-vault", "another-kind", "unknown", "disabled"),
)


def vain_tokens(home: Path, environment: str = "staging") -> dict[str, str]:
    """A token for each reason; the agent `bot` keeps those that it has."""
    now, hour = SystemClock().now().replace(microsecond=0), timedelta(hours=1)
    with Vault.open(home) as vault:
        vault.oversight.add_identity("gone", "agent")
        wishes = [TokenWish(name=name, environment=environment) for name in ("bot", "bot", "gone")]
        good, revoked, gone = (vault.oversight.make_token(wish) for wish in wishes)
        vault.oversight.revoke_token(revoked.id)
        vault.oversight.disable_identity("gone")
    key = (home / homes.ISSUING_KEY).read_text().strip()
    terms = biscuits.Terms(
        vault=homes.read_vault_id(home),
        name="bot",
        kind="agent",
        environment=environment,
        token=new_id("tok", now),
        made_at=now,
        expires_at=now + hour,
    )
    signed = {
        "expired": replace(terms, made_at=now - 2 * hour, expires_at=now - hour),
        "future": replace(terms, made_at=now + hour, expires_at=now + 2 * hour),
        "another-vault": replace(terms, vault="vault_" + "0" * 26),
        "another-kind": replace(terms, kind="human"),
        "unknown": replace(terms, name="nobody-of-ours"),
    }
    narrowed = biscuits.narrow(good.secret, until=now - hour, verbs=(), volumes=())
    return {
        "garbage": "vlt_garbage." + "0" * 64,
        "cut": good.secret[:-70],
        "revoked": revoked.secret,
        "disabled": gone.secret,
        "narrowed-away": narrowed,
        "another-key": biscuits.mint(biscuits.new_issuing_key(), terms),
        **{reason: biscuits.mint(key, told) for reason, told in signed.items()},
    }
