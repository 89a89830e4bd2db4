"""Errors as problem documents (RFC 9457): what happened, what is safe, what to do next."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from vault.errors import (
    ApprovalNeeded,
    ApprovalUnknown,
    CatalogBusy,
    Denied,
    ExtraMissing,
    GateError,
    GrantUnknown,
    IdentityUnknown,
    LifecycleError,
    SettingsError,
    SnapshotUnknown,
    SourceError,
    StoreError,
    TaskUnknown,
    TokenInvalid,
    TombstoneUnknown,
    UsageError,
    VaultError,
    VolumeUnknown,
)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5
_STATUSES: Final[tuple[tuple[tuple[type[VaultError], ...], int], ...]] = (
    ((TokenInvalid,), 401),
    (
        (
            *(VolumeUnknown, TombstoneUnknown, SnapshotUnknown, ApprovalUnknown),
            *(GrantUnknown, TaskUnknown, IdentityUnknown),
        ),
        404,
    ),
    ((UsageError,), 400),
    ((GateError,), 403),
    ((ExtraMissing,), 501),
    ((StoreError, CatalogBusy, SettingsError), 503),
    ((LifecycleError, SourceError), 409),
)
_HELD: Final = frozenset(("over-budget", "frozen", "panic"))
_WORDS: Final = {400: "usage", 422: "usage", 404: "not_found", 405: "not_allowed", 413: "too_large"}


class Problem(BaseModel):
    """A problem document; `code` is stable, `retryable` whether the same call can succeed later."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    safe: str = "Nothing was changed."
    hint: str = ""
    retryable: bool = False


def status_of(error: VaultError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, Denied) and _HELD & set(error.rules):
        return 429
    return next((status for kinds, status in _STATUSES if isinstance(error, kinds)), 500)


def answer(_request: Request, error: Exception) -> Response:
    """The answer to any exception that a route raises."""
    if isinstance(error, VaultError):
        return _vault_error(error)
    if isinstance(error, RequestValidationError):
        fault = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return problem(400, "usage", f"the request does not fit: {fault}")
    if isinstance(error, HTTPException):
        code = _WORDS.get(error.status_code, "refused")
        return problem(error.status_code, code, str(error.detail), headers=error.headers)
    return problem(500, "unexpected", "something unexpected happened; the log has it")


def problem(
    status: int, code: str, detail: str, *, headers: Any = None, error: VaultError | None = None
) -> Response:
    """A problem document as an answer."""
    document = Problem(
        type=f"urn:vault:error:{code}",
        title=code.replace("_", " "),
        status=status,
        detail=detail,
        code=code,
    )
    if error is not None:
        document.safe, document.hint = error.safe, error.hint
        document.retryable = error.retryable
    return JSONResponse(
        document.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _vault_error(error: VaultError) -> Response:
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, ApprovalNeeded):
        headers["Location"] = f"/v1/approvals/{error.ask}"
    return problem(status, error.code, error.message, headers=headers, error=error)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of a route for callers who are known, for the OpenAPI document."""
    return problems(*statuses, 400, 401, 403, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These, and those that any route can have."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "description": _MEANINGS[status],
            "content": content,
            "headers": _HEADERS.get(status, {}),
        }
        for status in sorted({*statuses, 413, 429, 500})
    }


def header(description: str, *, always: bool = True) -> dict[str, Any]:
    """A header of an answer, for the OpenAPI document."""
    return {"description": description, "required": always, "schema": {"type": "string"}}


_MEANINGS: Final = {
    400: "The request is not one that can be understood.",
    401: "No token, or none that counts; the same for whatever is amiss.",
    403: "The rules refuse it, and the detail names them; or people have to agree first.",
    404: "There is none; what belongs to another environment is not there.",
    409: "Things are not so that this can be done.",
    413: "The body is too large.",
    422: "The idempotency key came with another request before.",
    429: "Too many requests at once; or a budget is used up, and a person has to look.",
    500: "Something unexpected happened; the log has it.",
    501: "What this needs is not installed here.",
    503: "The store is out of reach; nothing was changed.",
}
_LATER: Final = {"Retry-After": header("After so many seconds it can be tried again.")}
_HEADERS: Final = {
    401: {"WWW-Authenticate": header("What credential is wanted: Bearer.")},
    403: {"Location": header("What waits for people, where they have to agree.", always=False)},
    429: _LATER,
    503: _LATER,
}
