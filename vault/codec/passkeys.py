"""Passkeys: agreeing to a text by WebAuthn, in a browser, with the person verified by the device.

The challenge of an assertion is the SHA-256 of the text. A key's line, `webauthn@vault` and base64
of JSON, holds the site that it was made for: whoever agrees to it reads where it is used.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, decode_credential_public_key
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from vault.errors import SignatureRefused, UsageError

KIND: Final = "webauthn@vault"
_ALGORITHMS: Final = [COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256]
_REQUIRED: Final = UserVerificationRequirement.REQUIRED
_LONGEST: Final = 16_384


class Passkey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey's public half: `credential` and `key` (COSE) in base64, and the site's origin."""

    origin: str
    credential: str
    key: str

    @property
    def site(self) -> str:
        """The relying party's id: the origin's host."""
        return site_of(self.origin)

    @property
    def line(self) -> str:
        """As a roster holds it."""
        return f"{KIND} {base64.b64encode(msgspec.json.encode(self)).decode()}"


def site_of(origin: str) -> str:
    """The host of an origin, for example `https://vault.example.org`. Raises UsageError."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and host == "localhost")
    if not (safe and host) or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
        raise UsageError(
            f"“{origin}” is no site that passkeys are made for",
            safe="Nothing was changed.",
            hint="As in: https://vault.example.org",
        )
    return host


def read_passkey(line: str) -> Passkey:
    """A key as it stands in a roster. Raises UsageError."""
    kind, _, packed = line.strip().partition(" ")
    try:
        if kind != KIND:
            raise ValueError(f"its kind is “{kind}”")
        found = msgspec.json.decode(base64.b64decode(packed, validate=True), type=Passkey)
        base64.b64decode(found.credential, validate=True)
        decode_credential_public_key(base64.b64decode(found.key, validate=True))
    except Exception as error:  # noqa: BLE001 - the library fails in many ways over what is no key
        raise UsageError(
            f"this is no passkey: {error}",
            safe="Nothing was changed.",
            hint="Make one with a browser, on the page of the vault's daemon.",
        ) from None
    site_of(found.origin)
    return found


def creation(statement: bytes, name: str, origin: str) -> str:
    """What a browser's `navigator.credentials.create` is called with, as JSON.

    `statement` names who is to be enrolled, where.
    """
    options = webauthn.generate_registration_options(
        rp_id=site_of(origin),
        rp_name="vault",
        user_name=name,
        user_id=sha256(statement).digest(),
        challenge=sha256(statement).digest(),
        authenticator_selection=AuthenticatorSelectionCriteria(user_verification=_REQUIRED),
        supported_pub_key_algs=_ALGORITHMS,
    )
    return webauthn.options_to_json(options)


def created(response: str, statement: bytes, origin: str) -> Passkey:
    """The passkey that a browser made for this statement. Raises SignatureRefused."""
    try:
        made = webauthn.verify_registration_response(
            credential=_bounded(response),
            expected_challenge=sha256(statement).digest(),
            expected_rp_id=site_of(origin),
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is amiss with it, it does not count
        raise _refused(error) from None
    return Passkey(
        origin=origin,
        credential=base64.b64encode(made.credential_id).decode(),
        key=base64.b64encode(made.credential_public_key).decode(),
    )


def assertion(key: Passkey, text: bytes) -> str:
    """What a browser's `navigator.credentials.get` is called with to agree to a text, as JSON."""
    options = webauthn.generate_authentication_options(
        rp_id=key.site,
        challenge=sha256(text).digest(),
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64.b64decode(key.credential))],
        user_verification=_REQUIRED,
    )
    return webauthn.options_to_json(options)


def is_by(key: Passkey, response: str) -> bool:
    """Whether a response says that it is by this passkey; `check_assertion` tells whether it is."""
    try:
        told = msgspec.json.decode(_bounded(response), type=_Response)
        return base64url_to_bytes(told.id) == base64.b64decode(key.credential)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False


def check_assertion(key: Passkey, text: bytes, response: str) -> None:
    """Whether the person agreed to this text, verified by their device. Raises SignatureRefused.

    Its counter is not looked at: a text is agreed to once.
    """
    try:
        webauthn.verify_authentication_response(
            credential=_bounded(response),
            expected_challenge=sha256(text).digest(),
            expected_rp_id=key.site,
            expected_origin=key.origin,
            credential_public_key=base64.b64decode(key.key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:  # noqa: BLE001 - whatever is amiss with it, it does not count
        raise _refused(error) from None


class _Response(msgspec.Struct):
    id: str


def _bounded(response: str) -> str:
    if len(response) > _LONGEST:
        raise ValueError("it is too long")
    return response


def _refused(error: Exception) -> SignatureRefused:
    return SignatureRefused(
        f"this passkey's answer does not count: {error}",
        hint="Agree on the page of this very request, and let the device verify you.",
    )
