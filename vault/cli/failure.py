"""Errors at the door: what standard error says and what the shell gets."""

from __future__ import annotations

import json
import os
import traceback
from typing import Any, Final

import typer

from vault.errors import Interrupted, UsageError, VaultError

UNREAD: Final = 141
"""Who read standard output went away: what shells say of a program that SIGPIPE ended."""
FINDINGS: Final = 3
"""Done, but with findings or only in part."""


def report(error: BaseException, *, as_json: bool) -> int:
    """Say on standard error what went wrong and return the exit status."""
    if isinstance(error, BrokenPipeError):
        # What standard output still holds must not fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNREAD
    known = _as_known(error)
    if os.environ.get("VAULT_DEBUG") == "1":
        typer.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    typer.echo(json.dumps(describe(known)) if as_json else _for_people(known), err=True)
    return known.status


def describe(error: VaultError) -> dict[str, Any]:
    """The error as programs read it."""
    return {
        "version": 1,
        "kind": "error",
        "code": error.code,
        "message": error.message,
        "safe": error.safe,
        "hint": error.hint,
        "retryable": error.retryable,
    }


def _as_known(error: BaseException) -> VaultError:
    if isinstance(error, VaultError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(
            "interrupted", hint="Run the same again: it goes on from what is stored."
        )
    if isinstance(error, typer.TyperException):
        path = getattr(getattr(error, "ctx", None), "command_path", "vault")
        return UsageError(error.format_message(), hint=f"See: {path} --help")
    text = " ".join(str(error).split())
    return VaultError(
        f"Unexpected {type(error).__name__}{': ' * bool(text)}{text}",
        hint="Run the same with VAULT_DEBUG=1 and report what it prints.",
    )


def _for_people(error: VaultError) -> str:
    lines = [typer.style("Error: ", fg="red", bold=True) + printable(error.message)]
    lines += [f"  Safe:  {printable(error.safe)}"] * bool(error.safe)
    lines += [f"  Next:  {printable(error.hint)}"] * bool(error.hint)
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text with every character that could steer a terminal written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]
