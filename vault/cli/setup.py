"""Commands to set a vault up and see how it is: init, status, doctor, rebuild, key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vault.cli.command import Call, Kit, Why, command, facade
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup
from vault.clock import SystemClock, format_span, format_time
from vault.errors import UsageError

if TYPE_CHECKING:
    from vault.cli.output import Output

app: Final = typer.Typer()
key: Final = typer.Typer(
    cls=PlainGroup, help="Check, add, make, revoke and export the keys that can read or sign."
)
app.add_typer(key, name="key")

_KIT_READS: Final = (
    "Whoever has it reads every backup; without it nothing can be restored. Copy it to two places"
    " offline, prove each copy with “vault key check --kit COPY”, then delete it here."
)
_OWN_KEY: Final = (
    "Whoever has it decides which keys count; it reads nothing by itself. Copy it to two places"
    " offline and delete it here. To restore, append your own secret key to a copy of it, and prove"
    " that with “vault key check --kit COPY”."
)

Recipients = Annotated[
    list[str] | None,
    typer.Option(metavar="AGE", help="Who can read: age1… or an SSH public key; may repeat."),
]


@command(
    app, "vault init", "vault init --store 's3://backups/main?endpoint=https://s3.example.org'"
)
def init(
    call: Call,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Where backups go: s3://… or file:///….")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="The writer's credential profile in your AWS configuration.")
    ] = "",
    recipient: Recipients = None,
    environment: Annotated[
        str, typer.Option(metavar="NAME", help="The only environment that is to be in it.")
    ] = "",
) -> None:
    """Make a vault: keys, a store, a settings file.

    Without --store backups go beside the vault, which is good for a trial and NOT ISOLATED. Without
    --recipient the recovery kit is written to the vault's home: move it offline.
    """
    out = call.output
    recipients = tuple(recipient or ())
    made = facade().init(
        call.home, store=store, profile=profile, recipients=recipients, environment=environment
    )
    out.item("vault", made, ("vault", "home", "store"))
    out.warn(f"The recovery kit is in {made.kit}")
    out.warn(_OWN_KEY if recipients else _KIT_READS)
    for note in made.notes:
        out.say(f"! {note}", "yellow")
    out.say("Next: vault volume add NAME PATH", "bold")


@command(app, "vault status")
def status(call: Call) -> None:
    """Show what was deleted lately, how to undo it, and how the vault is.

    What stands first is what somebody at 2 a.m. asks first.
    """
    with call.vault() as vault:
        report = vault.status()
    if call.output.as_json:
        call.output.item("status", report, ())
    else:
        _show_status(call.output, report)


def _show_status(out: Output, report: Any) -> None:
    now = SystemClock().now()
    if not report.recent:
        out.say("Nothing was deleted lately.")
    for tomb in report.recent:
        ago = format_span(now - tomb.created_at)
        undoable = tomb.state in {"quarantining", "tombstoned"}
        left = tomb.undo_until - now if tomb.undo_until and undoable else None
        task = f", task {tomb.task}" if tomb.task else ""
        out.say(f"{tomb.volume} ({tomb.environment}): {tomb.state}, deleted {ago} ago", "bold")
        out.say(f"  by {tomb.deleted_by}: “{tomb.reason}”{task}")
        if left is not None and left.total_seconds() > 0:
            until = format_time(tomb.undo_until.replace(microsecond=0))
            out.say(f"  can be undone for {format_span(left)} (until {until})")
        if tomb.held:
            out.say("  held: it is not purged until it is released")
        if undoable:
            out.say(f"  vault undelete {tomb.id}", "green")
        elif tomb.snapshot and tomb.state != "restored":
            out.say(f"  vault restore {tomb.id} --to DIR", "green")
    out.say("")
    columns = ("name", "state", "last_snapshot_at", "path", "next_snapshot_at", "environment")
    out.table("volumes", report.volumes, columns, "No volumes yet: vault volume add NAME PATH")
    out.say("")
    out.say(f"Vault {report.vault} in {report.store}" if report.vault else f"By {report.store}")
    if report.isolated is False:
        out.warn("NOT ISOLATED: who takes this host can take the backups with it.")
    for note in report.notes:
        out.say(f"! {note}", "yellow")


@command(app, "vault doctor")
def doctor(call: Call) -> int:
    """Check the settings, the store, the clocks and the volumes.

    Leaves with status 3 where something is not as it should be, and says what to do.
    """
    with call.vault() as vault:
        checks = vault.doctor()
    out = call.output
    if out.as_json:
        out.table("checks", checks, (), "")
    for check in checks:
        out.say(
            f"{'ok' if check.ok else 'NO'}  {check.name}: {check.detail}", "" if check.ok else "red"
        )
        if check.hint and not check.ok:
            out.say(f"    {check.hint}")
    return 0 if all(check.ok for check in checks) else FINDINGS


@command(
    app,
    "vault rebuild",
    "vault rebuild --store s3://backups/main --kit /media/usb/recovery.kit",
)
def rebuild(
    call: Call,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="First make a home here for the vault of this store."),
    ] = None,
    kit: Kit = None,
    profile: Annotated[str, typer.Option(help="The credential profile for --store.")] = "",
) -> int:
    """Make the local catalog anew from what is stored.

    What the store holds is not touched. On another machine, --store and --kit make a home there
    first, with a writer's key of its own.
    """
    if store is not None:
        if kit is None:
            raise UsageError("--store needs the recovery kit", hint="Add --kit FILE.")
        facade().join(call.home, store=store, kit=kit, profile=profile)
    damaged = facade().repair(call.home, config=call.config)
    if damaged:
        call.output.warn(f"The damaged catalog was set aside: {damaged}")
    with call.own() as vault:
        report = vault.rebuild()
    call.output.item("rebuild", report, ("volumes", "snapshots", "tombstones"))
    return FINDINGS if report.findings else 0


@command(key, "vault key check --kit /media/usb/recovery.kit")
def check(call: Call, kit: Kit = None) -> int:
    """Prove that a recovery kit opens this vault. Leaves with status 3 where it does not."""
    with call.vault() as vault:
        report = vault.key_check(kit)
    call.output.item("key", report, ("vault", "opens", "detail"))
    return 0 if report.opens else FINDINGS


@command(key, "vault key add age1… --kit /media/usb/recovery.kit")
def add(
    call: Call,
    recipient: Annotated[str, typer.Argument(metavar="AGE", help="age1… or an SSH public key.")],
    reason: Why = "",
    kit: Kit = None,
) -> None:
    """Let one more key read what later sessions store; earlier ones stay as they are.

    Where people are enrolled who may agree, it waits until they have.
    """
    with call.vault() as vault:
        report = vault.key_add(recipient, reason=reason, kit=kit)
    call.output.item("key", report, ("vault", "opens", "detail"))


@command(key, "vault key make collector --kit /media/usb/recovery.kit")
def make(
    call: Call,
    role: Annotated[str, typer.Argument(help="The process: purger or collector.")],
    kit: Kit = None,
) -> None:
    """Make the key by which a process signs, in this home, where it has none that counts.

    `vault init` makes both; a vault from before the collector had one, or a key that was revoked,
    needs another. Hand it over to the home of the process.
    """
    with call.vault() as vault:
        report = vault.key_make(role, kit=kit)
    call.output.item("key", report, ("vault", "detail"))


@command(key, "vault key revoke old-host --kit /media/usb/recovery.kit")
def revoke(
    call: Call,
    name: Annotated[str, typer.Argument(help="The writer's name: the host it was made on.")],
    reason: Why = "",
    kit: Kit = None,
) -> None:
    """Let a lost or taken-over host's key sign no more; what it signed before stays good.

    This host's own key stays, also where another has the same name.
    """
    with call.vault() as vault:
        report = vault.key_revoke(name, reason=reason, kit=kit)
    call.output.item("key", report, ("vault", "detail"))


@command(key, "vault key export")
def export(call: Call) -> None:
    """Print the recovery kit that lies in the vault's home, to be kept elsewhere."""
    with call.vault() as vault:
        text = vault.key_export()
    if call.output.as_json:
        call.output.item("key", {"kit": text}, ())
    else:
        typer.echo(text, nl=not text.endswith("\n"))
