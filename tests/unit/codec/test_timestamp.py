"""Time stamps: what a real service answers counts, and nothing that was changed in it."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from tests.tsa import Authority, make_authority
from vault.clock import SystemClock
from vault.codec import timestamp
from vault.codec.timestamp import check_reply, make_query, read_certificates
from vault.errors import Corrupt, ExtraMissing, SettingsError

DATA = b"vault/vault_1/log\n12\nroot\n"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """One service for all of these."""
    made = make_authority()
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="module")
def stranger() -> Iterator[Authority]:
    """Another one, by names alike."""
    made = make_authority()
    yield made
    shutil.rmtree(made.folder)


def test_an_answer_tells_the_time_at_which_the_bytes_were_seen(authority: Authority) -> None:
    query = make_query(DATA)
    reply = authority.answer(query.der)
    trusted = read_certificates(authority.root.read_bytes())
    at = check_reply(reply, DATA, trusted, nonce=query.nonce)
    assert abs(SystemClock().now() - at) < timedelta(minutes=1)
    assert check_reply(reply, DATA, trusted) == at


@pytest.mark.parametrize(
    ("former", "now"),
    [(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"), (b"\x0c\x04root", b"\xcc\x04root")],
    ids=["version", "name"],
)
def test_a_certificate_that_cannot_be_read_is_none(
    authority: Authority, former: bytes, now: bytes
) -> None:
    """Of a version that there is not, or with a name that is none."""
    der = ssl.PEM_cert_to_DER_cert(authority.root.read_text())
    assert former in der
    changed = ssl.DER_cert_to_PEM_cert(der.replace(former, now))
    with pytest.raises(SettingsError, match="no certificates"):
        read_certificates(changed.encode())


def test_nothing_else_counts(authority: Authority, stranger: Authority) -> None:
    """Other bytes, another query's answer, another's certificate; a name alone is no proof."""
    query = make_query(DATA)
    reply = authority.answer(query.der)
    trusted = read_certificates(authority.root.read_bytes())
    with pytest.raises(Corrupt):
        check_reply(reply, DATA + b"\n", trusted)
    with pytest.raises(Corrupt):
        check_reply(reply, DATA, trusted, nonce=make_query(DATA).nonce)
    with pytest.raises(Corrupt):
        check_reply(reply, DATA, read_certificates(stranger.root.read_bytes()))
    with pytest.raises(Corrupt):
        check_reply(stranger.answer(query.der), DATA, trusted)


def test_no_changed_answer_counts(authority: Authority) -> None:
    """Bits turned over, ends cut off, noise: all of it is refused in the same words."""
    reply = authority.answer(make_query(DATA).der)
    trusted = read_certificates(authority.root.read_bytes())
    good, unsigned = check_reply(reply, DATA, trusted), 0
    for place in range(0, len(reply), 7):
        changed = bytearray(reply)
        changed[place] ^= 1 << (place % 8)
        with suppress(Corrupt):  # but for what no signature covers, which changes nothing
            assert check_reply(bytes(changed), DATA, trusted) == good
            unsigned += 1
    assert unsigned < 10
    for broken in (b"", b"\x30", reply[:-1], reply[: len(reply) // 2], os.urandom(500)):
        with pytest.raises(Corrupt):
            check_reply(broken, DATA, trusted)


def test_a_refusal_of_the_service_is_no_time_stamp(authority: Authority) -> None:
    reply = authority.answer(b"\x30\x03\x02\x01\x01")
    with pytest.raises(Corrupt):
        check_reply(reply, DATA, read_certificates(authority.root.read_bytes()))


def test_certificates_begin_with_one_that_issued_itself(authority: Authority) -> None:
    """Others in the file lead to it."""
    both = authority.root.read_bytes() + (authority.folder / "tsa.pem").read_bytes()
    trusted = read_certificates(both)
    assert (len(trusted.roots), len(trusted.between)) == (1, 1)
    query = make_query(DATA)
    at = check_reply(authority.answer(query.der), DATA, trusted, nonce=query.nonce)
    assert abs(SystemClock().now() - at) < timedelta(minutes=1)
    for text in (b"", b"no PEM", (authority.folder / "tsa.pem").read_bytes()):
        with pytest.raises(SettingsError):
            read_certificates(text)


def test_a_missing_library_names_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    timestamp._library.cache_clear()
    with pytest.raises(ExtraMissing) as missing:
        make_query(DATA)
    assert "pip install 'vault-softdelete[timestamp]'" in missing.value.hint
