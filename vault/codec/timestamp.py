"""RFC 3161: asking a time-stamping service for a time, and checking what it answered, offline.

Certificates are PEM text. Those that issued themselves are trusted; others may lead to them. A time
stamp counts if its certificate was valid then and is made for time stamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any, Final

from cryptography import x509

from vault.errors import Corrupt, ExtraMissing, SettingsError

QUERY: Final = "application/timestamp-query"


@dataclass(frozen=True, slots=True)
class Query:
    """What is sent (DER), and the number that the answer to it repeats."""

    der: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class Trusted:
    """The certificates that a time stamp has to lead to, and those on the way there."""

    roots: tuple[x509.Certificate, ...]
    between: tuple[x509.Certificate, ...]


def read_certificates(pem: bytes) -> Trusted:
    """The certificates of a PEM text. Raises SettingsError where none is there to be trusted."""
    try:
        found = x509.load_pem_x509_certificates(pem)
        roots = tuple(one for one in found if one.issuer == one.subject)  # names are read only here
    except (ValueError, x509.InvalidVersion) as error:
        raise _untrusted(f"these are no certificates: {error}") from error
    if not roots:
        raise _untrusted("no certificate among these issued itself")
    return Trusted(roots, tuple(one for one in found if one not in roots))


def make_query(data: bytes) -> Query:
    """Ask for the time of these bytes: their SHA-256 and a fresh number. Raises ExtraMissing."""
    library = _library()
    request = (
        library.TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(library.HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .build()
    )
    return Query(request.as_bytes(), request.nonce)


def check_reply(
    reply: bytes, data: bytes, trusted: Trusted, *, nonce: int | None = None
) -> datetime:
    """The time at which a service saw these bytes. Raises Corrupt, ExtraMissing.

    With `nonce` also that it answers this very query.
    """
    library = _library()
    verifier = library.VerifierBuilder(
        roots=list(trusted.roots), intermediates=list(trusted.between), nonce=nonce
    ).build()
    try:
        answer = library.decode_timestamp_response(reply)
        verifier.verify_message(answer, data)
        moment: datetime = answer.tst_info.gen_time
    except Exception as error:  # whatever is amiss with it, it proves nothing
        raise Corrupt(f"a time stamp does not count: {error}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@cache
def _library() -> Any:
    try:
        return import_module("rfc3161_client")
    except ModuleNotFoundError:
        raise ExtraMissing(
            "time stamps need a library that is not installed",
            safe="Nothing was changed.",
            hint="Install it: pip install 'vault-softdelete[timestamp]'",
        ) from None


def _untrusted(why: str) -> SettingsError:
    return SettingsError(
        why,
        safe="Nothing was changed.",
        hint="Give the root certificate of the time-stamping service, as PEM: docs/audit.md",
    )
