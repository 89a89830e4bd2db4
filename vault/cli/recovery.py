"""Commands to get data back and to know that one could: restore, verify, rehearse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vault.cli.command import Away, Call, Kit, Profile, Store, command
from vault.cli.failure import FINDINGS
from vault.clock import parse_time
from vault.errors import UsageError
from vault.operations.items import RestoreRequest

app: Final = typer.Typer()


@command(
    app,
    "vault restore photos --to /srv/photos-back",
    "vault restore photos --in-place --at 2026-04-24T09:30:00Z --include 'holidays/**'",
    "vault restore photos --store s3://backups/main --kit recovery.kit --to /srv/photos",
    "vault restore photos --environment preview --to /srv/preview/photos",
)
def restore(
    call: Call,
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A volume, VOLUME@latest, a snapshot or tombstone."),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="An empty or new folder for the contents.", readable=False
        ),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Where the volume is; only what differs is written.")
    ] = False,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As it was at this time (RFC 3339).")
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only such paths, as ls shows them; may repeat."),
    ] = None,
    environment: Annotated[
        str,
        typer.Option(metavar="NAME", help="Make --to DIR a volume of this ephemeral environment."),
    ] = "",
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="That volume's name.", show_default="its own, with -copy"
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")
    ] = False,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> int:
    """Write what is stored back to disk.

    The volume's contents go to --to DIR or, with --in-place, to where they came from. With --store
    and --kit no vault needs to be set up here. With --environment it becomes a volume of its own,
    to work on instead of the original. Leaves with status 3 where something was not whole.
    """
    if (to is None) != in_place:
        raise UsageError(
            "Say where to: --to DIR or --in-place", hint="For example: --to ./restored"
        )
    if name and not environment:
        raise UsageError("--name is a new volume's", hint="Add --environment NAME.")
    request = RestoreRequest(
        what=what,
        to=to.absolute() if to else None,
        in_place=in_place,
        at=parse_time(at) if at else None,
        include=tuple(include or ()),
        dry_run=dry_run,
        kit=kit,
        environment=environment,
        name=name,
    )
    with call.reading(Away(store, kit, profile)) as vault:
        report = vault.restore(request)
    fields = ("snapshot", "volume", "target", "files", "bytes", "written", "skipped", "dry_run")
    call.output.item("restore", report, (*fields, "registered"))
    if report.saved:
        call.output.say("What stood there before comes back with:")
        call.output.say(f"  vault restore {report.saved} --in-place", "green")
    return FINDINGS if report.findings else 0


@command(app, "vault verify", "vault verify --deep")
def verify(
    call: Call,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every object and hash it to its name.")
    ] = False,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> int:
    """Check that everything stored is there, whole and locked. Status 3 where it is not."""
    with call.reading(Away(store, kit, profile)) as vault:
        report = vault.verify(deep=deep)
    call.output.item("verification", report, ("snapshots", "packs", "objects", "bytes"))
    if not report.findings:
        read = "every byte was read" if deep else "to read every byte: --deep"
        call.output.say(f"All of it is there and locked; {read}.", "green")
    return FINDINGS if report.findings else 0


@command(app, "vault rehearse photos --kit /media/usb/recovery.kit")
def rehearse(
    call: Call,
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="The volume.")],
    kit: Kit = None,
) -> int:
    """Restore a volume for trial, compare it and throw it away. Status 3 where it differs."""
    with call.vault() as vault:
        report = vault.rehearse(volume, kit=kit)
    call.output.item("rehearsal", report, ("snapshot", "volume", "files", "bytes", "seconds"))
    if not report.findings:
        call.output.say("All of it can be restored: every byte was read back and checked.", "green")
    return FINDINGS if report.findings else 0
