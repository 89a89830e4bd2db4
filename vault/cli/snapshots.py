"""Commands about snapshots: snapshot, snapshots, ls, cat, diff."""

from __future__ import annotations

import base64
import sys
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Away, Call, Kit, Profile, Store, command
from vault.cli.failure import FINDINGS, report
from vault.errors import VaultError

app: Final = typer.Typer()

Snapshot = Annotated[
    str, typer.Argument(metavar="SNAPSHOT", help="An id, a prefix of one, or VOLUME@latest.")
]
Path = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help=r"A path in it, as ls shows it: \xff is a byte that is not UTF-8."
    ),
]
_FIELDS: Final = (
    *("id", "volume", "environment", "state", "created_at", "files", "bytes", "bytes_added"),
    *("locked_until", "parent", "final_for"),
)


@command(app, "vault snapshot photos", "vault snapshot photos mail --json")
def snapshot(
    call: Call, volume: Annotated[list[str], typer.Argument(metavar="VOLUME", help="Which.")]
) -> int:
    """Take a snapshot of one or more volumes now.

    Leaves with status 3 where a file could not be captured, or some of the volumes failed.
    """
    taken: list[Any] = []
    failures: list[int] = []
    with call.vault() as vault:
        for name in volume:
            try:
                taken.append(vault.snapshot(name))
            except VaultError as error:
                failures.append(report(error, as_json=call.output.as_json))
    if len(taken) == 1:
        call.output.item("snapshots", taken[0], _FIELDS)
    elif taken:
        _table(call, taken)
        for finding in (finding for item in taken for finding in item.findings):
            call.output.finding(finding)
    if failures:
        return FINDINGS if taken else failures[0]
    return FINDINGS if any(item.findings for item in taken) else 0


@command(app, "vault snapshots", "vault snapshots photos")
def snapshots(
    call: Call,
    volume: Annotated[
        str | None, typer.Argument(metavar="VOLUME", help="Only this volume's.")
    ] = None,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """List the stored snapshots."""
    with call.reading(Away(store, kit, profile)) as vault:
        _table(call, vault.snapshots(volume))


@command(app, "vault ls photos@latest", "vault ls snap_01k8 holidays/2025")
def ls(
    call: Call,
    snapshot: Snapshot,
    path: Path = "",
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """List what a snapshot holds. With PATH, only what lies there."""
    with call.reading(Away(store, kit, profile)) as vault:
        entries = vault.ls(snapshot, path, kit=kit)
        fields = ("mode", "type", "uid", "gid", "size", "modified_at", "path", "target")
        call.output.lines("entries", entries, fields)


@command(app, "vault cat photos@latest notes.txt > notes.txt")
def cat(
    call: Call,
    snapshot: Snapshot,
    path: Path,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """Write one file of a snapshot to standard output.

    With --json the whole file stands in “base64” of the one item.
    """
    with call.reading(Away(store, kit, profile)) as vault:
        blocks = vault.cat(snapshot, path, kit=kit)
        if call.output.as_json:
            text = base64.b64encode(b"".join(blocks)).decode("ascii")
            call.output.item("content", {"snapshot": snapshot, "path": path, "base64": text}, ())
            return
        for block in blocks:
            sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()


@command(app, "vault diff photos@latest", "vault diff snap_01k8 --with snap_01k9")
def diff(
    call: Call,
    snapshot: Snapshot,
    path: Path = "",
    other: Annotated[
        str | None,
        typer.Option("--with", metavar="SNAPSHOT", help="The one to compare with."),
    ] = None,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """Show what changed between two snapshots. Without --with, since the one before."""
    with call.reading(Away(store, kit, profile)) as vault:
        call.output.lines("changes", vault.diff(snapshot, other, path, kit=kit), ("change", "path"))


def _table(call: Call, items: Any) -> None:
    columns = ("id", "volume", "created_at", "files", "bytes", "bytes_added", "environment")
    none = "No snapshots yet: vault snapshot VOLUME"
    call.output.table("snapshots", items, (*columns, "locked_until"), none)
