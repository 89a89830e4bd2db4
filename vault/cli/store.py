"""Commands about the store itself: store attest."""

from __future__ import annotations

from typing import Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup

app: Final = typer.Typer()
store: Final = typer.Typer(cls=PlainGroup, help="Look at the store itself.")
app.add_typer(store, name="store")


@store.callback()
def _group() -> None:
    """Look at the store itself."""


@command(store, "vault store attest")
def attest(call: Call) -> int:
    """Try to break the store's locks on a canary, and say what the store let happen.

    Leaves with status 3 where something was let happen: then the store is not write-once.
    """
    with call.vault() as vault:
        attestation = vault.attest()
    out = call.output
    if out.as_json:
        out.item("attestation", attestation, ())
    else:
        out.table("attestation", attestation.checks, ("name", "verdict", "detail"), "")
        words = (
            "is write-once" if attestation.passed else "is NOT write-once: rely on nothing in it"
        )
        out.say(f"{attestation.store} {words}.", "bold" if attestation.passed else "bold red")
    if not attestation.isolated:
        out.warn("NOT ISOLATED: who takes this host can take the backups with it.")
    return 0 if attestation.passed else FINDINGS
