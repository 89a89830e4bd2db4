"""What botocore raises, in the store's words: by code and status, never by text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from vault.clock import Clock, format_time
from vault.errors import (
    ClockDisagrees,
    LockRefused,
    NotWriteOnce,
    ObjectMissing,
    StoreAddressInvalid,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnreachable,
    VaultError,
)

_SIGNATURE_TOLERANCE: Final = timedelta(minutes=15)
"""Servers refuse a signature that is older or newer than this."""

KEPT: Final = "What was acknowledged before is untouched."
_NO_CREDENTIAL: Final = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_UNREADABLE: Final = (ResponseParserError, ValueError, RuntimeError)
"""What botocore's parser raises of an answer whose form or values make no sense to it."""

_CODES: Final[Mapping[str, type[VaultError]]] = {
    "RequestTimeTooSkewed": ClockDisagrees,
    "NoSuchBucket": StoreAddressInvalid,
    "PermanentRedirect": StoreAddressInvalid,
    "AuthorizationHeaderMalformed": StoreAddressInvalid,
    "IllegalLocationConstraintException": StoreAddressInvalid,
    "InvalidBucketName": StoreAddressInvalid,
    "NoSuchKey": ObjectMissing,
    "NoSuchVersion": ObjectMissing,
    "MethodNotAllowed": ObjectMissing,  # of a version that is a delete marker
    "ObjectLockConfigurationNotFoundError": NotWriteOnce,
    "QuotaExceeded": StoreFull,
    "InsufficientStorage": StoreFull,
    "XMinioStorageFull": StoreFull,
    "SlowDown": StoreUnreachable,
    "RequestTimeout": StoreUnreachable,
    "BadDigest": StoreUnreachable,
    "InvalidDigest": StoreUnreachable,
    "XAmzContentChecksumMismatch": StoreUnreachable,
    "OperationAborted": StoreUnreachable,
    "ExpiredToken": StoreDenied,
    "InvalidToken": StoreDenied,
}
LOCKING: Final[Mapping[str, type[VaultError]]] = {
    "InvalidRequest": NotWriteOnce,  # the bucket has no Object Lock
    "InvalidArgument": LockRefused,  # the date lies in the past
}
"""What some codes mean of a call that carries a lock."""

LOOKING_AT_BUCKET: Final[Mapping[str, type[VaultError]]] = {"404": StoreAddressInvalid}
"""What a HEAD without a body says of a bucket."""

_ORDINARY: Final[Mapping[str, type[VaultError]]] = {}
_STATUSES: Final[Mapping[int, type[VaultError]]] = {
    301: StoreAddressInvalid,
    307: StoreAddressInvalid,
    403: StoreDenied,
    404: ObjectMissing,
    429: StoreUnreachable,
    507: StoreFull,
}
_HINTS: Final[Mapping[type[VaultError], str]] = {
    StoreUnreachable: "Try again; if it lasts, look at the endpoint, the network and the server.",
    StoreDenied: "Compare the role's credential and bucket policy with docs/operations.md.",
    StoreAddressInvalid: "Check bucket, region and endpoint in the store's URL.",
    StoreFull: "Make room or raise the quota, then run the same again.",
    NotWriteOnce: "Use a bucket that was made with versioning and Object Lock.",
    LockRefused: "Compare this host's clock with the store's: vault doctor.",
    ClockDisagrees: "Set the host's clock (NTP), then run the same again.",
}


@contextmanager
def calling(
    what: str, clock: Clock, meaning: Mapping[str, type[VaultError]] = _ORDINARY
) -> Iterator[None]:
    """Turn what a call raises into vault's errors.

    `what` begins the message; `meaning` is what some codes mean of this call alone.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, what, clock, meaning) from error
    except BotoCoreError as error:
        raise _unanswered(error, what) from error
    except RecursionError:
        # botocore follows a server that answers everything with a redirection until it breaks.
        what += ": the endpoint redirects without end"
        raise StoreAddressInvalid(what, safe=KEPT, hint=_HINTS[StoreAddressInvalid]) from None
    except _UNREADABLE as error:
        what += ": the answer cannot be read"
        raise StoreUnreachable(what, safe=KEPT, hint=_HINTS[StoreUnreachable]) from error


def code_of(error: ClientError) -> str:
    """The server's word for what is wrong; on a HEAD only its status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def server_time(response: Mapping[str, Any]) -> datetime | None:
    """The Date header of an answer, good or bad; None where it is no date."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None  # there is none, or it is no date


def _answered(
    error: ClientError, what: str, clock: Clock, meaning: Mapping[str, type[VaultError]]
) -> VaultError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = meaning.get(code) or _CODES.get(code) or _STATUSES.get(status)
    if kind is None:
        kind = StoreUnreachable if status >= 500 else StoreError
    there, here = server_time(error.response), clock.now()
    if kind is StoreDenied and there and abs(there - here) > _SIGNATURE_TOLERANCE:
        kind = ClockDisagrees
    if kind is ClockDisagrees and there:
        what += f": the store's clock says {format_time(there)}, this host's {format_time(here)}"
    return kind(f"{what}: {code} (HTTP {status})", safe=KEPT, hint=_HINTS.get(kind, ""))


def _unanswered(error: BotoCoreError, what: str) -> VaultError:
    if isinstance(error, _NO_CREDENTIAL):
        return StoreDenied(
            f"{what}: no usable credential: {error}",
            safe=KEPT,
            hint="Name a profile of ~/.aws/credentials: --profile, vault.toml or AWS_PROFILE.",
        )
    if isinstance(error, SSLError):
        return StoreUnreachable(
            f"{what}: the server's certificate is not trusted: {error}",
            safe=KEPT,
            hint="Give the file of its certificate authority in the URL: ?ca=/path/ca.pem.",
        )
    if isinstance(error, (HTTPClientError, EndpointConnectionError, IncompleteReadError)):
        return StoreUnreachable(f"{what}: {error}", safe=KEPT, hint=_HINTS[StoreUnreachable])
    return StoreError(f"{what}: {error}", safe=KEPT)
