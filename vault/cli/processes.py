"""Commands that are processes: daemon, purger, collector."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.clock import parse_span

app: Final = typer.Typer()

Once = Annotated[bool, typer.Option("--once", help="Do what is to be done now, and end.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Interval = Annotated[str, typer.Option(metavar="SPAN", help="How long between two looks.")]


@command(app, "vault daemon", "vault daemon --once", "vault daemon --listen 127.0.0.1:9178")
def daemon(
    call: Call,
    once: Once = False,
    interval: Interval = "30s",
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to serve /metrics and /healthz: loopback."),
    ] = None,
    environment: Annotated[
        str, typer.Option(help="Serve this environment alone; no other is there for it.")
    ] = "",
) -> int | None:
    """Protect the volumes by their schedules until stopped.

    SIGTERM ends it after the present duty, SIGHUP reads the settings anew. Logs are JSON lines on
    standard error. With --once it leaves with status 3 where a duty failed.
    """
    service = _service("daemon").Daemon(
        open_vault=partial(call.own, environment=environment),
        home=call.home,
        tick_seconds=parse_span(interval).total_seconds(),
        listen=call.settings.daemon.listen if listen is None else listen,
    )
    if not once:
        service.serve()
        return None
    outcomes = service.once()
    columns = ("task", "volume", "tombstone", "outcome", "detail")
    call.output.table("duties", outcomes, columns, "Nothing is due.")
    return FINDINGS if any(outcome.outcome == "failed" for outcome in outcomes) else 0


@command(app, "vault purger", "vault purger --once --dry-run")
def purger(
    call: Call, once: Once = False, dry_run: DryRun = False, interval: Interval = "10m"
) -> int | None:
    """Destroy quarantined data whose time is over.

    It checks by itself, from signed records in the store, that the window is over, that a verified
    last snapshot stays locked, and that nothing holds the tombstone. --dry-run looks once.
    """
    if not (once or dry_run):
        _service("purger").serve(call.home, _seconds(interval), lambda: call.own("purger"))
        return None
    with call.own("purger") as vault:
        report = vault.purge(dry_run=dry_run)
    columns = ("tombstone", "volume", "verdict", "reasons")
    call.output.table("purge", report.items, columns, "Nothing waits to be purged.")
    return FINDINGS if any(item.verdict == "failed" for item in report.items) else 0


@command(app, "vault collector", "vault collector --once --dry-run")
def collector(
    call: Call, once: Once = False, dry_run: DryRun = False, interval: Interval = "6h"
) -> None:
    """Delete stored objects that have lapsed and that nothing wants.

    What is wanted is computed anew from the signed charter and the store's own time. When the
    owner has gone silent nothing is collected. --dry-run looks once.
    """
    if not (once or dry_run):
        _service("collector").serve(call.home, _seconds(interval), lambda: call.own("collector"))
        return
    with call.own("collector") as vault:
        report = vault.collect(dry_run=dry_run)
    fields = ("deleted", "bytes", "kept", "digest", "dry_run", "reasons")
    call.output.item("collection", report, fields)


def _service(process: str) -> Any:
    """A process is a door of its own: it is loaded by name, and only to be run."""
    return importlib.import_module(f"vault.{process}.service")


def _seconds(interval: str) -> float:
    return parse_span(interval).total_seconds()
