"""Tokens and their lives: by default, at most, and not a second longer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.operations.conftest import Site
from vault.errors import TokenInvalid, UsageError
from vault.operations.identities import add_identity
from vault.operations.tokens import TokenMade, TokenWish, authenticate, make_token, tokens

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
LIVES = [("agent", HOUR, DAY), ("human", 12 * HOUR, 7 * DAY), ("service", 30 * DAY, 90 * DAY)]


def made(site: Site, kind: str, life: timedelta | None = None) -> TokenMade:
    """A token of somebody of this kind, for production."""
    return make_token(site.write, TokenWish(name=kind, environment="production", life=life))


@pytest.mark.parametrize(("kind", "usual", "longest"), LIVES)
def test_a_token_lives_as_long_as_its_kind_may(
    site: Site, kind: str, usual: timedelta, longest: timedelta
) -> None:
    """Without a wish, and by the longest one; it counts until its last second."""
    add_identity(site.write, kind, kind)
    for wish, life in ((None, usual), (longest, longest)):
        token = made(site, kind, wish)
        whole = site.clock.now().replace(microsecond=0)
        assert token.expires_at - whole == life
        site.clock.advance(life - 2 * SECOND)
        assert authenticate(site.write, token.secret).expires_at == token.expires_at
        site.clock.advance(2 * SECOND)
        with pytest.raises(TokenInvalid):
            authenticate(site.write, token.secret)


@pytest.mark.parametrize(("kind", "longest"), [(kind, most) for kind, _, most in LIVES])
def test_a_longer_life_is_refused(site: Site, kind: str, longest: timedelta) -> None:
    """By a second or an hour, or none at all; nothing is made, and nothing is entered."""
    add_identity(site.write, kind, kind)
    last = site.write.catalog.audit.last_id()
    for life in (longest + HOUR, longest + SECOND, timedelta(0), -SECOND):
        with pytest.raises(UsageError, match=f"a token of an? {kind} lives for .* at most"):
            made(site, kind, life)
    assert tokens(site.write) == ()
    assert site.write.catalog.audit.last_id() == last
