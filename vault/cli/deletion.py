"""Commands to delete and to undo: delete, tombstones, undelete, hold, release, purge-early."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from vault.cli.command import Away, Call, Kit, Profile, Store, command
from vault.clock import SystemClock, format_span, format_time, parse_span
from vault.errors import UsageError

app: Final = typer.Typer()

Tombstone = Annotated[
    str, typer.Argument(metavar="TOMBSTONE", help="Its id, or the beginning of it.")
]
_FIELDS: Final = (
    *("id", "volume", "environment", "state", "created_at", "undo_until", "deleted_by"),
    *("reason", "task", "snapshot", "held", "path"),
)


@command(app, "vault delete photos --reason 'moved to the new host' --task OPS-12")
def delete(
    call: Call,
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="The volume.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the tombstone.")],
    task: Annotated[str, typer.Option(help="The task it belongs to.")] = "",
) -> None:
    """Delete a volume so that it can be undone.

    Its data are set aside at once and destroyed only after the window of its environment (48 hours
    or more where it is protected), and only when a verified last snapshot is stored.
    """
    with call.vault() as vault:
        tomb = vault.delete(volume, reason=reason, task=task)
    call.output.item("tombstones", tomb, _FIELDS)
    if tomb.undo_until:
        left = format_span(tomb.undo_until - SystemClock().now())
        until = format_time(tomb.undo_until.replace(microsecond=0))
        call.output.say(f"It can be undone for {left}, until {until}:")
    call.output.say(f"  vault undelete {tomb.id}", "green")


@command(app, "vault tombstones", "vault tombstones --json")
def tombstones(call: Call, store: Store = None, kit: Kit = None, profile: Profile = None) -> None:
    """List what was deleted and until when it can be undone."""
    with call.reading(Away(store, kit, profile)) as vault:
        _table(call, vault.tombstones())


@command(
    app,
    "vault undelete tomb_01k8",
    "vault undelete --all --since 10m",
    "vault undelete --by deploy-bot --since 10m",
)
def undelete(
    call: Call,
    tombstone: Annotated[
        list[str] | None, typer.Argument(metavar="TOMBSTONE", help="Ids, or beginnings of them.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that were deleted in the time of --since.")
    ] = False,
    by: Annotated[
        str, typer.Option(metavar="IDENTITY", help="All that this one deleted in that time.")
    ] = "",
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", help="How far back: 10m, 2h, 1d.")
    ] = None,
) -> None:
    """Bring deleted volumes back. By tombstone, or all of the last minutes at once."""
    chosen = tuple(tombstone or ())
    wide = everything or bool(by)
    if wide == bool(chosen) or wide != bool(since):
        raise UsageError(
            "Say which: tombstones, or --all (or --by IDENTITY) with --since",
            hint="vault undelete TOMBSTONE…, or vault undelete --all --since 10m",
        )
    with call.vault() as vault:
        back = vault.undelete_since(parse_span(since), by=by) if since else vault.undelete(chosen)
    _table(call, back)


@command(app, "vault hold tomb_01k8 --reason 'asked by the auditors'")
def hold(
    call: Call,
    tombstone: Tombstone,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the tombstone.")] = "",
) -> None:
    """Keep a tombstone from being purged until it is released.

    Undelete works all the same; whoever deletes the volume again finds the hold on it.
    """
    with call.vault() as vault:
        call.output.item("tombstones", vault.hold(tombstone, reason=reason), _FIELDS)


@command(app, "vault release tomb_01k8 --reason 'the audit is over'")
def release(
    call: Call,
    tombstone: Tombstone,
    reason: Annotated[str, typer.Option(help="Why; those who agree read it.")] = "",
) -> None:
    """Take the hold off a tombstone. In a protected environment, it waits until people have agreed.

    With nobody enrolled who could agree it is refused; undelete works all the same.
    """
    with call.vault() as vault:
        call.output.item("tombstones", vault.release(tombstone, reason), _FIELDS)


@command(app, "vault purge-early tomb_01k8 --reason 'the court wants it gone'", name="purge-early")
def purge_early(
    call: Call,
    tombstone: Tombstone,
    reason: Annotated[str, typer.Option(help="Why; those who agree read it.")],
    task: Annotated[str, typer.Option(help="The task it belongs to.")] = "",
) -> None:
    """Let a tombstone be purged before its window is over.

    It waits until people have agreed; the first 48 hours stay whatever they say. Until the purger
    has begun undelete brings it back, and a hold ends what they agreed to.
    """
    with call.vault() as vault:
        tomb = vault.purge_early(tombstone, reason=reason, task=task)
    call.output.item("tombstones", tomb, _FIELDS)
    call.output.say(f"Until the purger has begun:\n  vault undelete {tomb.id}")


def _table(call: Call, items: Any) -> None:
    columns = ("id", "volume", "state", "undo_until", "deleted_by", "reason", "created_at")
    call.output.table("tombstones", items, (*columns, "environment"), "Nothing is deleted.")
