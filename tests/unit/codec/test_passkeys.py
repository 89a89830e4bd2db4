"""Passkeys: a browser's answer counts for its text, its site, and a person who was verified."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authenticators import PRESENT, VERIFIED, SoftAuthenticator
from tests.signers import SoftKey
from vault.codec import agreement, passkeys
from vault.codec.passkeys import Passkey
from vault.errors import ExtraMissing, SignatureRefused, UsageError

SITE = "https://vault.example.org"
WHO = b"passkey of an approver of vault_1: ann"
TEXT = b"vault: approval of a request\ndoes: delete\n"


def enrolled(device: SoftAuthenticator) -> Passkey:
    """The passkey of a device."""
    return passkeys.created(device.create(passkeys.creation(WHO, "ann", SITE)), WHO, SITE)


def test_a_passkey_is_made_and_agrees() -> None:
    """By its line alone, as often as texts come; the key wants a person."""
    device = SoftAuthenticator()
    key = agreement.read_key(enrolled(device).line)
    assert agreement.wants_touch(key)
    assert isinstance(key, Passkey)
    for text in (TEXT, TEXT, b"another"):
        answer = device.get(passkeys.assertion(key, text))
        assert agreement.is_by(key, answer)
        agreement.check(key, text, answer)


def test_the_browser_is_told_to_verify_the_person() -> None:
    """For this credential, on this site, over the digest of the text."""
    device = SoftAuthenticator()
    creation = json.loads(passkeys.creation(WHO, "ann", SITE))
    assert creation["rp"]["id"] == "vault.example.org"
    assert creation["authenticatorSelection"]["userVerification"] == "required"
    told = json.loads(passkeys.assertion(enrolled(device), TEXT))
    assert told["userVerification"] == "required"
    assert told["rpId"] == "vault.example.org"
    assert len(told["allowCredentials"]) == 1


@pytest.mark.parametrize("flags", [0, PRESENT, VERIFIED])
def test_a_person_who_was_not_verified_does_not_count(flags: int) -> None:
    """Neither there alone nor neither; when it is made and when it agrees."""
    device = SoftAuthenticator()
    key = enrolled(device)
    device.flags = flags
    with pytest.raises(SignatureRefused):
        passkeys.check_assertion(key, TEXT, device.get(passkeys.assertion(key, TEXT)))
    with pytest.raises(SignatureRefused):
        enrolled(device)


def test_another_text_site_ceremony_or_device_does_not_count() -> None:
    """A page that looks alike, an answer to another challenge, a credential of another."""
    device, other = SoftAuthenticator(), SoftAuthenticator()
    key = enrolled(device)
    options = passkeys.assertion(key, TEXT)
    elsewhere = SoftAuthenticator("https://vault.example.com", credential=device.credential)
    elsewhere._private = device._private
    pages = SoftAuthenticator("https://vault.example.org:8443", credential=device.credential)
    pages._private = device._private
    answers: list[Callable[[], str]] = [
        lambda: device.get(passkeys.assertion(key, TEXT + b" ")),
        lambda: device.get(options, kind="webauthn.create"),
        lambda: other.get(options),
        lambda: elsewhere.get(options),
        lambda: pages.get(options),
        lambda: device.create(options),
    ]
    for answer in answers:
        with pytest.raises(SignatureRefused):
            passkeys.check_assertion(key, TEXT, answer())
    assert not passkeys.is_by(key, other.get(options))
    with pytest.raises(SignatureRefused):
        passkeys.created(device.create(passkeys.creation(WHO + b"x", "ann", SITE)), WHO, SITE)
    with pytest.raises(SignatureRefused):
        passkeys.created(elsewhere.create(passkeys.creation(WHO, "ann", SITE)), WHO, SITE)


def test_a_claim_of_having_verified_is_under_the_signature() -> None:
    """The flag set afterwards breaks it."""
    device = SoftAuthenticator(flags=PRESENT | VERIFIED)
    key = enrolled(device)
    device.flags = PRESENT
    answer = json.loads(device.get(passkeys.assertion(key, TEXT)))
    data = bytearray(base64.urlsafe_b64decode(answer["response"]["authenticatorData"] + "=="))
    data[32] |= VERIFIED
    answer["response"]["authenticatorData"] = base64.urlsafe_b64encode(data).decode().rstrip("=")
    with pytest.raises(SignatureRefused):
        passkeys.check_assertion(key, TEXT, json.dumps(answer))


def test_the_two_kinds_are_not_taken_for_one_another() -> None:
    """An SSH signature is no passkey's answer, nor the other way round."""
    device, ssh = SoftAuthenticator(), SoftKey()
    key, line = enrolled(device), agreement.read_key(ssh.line)
    answer = device.get(passkeys.assertion(key, TEXT))
    assert not agreement.is_by(key, ssh.sign(TEXT))
    assert not agreement.is_by(line, answer)
    for one, signature in ((key, ssh.sign(TEXT)), (line, answer)):
        with pytest.raises(SignatureRefused):
            agreement.check(one, TEXT, signature)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_garbage_is_refused(garbage: str) -> None:
    """As a refusal, whatever the library makes of it."""
    key = enrolled(SoftAuthenticator())
    assert not passkeys.is_by(key, garbage)
    with pytest.raises(SignatureRefused):
        passkeys.check_assertion(key, TEXT, garbage)
    with pytest.raises(SignatureRefused):
        passkeys.created(garbage, WHO, SITE)
    with pytest.raises(UsageError):
        passkeys.read_passkey(f"webauthn@vault {garbage}")


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSH keys go on; what is missing has a name."""
    line = enrolled(SoftAuthenticator()).line
    monkeypatch.setitem(sys.modules, "vault.codec.passkeys", None)
    with pytest.raises(ExtraMissing, match="passkeys need a library"):
        agreement.read_key(line)
    assert agreement.wants_touch(agreement.read_key(SoftKey().line))


@pytest.mark.parametrize(
    "origin",
    [
        *("", "http://vault.example.org", "https://", "vault.example.org", "https://a@b.org/"),
        *("https://vault.example.org/page", "file:///x", "https://u@vault.example.org"),
    ],
)
def test_a_site_is_https(origin: str) -> None:
    """Or the host itself."""
    with pytest.raises(UsageError, match="no site"):
        passkeys.creation(WHO, "ann", origin)
    assert passkeys.site_of("http://localhost:8080") == "localhost"
