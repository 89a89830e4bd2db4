"""Tokens as bytes: read by who has the key, narrowed by who has the token, forged by nobody."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from biscuit_auth import (
    Biscuit,
    BiscuitBuilder,
    BlockBuilder,
    KeyPair,
    PrivateKey,
    PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.governance.entries import NOW
from vault.errors import TokenInvalid, UsageError
from vault.governance.biscuits import (
    LONGEST,
    PREFIX,
    Terms,
    mint,
    narrow,
    new_issuing_key,
    public_of,
    read,
)

SECRET = new_issuing_key()
PUBLIC = public_of(SECRET)
HOUR = timedelta(hours=1)
TERMS = Terms(
    vault="vault_1",
    name="deploy-bot",
    kind="agent",
    environment="staging",
    token="tok_1",
    made_at=NOW,
    expires_at=NOW + HOUR,
)
TOKEN = mint(SECRET, TERMS)


def terms(token: str, at: datetime = NOW, keys: tuple[str, ...] = (PUBLIC,)) -> Terms:
    """What a token says."""
    return read(token, keys, at)


def narrowed(token: str = TOKEN, **limits: Any) -> str:
    """A token that can do less."""
    return narrow(token, **{"until": None, "verbs": (), "volumes": ()} | limits)


def refused(token: str, at: datetime = NOW, keys: tuple[str, ...] = (PUBLIC,)) -> str:
    """A token that does not count; gives the detail, which its holder is not told."""
    with pytest.raises(TokenInvalid) as caught:
        read(token, keys, at)
    assert str(caught.value) == "this token does not count here"
    assert caught.value.detail
    return str(caught.value.detail)


def appended(code: str, token: str = TOKEN) -> str:
    """The token with a block of any code, as its holder can make one."""
    bare, _, key = token.removeprefix(PREFIX).partition(".")
    biscuit = Biscuit.from_base64(bare, PublicKey(f"ed25519/{key}"))
    return f"{PREFIX}{biscuit.append(BlockBuilder(code)).to_base64()}.{key}"


def built(code: str, secret: str = SECRET) -> str:
    """A token of any first block, by whoever has a key."""
    private = PrivateKey(f"ed25519-private/{secret}")
    return f"{PREFIX}{BiscuitBuilder(code).build(private).to_base64()}.{public_of(secret)}"


WHOLE = (
    'vault("vault_1"); principal("deploy-bot"); kind("agent"); environment("staging");'
    ' token("tok_1"); made(2027-03-01T12:00:00Z);'
)
EXPIRES = " check if time($t), $t < 2027-03-01T13:00:00Z;"


def test_what_was_minted_is_read() -> None:
    """Every term, and no limit where there is none."""
    told = terms(TOKEN)
    assert told == replace(TERMS, ids=told.ids)
    assert told.ids[0] == "tok_1"
    assert len(told.ids) == 2
    verbs, volumes = frozenset(("delete", "undelete")), frozenset(("preview-7",))
    limited = terms(mint(SECRET, replace(TERMS, verbs=verbs, volumes=volumes)))
    assert (limited.verbs, limited.volumes) == (verbs, volumes)


def test_it_counts_until_it_expires() -> None:
    """At the very second no more."""
    assert terms(TOKEN, NOW + HOUR - timedelta(seconds=1)).expires_at == NOW + HOUR
    refused(TOKEN, NOW + HOUR)
    refused(TOKEN, NOW + 999 * HOUR)


def test_narrowing_only_takes_away() -> None:
    """Each block leaves what all before it left, however it is written."""
    token = narrowed(verbs=("delete", "undelete"), volumes=("a", "b"))
    told = terms(narrowed(token, verbs=("undelete", "purge"), volumes=("b", "c")))
    assert told.verbs == frozenset(("undelete",))
    assert told.volumes == frozenset(("b",))
    refused(narrowed(narrowed(verbs=("delete",)), verbs=("undelete",)))
    told = terms(narrowed(narrowed(until=NOW + HOUR / 2), until=NOW + 99 * HOUR))
    assert told.expires_at == NOW + HOUR / 2
    refused(narrowed(until=NOW + HOUR / 2), NOW + HOUR / 2)
    refused(narrowed(until=NOW - HOUR))


def test_a_narrowed_token_keeps_its_lineage() -> None:
    """Whose it is, and the ids by which all that came of the first one are revoked."""
    first, second = terms(TOKEN), terms(narrowed(verbs=("delete",)))
    third = terms(narrowed(narrowed(verbs=("delete",)), volumes=("a",)))
    for told in (second, third):
        assert (told.name, told.token, told.environment) == ("deploy-bot", "tok_1", "staging")
        assert set(first.ids) < set(told.ids)
    assert len(third.ids) == 4


def test_a_holder_adds_nothing_but_limits() -> None:
    """Facts, rules, other checks, policies, scopes: none of them is understood, so none counts."""
    for code in (
        'principal("root")',
        'verb("delete")',
        'environment("production")',
        "time(2020-01-01T00:00:00Z)",
        "right($x) <- principal($x)",
        'check if verb($v), {"delete", "undelete"}.contains($v) or true',
        'check all verb($v), {"delete"}.contains($v)',
        'reject if verb("delete")',
        'check if verb("delete")',
        "check if time($t), $t < 2027-03-01T13:00:00Z or time($u)",
        'check if verb($v), {"delete"}.contains($v) trusting previous',
        'check if volume($v), $v.starts_with("preview")',
        "trusting previous; check if true",
    ):
        assert "narrowed in a way" in refused(appended(code)), code
    assert terms(appended('check if verb($v), {"delete"}.contains($v)')).verbs == frozenset(
        ("delete",)
    )


def test_a_first_block_of_another_form_does_not_count() -> None:
    """Though our own key signed it: what it lacks, has twice, or says besides."""
    assert terms(built(WHOLE + EXPIRES)).name == "deploy-bot"
    for code in (
        WHOLE,
        EXPIRES,
        WHOLE.replace('kind("agent");', "") + EXPIRES,
        WHOLE + ' principal("root");' + EXPIRES,
        WHOLE + " admin(true);" + EXPIRES,
        WHOLE + EXPIRES + " check if true;",
        WHOLE + EXPIRES + ' right("x");',
    ):
        refused(built(code))


def test_only_our_keys_sign() -> None:
    """Another key's token is no token, whichever it names; a former key's is while it counts."""
    other = new_issuing_key()
    forged = mint(other, TERMS)
    assert "no key" in refused(forged)
    bare = forged.removeprefix(PREFIX).partition(".")[0]
    assert "no key" in refused(f"{PREFIX}{bare}.{PUBLIC}")
    own = TOKEN.removeprefix(PREFIX).partition(".")[0]
    assert terms(f"{PREFIX}{own}.{public_of(other)}").name == "deploy-bot"
    assert terms(forged, keys=(PUBLIC, public_of(other))).name == "deploy-bot"
    refused(TOKEN, keys=())
    refused(TOKEN, keys=(public_of(other),))


def test_another_algorithm_is_another_key() -> None:
    """A token of a key on another curve counts nowhere, whatever key is named beside it."""
    pair = KeyPair.from_private_key(PrivateKey(f"secp256r1-private/{SECRET}"))
    made = BiscuitBuilder(WHOLE + EXPIRES).build(pair.private_key).to_base64()
    for key in (PUBLIC, bytes(pair.public_key.to_bytes()).hex()[2:]):
        refused(f"{PREFIX}{made}.{key}")


def test_a_token_that_is_cut_off_does_not_count() -> None:
    """Wherever: what was taken away may have been what limits it."""
    bare = narrowed(verbs=("delete",)).removeprefix(PREFIX).partition(".")[0]
    data = bytearray(base64.urlsafe_b64decode(bare))
    wide = base64.urlsafe_b64decode(TOKEN.removeprefix(PREFIX).partition(".")[0])
    for cut in range(len(wide) - 8, len(data), 7):
        refused(f"{PREFIX}{base64.urlsafe_b64encode(data[:cut]).decode()}.{PUBLIC}")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_byte_is_enough(place: int, change: int) -> None:
    """Any byte, changed in any way."""
    bare = TOKEN.removeprefix(PREFIX).partition(".")[0]
    data = bytearray(base64.urlsafe_b64decode(bare))
    data[place % len(data)] ^= change
    token = f"{PREFIX}{base64.urlsafe_b64encode(data).decode()}.{PUBLIC}"
    try:
        told = terms(token)
    except TokenInvalid:
        return
    assert told == terms(TOKEN)  # bytes that mean nothing may differ; no term may


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_alike(text: str) -> None:
    """With and without what a token begins with."""
    for token in (text, PREFIX + text, f"{PREFIX}{text}.{PUBLIC}"):
        refused(token)


def test_what_is_too_long_is_not_looked_at() -> None:
    """A token of any length is no way to keep us busy."""
    assert "does not look like" in refused(PREFIX + "A" * LONGEST + "." + PUBLIC)
    token = TOKEN
    while len(token) <= LONGEST:
        token = appended('check if verb($v), {"delete"}.contains($v)', token)
    assert "does not look like" in refused(token)


def test_odd_limits_cannot_be_written() -> None:
    """They would be read as code."""
    for words in (('x"',), ("a b",), ("",), ("a;b",), ("a\n",), ("ä",)):
        with pytest.raises(UsageError):
            narrowed(verbs=words)
        with pytest.raises(UsageError):
            narrowed(volumes=words)
    with pytest.raises(UsageError):
        narrowed()
    with pytest.raises(TokenInvalid):
        narrowed("vlt_nothing", verbs=("delete",))


def test_times_are_told_in_utc() -> None:
    """A limit in another zone is the same moment."""
    zone = datetime.fromisoformat("2027-03-01T13:30:00+01:00")
    told = terms(narrowed(until=zone))
    assert told.expires_at == zone
    assert told.expires_at.tzinfo is UTC or told.expires_at.utcoffset() == timedelta(0)


def test_a_token_is_not_judged_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good one is refused once its judging takes too long."""
    monkeypatch.setattr("vault.governance.biscuits._PATIENCE", timedelta(0))
    assert refused(TOKEN)
