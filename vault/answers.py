"""What a daemon answers, as values of ours, or as the error that it met."""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

import msgspec

from vault import errors

_Item = TypeVar("_Item")

_UNREACHABLE: Final = 503
_UNEXPECTED: Final = 500


class Page(msgspec.Struct):
    """Items of a listing, and what to ask for those that follow."""

    items: list[Any]
    next: str | None = None


def decoded(body: bytes) -> Any:
    """The JSON of an answer. Raises VaultError."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise foreign(error) from None


def read(told: Any, kind: type[_Item]) -> _Item:
    """What was told, as a value. Raises VaultError."""
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise foreign(error) from None


def items(told: Any, kind: type[_Item]) -> tuple[_Item, ...]:
    """All items of one page. Raises VaultError."""
    return tuple(read(item, kind) for item in read(told, Page).items)


def foreign(why: Exception) -> errors.VaultError:
    """The error where an answer is not a daemon's."""
    return errors.VaultError(
        f"the daemon's answer is not in our words: {why}",
        safe="What was asked for may or may not have been done.",
        hint="See whether VAULTD_URL leads to a vault, and to one of this version.",
    )


def problem(status: int, body: bytes, location: str) -> errors.VaultError:
    """The error that the daemon met, as it would have been raised here."""
    try:
        told = json.loads(body)
        kind = _kinds().get(told["code"], errors.VaultError)
        error = kind(told["detail"], safe=told["safe"], hint=told["hint"])
    except (ValueError, KeyError, TypeError):
        error = errors.VaultError(f"the daemon answered {status}, and not in our words")
    if isinstance(error, errors.ApprovalNeeded):
        error.ask = location.rpartition("/")[2]
    error.__dict__["answered"] = status
    return error


def status_of(error: errors.VaultError) -> int:
    """The HTTP status that a daemon answered with; 503 for one that does not answer, or else 500.

    For whoever passes an error of the client's on by HTTP: 429 and 503 mean that the same can be
    asked again later.
    """
    unsaid = _UNREACHABLE if isinstance(error, errors.StoreUnreachable) else _UNEXPECTED
    status: int = error.__dict__.get("answered", unsaid)
    return status


def _kinds() -> dict[str, type[errors.VaultError]]:
    found: dict[str, type[errors.VaultError]] = {}
    waiting = [errors.VaultError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting += kind.__subclasses__()
    return found
