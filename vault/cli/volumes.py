"""Commands about volumes and their environments."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, Kit, Why, command
from vault.cli.parameters import PlainGroup
from vault.clock import parse_span

app: Final = typer.Typer()
volume: Final = typer.Typer(cls=PlainGroup, help="Add, list, pause, move and remove volumes.")
app.add_typer(volume, name="volume")
environment: Final = typer.Typer(
    cls=PlainGroup, help="Add and list environments, protected and ephemeral ones."
)
app.add_typer(environment, name="environment")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The volume's name.")]
_FIELDS: Final = (
    *("name", "id", "environment", "state", "path", "provider", "schedule", "keep"),
    *("created_at", "last_snapshot", "last_snapshot_at", "next_snapshot_at"),
)


@command(
    volume,
    "vault volume add photos /srv/photos",
    "vault volume add photos /srv/photos --schedule '0 3 * * *' --keep daily=7,monthly=12",
)
def add(
    call: Call,
    name: Name,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The directory to protect.", readable=False)
    ],
    environment: Annotated[
        str, typer.Option(help="Its environment.", show_default="production, or what is served")
    ] = "",
    schedule: Annotated[
        str,
        typer.Option(metavar="CRON", help="When: five cron fields, @daily, or “every 15m”."),
    ] = "",
    keep: Annotated[
        str,
        typer.Option(metavar="CLASSES", help="How many: hourly=24,daily=7,weekly=5,monthly=12."),
    ] = "",
) -> None:
    """Protect one more directory. Its first snapshot is due at once."""
    enroll = importlib.import_module("vault.operations.enroll")
    wish = enroll.Enrolment(
        name=name,
        path=str(path.absolute()),
        environment=environment,
        schedule=schedule,
        keep=keep,
    )
    with call.vault() as vault:
        _show(call, vault.add_volume(wish))


@command(volume, "vault volume list", "vault volume list --json", name="list")
def list_(call: Call) -> None:
    """List the volumes."""
    with call.vault() as vault:
        volumes = vault.volumes()
    columns = ("name", "state", "last_snapshot_at", "path", "environment", "schedule")
    call.output.table("volumes", volumes, columns, "No volumes yet: vault volume add NAME PATH")


@command(volume, "vault volume show photos")
def show(call: Call, name: Name) -> None:
    """Show one volume."""
    with call.vault() as vault:
        _show(call, vault.volume(name))


@command(volume, "vault volume pause photos", "vault volume pause photos --resume")
def pause(
    call: Call,
    name: Name,
    resume: Annotated[bool, typer.Option("--resume", help="Take snapshots again.")] = False,
) -> None:
    """Take no scheduled snapshots for a while. What is stored stays, and its locks are kept up."""
    with call.vault() as vault:
        _show(call, vault.pause(name, resume=resume))


@command(volume, "vault volume acknowledge photos")
def acknowledge(call: Call, name: Name) -> None:
    """Say that a vanished or replaced volume was seen: its snapshots may expire again."""
    with call.vault() as vault:
        _show(call, vault.acknowledge(name))


@command(
    volume,
    "vault volume keep photos hourly=48,daily=14,weekly=5,monthly=12",
    "vault volume keep photos daily=7 --reason 'it is a cache'",
)
def keep(
    call: Call,
    name: Name,
    terms: Annotated[
        str, typer.Argument(metavar="CLASSES", help="How many: hourly=24,daily=7,weekly=5.")
    ],
    reason: Annotated[str, typer.Option(help="Why; keeping less needs one.")] = "",
) -> None:
    """Keep more or less of what is stored from now on. What is stored already stays as long.

    Keeping less, in a protected environment, waits until people have agreed.
    """
    with call.vault() as vault:
        _show(call, vault.keep(name, terms, reason=reason))


@command(volume, "vault volume move photos --environment preview --reason 'it is a copy'")
def move(
    call: Call,
    name: Name,
    environment: Annotated[str, typer.Option(help="Where it belongs from now on.")],
    reason: Annotated[str, typer.Option(help="Why; those who agree read it.")],
) -> None:
    """Let a volume belong to another environment. Its data and what is stored stay where they are.

    Out of a protected one, it waits until people have agreed; and whatever is deleted of it later
    keeps the longest window of all environments that it was ever in.
    """
    with call.vault() as vault:
        _show(call, vault.move_volume(name, environment, reason=reason))


@command(volume, "vault volume remove photos")
def remove(call: Call, name: Name) -> None:
    """Take no more snapshots of a volume. What is stored stays, and so do the volume's data."""
    with call.vault() as vault:
        _show(call, vault.remove_volume(name))


@command(
    environment,
    "vault environment add preview --ephemeral --window 1h --kit /media/kit/recovery.kit",
    "vault environment add finance --window 14d --kit /media/kit/recovery.kit",
    name="add",
)
def add_environment(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="For what is made and thrown away all day.")
    ] = False,
    window: Annotated[
        str, typer.Option(metavar="SPAN", help="How long deletes can be undone.")
    ] = "48h",
    reason: Why = "",
    kit: Kit = None,
) -> None:
    """Add an environment. Its class and window are signed into the charter, for good.

    A protected one has 48 hours at least. In an ephemeral one the window may be short, and a reason
    is all that a delete needs. Where people are enrolled who may agree, it waits until they have.
    """
    with call.vault() as vault:
        span = parse_span(window)
        item = vault.add_environment(name, ephemeral=ephemeral, window=span, reason=reason, kit=kit)
    call.output.item("environments", item, ("name", "kind", "window", "volumes"))


@command(environment, "vault environment list", "vault environment list --json", name="list")
def list_environments(call: Call) -> None:
    """List the environments."""
    with call.vault() as vault:
        found = vault.environments()
    call.output.table("environments", found, ("name", "kind", "window", "volumes"), "None.")


def _show(call: Call, item: Any) -> None:
    call.output.item("volumes", item, _FIELDS)
