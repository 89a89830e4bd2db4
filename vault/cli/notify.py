"""Commands about who is told of what happens: notify test."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup

app: Final = typer.Typer()
notify: Final = typer.Typer(cls=PlainGroup, help="Try the receivers that are told of what happens.")
app.add_typer(notify, name="notify")


@notify.callback()
def _group() -> None:
    """Try the receivers that are told of what happens."""


@command(notify, "vault notify test", "vault notify test --receiver ops", name="test")
def attempt(
    call: Call,
    receiver: Annotated[
        str, typer.Option(metavar="NAME", help="Only this one of vault.toml's receivers.")
    ] = "",
) -> int:
    """Send every receiver of vault.toml a notice of nothing, now.

    Leaves with status 3 where one does not take it.
    """
    with call.vault() as vault:
        told = vault.try_receivers(receiver)
    call.output.table("receivers", told, ("receiver", "taken", "fault"), "")
    return FINDINGS if any(one.fault for one in told) else 0
