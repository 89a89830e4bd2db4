"""The book of tokens: keys that rotate, tokens that are revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given

from tests.unit.governance.entries import NOW, ODD, entry
from vault.audit.entry import Entry, EntryKind
from vault.governance.tokens import Tokens

HOUR = timedelta(hours=1)


def made(token: str = "tok_1", name: str = "bot", **terms: Any) -> Entry:
    """Somebody makes a token."""
    body = {
        "token": token,
        "name": name,
        "environment": "production",
        "made_at": NOW.isoformat(),
        "expires_at": (NOW + HOUR).isoformat(),
        **terms,
    }
    return entry(EntryKind.TOKEN_MADE, body)


def rotated(public: str, until: Any = NOW) -> Entry:
    """A fresh key signs from now on; those before count until then."""
    return entry(EntryKind.KEY_ROTATED, {"public": public, "until": until.isoformat()})


def book(*entries: Entry) -> Tokens:
    """The book after these entries."""
    tokens = Tokens()
    for one in entries:
        tokens.apply(one)
    return tokens


def test_a_token_is_revoked_by_any_of_its_ids() -> None:
    """Its own, that of the one it was narrowed from, that of a block."""
    revoked = entry(EntryKind.TOKEN_REVOKED, {"token": "tok_1"})
    tokens = book(made(), made("tok_2"), revoked)
    assert {t.token: t.revoked for t in tokens.all()} == {"tok_1": True, "tok_2": False}
    assert tokens.is_revoked("bot", NOW, ("tok_1", "block_1", "block_2"))
    assert not tokens.is_revoked("bot", NOW, ("tok_2", "block_3"))
    tokens.apply(entry(EntryKind.TOKEN_REVOKED, {"token": "block_3"}))
    assert tokens.is_revoked("bot", NOW, ("tok_2", "block_3", "block_4"))
    assert not tokens.is_revoked("bot", NOW, ("tok_2", "block_5"))


def test_all_of_an_identity_are_revoked_until_then() -> None:
    """Those made later count, and nobody else's are touched; a token tells whole seconds only."""
    late = NOW + timedelta(milliseconds=700)
    tokens = book(
        made(),
        made("tok_2", "other"),
        entry(EntryKind.TOKEN_REVOKED, {"name": "bot"}, at=NOW + timedelta(milliseconds=500)),
        made("tok_3", made_at=late.isoformat()),
    )
    assert {t.token: t.revoked for t in tokens.all()} == {
        "tok_1": True,
        "tok_2": False,
        "tok_3": False,
    }
    assert not tokens.is_revoked("bot", NOW, ("tok_3",))
    assert tokens.is_revoked("bot", NOW, ("tok_unknown",))
    assert not tokens.is_revoked("bot", NOW + HOUR, ("tok_unknown",))


def test_a_clock_that_ran_ahead_saves_no_token() -> None:
    """What was made before is revoked, whenever its clock said that was."""
    ahead = (NOW + HOUR).isoformat()
    revoked = entry(EntryKind.TOKEN_REVOKED, {"name": "bot"})
    tokens = book(made(made_at=ahead), revoked, made("tok_2", made_at=ahead))
    assert {t.token: t.revoked for t in tokens.all()} == {"tok_1": True, "tok_2": False}


def test_a_later_revocation_reaches_further() -> None:
    """And an earlier one that comes in after it does not take that back."""
    entries = [
        entry(EntryKind.TOKEN_REVOKED, {"name": "bot"}, at=NOW + HOUR),
        entry(EntryKind.TOKEN_REVOKED, {"name": "bot"}, at=NOW),
    ]
    for order in (entries, entries[::-1]):
        assert book(*order).is_revoked("bot", NOW + HOUR / 2, ("tok_1",))


def test_keys_rotate_without_an_outage() -> None:
    """The former one counts until its time; the last one, which signs, for good."""
    tokens = book(rotated("one"), rotated("two", NOW + HOUR))
    assert tokens.keys(NOW) == ("one", "two")
    assert tokens.keys(NOW + HOUR - timedelta(microseconds=1)) == ("one", "two")
    assert tokens.keys(NOW + HOUR) == ("two",)
    assert tokens.keys(NOW + 9999 * HOUR) == ("two",)
    assert book().keys(NOW) == ()


def test_a_key_that_ends_at_once_is_gone_by_every_clock() -> None:
    """By that of a host which is minutes behind, too."""
    tokens = book(rotated("one", NOW + HOUR), rotated("two", NOW))
    assert tokens.keys(NOW - HOUR) == ("two",)


def test_a_rotation_never_prolongs_a_former_key() -> None:
    """One that was to end soon ends then."""
    tokens = book(rotated("one"), rotated("two", NOW), rotated("three", NOW + HOUR))
    assert tokens.keys(NOW) == ("two", "three")


@given(ODD)
def test_odd_entries_never_fail(odd: list[Entry]) -> None:
    """Whatever they hold, every time can be compared."""
    tokens = book(*odd)
    assert all(t.expires_at.tzinfo and t.made_at.tzinfo for t in tokens.all())
    tokens.keys(NOW)
    tokens.is_revoked("x", NOW, ("x",))
