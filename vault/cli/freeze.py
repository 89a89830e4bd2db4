"""Commands that stop somebody, or everybody: freeze, unfreeze, frozen, panic, calm."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from vault.cli.command import Call, command

app: Final = typer.Typer()

Who = Annotated[str, typer.Argument(metavar="IDENTITY", help="Its name.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit log.")]
_FIELDS: Final = ("name", "frozen", "reason")


@command(app, "vault freeze deploy-bot --reason 'it deletes what it should not'")
def freeze(call: Call, identity: Who, reason: Reason) -> None:
    """Let an identity do nothing but protect and undo.

    The breaker does the same on its own when a budget is exceeded.
    """
    with call.vault() as vault:
        call.output.item("freezes", vault.oversight.freeze(identity, reason=reason), _FIELDS)


@command(app, "vault unfreeze deploy-bot")
def unfreeze(call: Call, identity: Who) -> None:
    """Let a frozen identity go on, once a person has looked."""
    with call.vault() as vault:
        call.output.item("freezes", vault.oversight.unfreeze(identity), _FIELDS)


@command(app, "vault frozen", "vault frozen --json")
def frozen(call: Call) -> None:
    """List who is frozen, and why."""
    with call.vault() as vault:
        call.output.table("freezes", vault.oversight.frozen(), _FIELDS, "Nobody is frozen.")


@command(app, "vault panic --reason 'somebody has our tokens'")
def panic(call: Call, reason: Reason) -> None:
    """Stop everything destructive, whoever asks for it.

    Snapshots, undeletes and restores go on. Purging waits, too.
    """
    with call.vault() as vault:
        call.output.item("freezes", vault.oversight.panic(reason=reason), _FIELDS)


@command(app, "vault calm")
def calm(call: Call) -> None:
    """End a panic. Where approvers are enrolled, they agree first."""
    with call.vault() as vault:
        call.output.item("freezes", vault.oversight.calm(), _FIELDS)
