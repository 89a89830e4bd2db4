"""Keys as files hold them."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given

from tests.unit.codec.damage import damaged
from vault.codec.keyring import (
    RecoveryKit,
    SigningKey,
    WriterKeys,
    check_recipient,
    new_identity,
    parse_kit,
    parse_role_key,
    parse_writer_keys,
    recipient_of,
    role_key_text,
    unwrap,
    wrap,
)
from vault.errors import KitWrong, SettingsError, UsageError

ROOT = SigningKey(bytes(range(32)))
SECRET, RECIPIENT = new_identity()
VAULT = "vault_" + "0" * 26
KIT = RecoveryKit(VAULT, "s3://bucket/there?x=1", ROOT, ROOT.public_hex, (SECRET,))
WRITER = WriterKeys(VAULT, "the host", ROOT, b"c" * 32, b"i" * 32)
WRAPPED = wrap(b"secret", [RECIPIENT])


def ssh_pair() -> tuple[str, str]:
    """An OpenSSH private key and its public line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def test_a_kit_round_trips() -> None:
    """With and without the root's secret."""
    back = parse_kit(KIT.text())
    assert (back.vault, back.store, back.identities) == (VAULT, KIT.store, (SECRET,))
    assert back.root is not None
    assert back.root.seed == ROOT.seed
    reading = RecoveryKit(VAULT, "file:///x", None, ROOT.public_hex, (SECRET,))
    assert parse_kit(reading.text()) == reading


def test_a_kit_may_be_commented_and_indented() -> None:
    """People print it, retype it, and write on it."""
    text = "\r\n\n  # mine\n" + KIT.text().replace("\n", "  \r\n") + "\n# end\n"
    assert parse_kit(text).identities == (SECRET,)


def test_an_ssh_key_serves_as_an_identity() -> None:
    """As a whole block of lines."""
    private, public = ssh_pair()
    kit = parse_kit(RecoveryKit(VAULT, "", None, ROOT.public_hex, (private,)).text())
    assert unwrap(wrap(b"secret", [public, RECIPIENT]), kit.identities) == b"secret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault nothing\n",
        KIT.text().replace("root-public ", "root-public 00"),
        KIT.text().replace("root-secret 00", "root-secret 01"),
        KIT.text().replace("root-secret ", "root-secret x"),
        KIT.text().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ"),
        KIT.text() + "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        KIT.text() + "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END X-----\n",
    ],
)
def test_a_wrong_kit_is_refused_and_not_quoted(text: str) -> None:
    """Each with its reason; no secret in the message."""
    with pytest.raises(KitWrong) as caught:
        parse_kit(text)
    assert SECRET[-20:] not in str(caught.value)
    assert ROOT.seed.hex() not in str(caught.value)


@given(damaged(KIT.text().encode()))
def test_a_damaged_kit_never_fails_otherwise(data: bytes) -> None:
    """It still reads, or it is KitWrong."""
    with contextlib.suppress(KitWrong):
        parse_kit(data.decode("utf-8", "replace"))


def test_secrets_are_not_shown() -> None:
    """By none of the classes that hold some."""
    shown = repr(KIT) + repr(WRITER)
    assert SECRET not in shown
    assert (b"c" * 32).hex() not in shown
    assert "cccc" not in shown


def test_key_files_round_trip() -> None:
    """Of writer and of the other roles."""
    back = parse_writer_keys(WRITER.text())
    assert (back.name, back.chunk_id_key, back.index_key) == ("the host", b"c" * 32, b"i" * 32)
    assert back.signing.seed == ROOT.seed
    assert parse_role_key(role_key_text(ROOT, "purger")).seed == ROOT.seed


@pytest.mark.parametrize("line", ["vault", "name", "signing", "chunk-id", "index"])
def test_a_key_file_that_lacks_a_line_is_refused(line: str) -> None:
    """Naming the line, not the secret."""
    rows = [row for row in WRITER.text().splitlines() if not row.startswith(line + " ")]
    with pytest.raises(SettingsError):
        parse_writer_keys("\n".join(rows))


def test_wrapping_is_for_all_recipients_and_nobody_else() -> None:
    """Each opens it alone."""
    other, other_recipient = new_identity()
    wrapped = wrap(b"secret", [RECIPIENT, other_recipient])
    assert unwrap(wrapped, [SECRET]) == unwrap(wrapped, [other]) == b"secret"
    with pytest.raises(KitWrong):
        unwrap(WRAPPED, [other])
    with pytest.raises(KitWrong):
        unwrap(WRAPPED, [])
    assert recipient_of(SECRET) == RECIPIENT


@given(damaged(WRAPPED))
def test_damage_to_what_is_wrapped_is_found(data: bytes) -> None:
    """As KitWrong, since nothing tells it from a wrong key."""
    with pytest.raises(KitWrong):
        unwrap(data, [SECRET])


@pytest.mark.parametrize(
    "text",
    [
        *("", "age1", "age1x", "ssh-ed25519", "ssh-dss AAAA"),
        pytest.param(SECRET, id="secret"),
    ],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    """Before anything is sealed to it."""
    with pytest.raises(UsageError):
        check_recipient(text)


def test_there_must_be_somebody_to_wrap_for() -> None:
    """Otherwise nobody could ever read it."""
    with pytest.raises(UsageError):
        wrap(b"secret", [])
