"""The commands by name; each family's module is loaded when one of its commands is called."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from vault.cli import failure
from vault.cli.parameters import PlainGroup


@dataclass(frozen=True, slots=True)
class Family:
    """One module of commands and where help shows them."""

    module: str
    panel: str
    commands: dict[str, str]


FAMILIES: Final = (
    Family(
        "setup",
        "Set up",
        {
            "init": "Make a vault: keys, a store, a settings file.",
            "status": "Show what was deleted lately, how to undo it, and how the vault is.",
            "doctor": "Check the settings, the store, the clocks and the volumes.",
            "rebuild": "Make the local catalog anew from what is stored.",
            "key": "Check, add, make, revoke and export the keys that can read or sign.",
        },
    ),
    Family(
        "volumes",
        "Protect",
        {
            "volume": "Add, list, pause, move and remove volumes.",
            "environment": "Add and list environments, protected and ephemeral ones.",
        },
    ),
    Family(
        "snapshots",
        "Protect",
        {
            "snapshot": "Take a snapshot of one or more volumes now.",
            "snapshots": "List the stored snapshots.",
            "ls": "List what a snapshot holds.",
            "cat": "Write one file of a snapshot to standard output.",
            "diff": "Show what changed between two snapshots.",
        },
    ),
    Family(
        "deletion",
        "Delete and undo",
        {
            "delete": "Delete a volume so that it can be undone.",
            "tombstones": "List what was deleted and until when it can be undone.",
            "undelete": "Bring deleted volumes back.",
            "hold": "Keep a tombstone from being purged until it is released.",
            "release": "Take the hold off a tombstone.",
            "purge-early": "Let a tombstone be purged before its window is over.",
        },
    ),
    Family(
        "recovery",
        "Get data back",
        {
            "restore": "Write what is stored back to disk.",
            "verify": "Check that everything stored is there, whole and locked.",
            "rehearse": "Restore a volume for trial, compare it and throw it away.",
        },
    ),
    Family(
        "identity",
        "Who may",
        {
            "identity": "Add, list, disable and review identities.",
            "token": "Make, narrow, list and revoke tokens.",
        },
    ),
    Family(
        "intent",
        "Who may",
        {
            "task": "Add, list and close tasks.",
            "window": "Add, list and remove maintenance windows.",
            "grant": "Ask for, give, list and revoke grants.",
        },
    ),
    Family(
        "approvals",
        "Who may",
        {
            "approvals": "List the requests that wait for people to agree.",
            "approve": "Agree to a request: read its text, sign it, bring the signature.",
            "reject": "Refuse a request that waits for people.",
            "approver": "Enrol and remove the people who may agree.",
        },
    ),
    Family(
        "freeze",
        "Who may",
        {
            "freeze": "Let an identity do nothing but protect and undo.",
            "unfreeze": "Let a frozen identity go on, once a person has looked.",
            "frozen": "List who is frozen, and why.",
            "panic": "Stop everything destructive, whoever asks for it.",
            "calm": "End a panic.",
        },
    ),
    Family("policy", "Who may", {"policy": "Show, check and try the rules of who may what."}),
    Family("store", "Check", {"store": "Look at the store itself."}),
    Family("notify", "Check", {"notify": "Try the receivers that are told of what happens."}),
    Family("audit", "Check", {"audit": "Show, check, prove and export who did what."}),
    Family(
        "processes",
        "Run",
        {
            "daemon": "Protect the volumes by their schedules until stopped.",
            "purger": "Destroy quarantined data whose time is over.",
            "collector": "Delete stored objects that have lapsed and that nothing wants.",
        },
    ),
    Family(
        "api", "Run", {"api": "Answer HTTP: what platforms call from their own delete endpoints."}
    ),
    Family("mcp", "Run", {"mcp": "Answer agents by the Model Context Protocol."}),
    Family("demo", "Run", {"demo": "See the main job on a copy of real files, start to end."}),
)


class LazyGroup(PlainGroup):
    """A group that shows its commands from a table and loads one only to run or complete it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for family in FAMILIES:
            for name, summary in family.commands.items():
                stub = TyperCommand(name=name, help=summary, rich_help_panel=family.panel)
                self.add_command(stub)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command named first in `args`, for real."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and stub else None, rest


def load(name: str) -> Any:
    """Import the family of the command `name` and return the command."""
    family = next(family for family in FAMILIES if name in family.commands)
    module = importlib.import_module(f"vault.cli.{family.module}")
    return typer.main.get_group(module.app).commands[name]


app: Final = typer.Typer(
    name="vault",
    cls=LazyGroup,
    help="Soft delete and isolated, write-once backups.",
    epilog="Example: vault delete photos --reason 'no longer used'",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        metadata = importlib.import_module("importlib.metadata")
        typer.echo(f"vault {metadata.version('vault-softdelete')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _begin(
    ctx: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    as_json = "--json" in arguments
    try:
        result = typer.main.get_command(app).main(
            args=list(arguments), prog_name="vault", standalone_mode=False
        )
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door
        return failure.report(error, as_json=as_json)
    return result if isinstance(result, int) else 0
