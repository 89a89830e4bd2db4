"""Commands about the audit log: audit show, verify, prove, check, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from vault.cli.command import Away, Call, Kit, Profile, Store, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup
from vault.clock import SystemClock, parse_span
from vault.errors import UsageError
from vault.operations.history import AuditFilter
from vault.oversight import Oversight

app: Final = typer.Typer()
audit: Final = typer.Typer(cls=PlainGroup, help="Show, check, prove and export who did what.")
app.add_typer(audit, name="audit")

Since = Annotated[
    str | None, typer.Option(metavar="SPAN", help="Only the last 10m, 2h, 30d and so on.")
]
By = Annotated[str, typer.Option(metavar="NAME", help="Only what this identity did.")]
Volume = Annotated[str, typer.Option(metavar="VOLUME", help="Only what is about this volume.")]
Kind = Annotated[str, typer.Option(metavar="KIND", help="Only entries of this kind.")]


@audit.callback()
def _group() -> None:
    """Show, check, prove and export who did what."""


@command(audit, "vault audit show --since 2h", "vault audit show --by deploy-bot --kind request")
def show(
    call: Call,
    since: Since = None,
    by: By = "",
    volume: Volume = "",
    kind: Kind = "",
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """Show requests, decisions, steps and changes of who may do what, the oldest first."""
    with call.reading(Away(store, kit, profile)) as vault:
        items = vault.oversight.audit_show(_filter(since, by, volume, kind))
        columns = ("id", "at", "kind", "what", "by", "volume")
        call.output.table("audit", items, columns, "There is no such entry.")


@command(
    audit,
    "vault audit verify",
    "vault audit verify --store s3://backups/main --kit /media/usb/recovery.kit",
    "vault audit verify --roots tsa-root.pem",
)
def verify(
    call: Call,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
    roots: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The root certificate (PEM) that time stamps have to lead to; without it, the one"
            " that vault.toml names.",
            show_default=False,
            readable=False,
        ),
    ] = None,
) -> int:
    """Check from the store alone that no entry was removed, changed, reordered or forked.

    Time stamps of the log are checked too, offline. Leaves with status 3 where something is wrong.
    """
    with call.reading(Away(store, kit, profile)) as vault:
        report = vault.oversight.audit_verify(roots)
    out = call.output
    if out.as_json:
        out.item("audit-verification", report, ())
    else:
        out.table(
            "logs",
            report.logs,
            ("log", "member", "role", "entries", "stamped", "stamped_at"),
            "There is no entry yet.",
        )
        for finding in report.findings:
            out.finding(finding)
    if not report.findings:
        out.say(f"All {report.entries} entries are there, as they were written.", "green")
    return FINDINGS if report.findings else 0


@command(audit, "vault audit prove aud_01kq > proof.json")
def prove(
    call: Call,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="An entry's id, or its begin.")],
    former: Annotated[
        int,
        typer.Option(
            metavar="SIZE", min=0, help="Prove that the log only grew since it had SIZE entries."
        ),
    ] = 0,
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """Write a proof that an entry is in the log, for others to check without this vault.

    The proof is one JSON object; `vault audit check` reads it, with no store at hand.
    """
    with call.reading(Away(store, kit, profile)) as vault:
        proof = vault.oversight.audit_prove(entry, former=former)
    if call.output.as_json:
        call.output.item("audit-proof", proof, ())
    else:
        sys.stdout.write(proof.proof + "\n")


@command(audit, "vault audit check proof.json")
def check(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `vault audit prove` wrote.")],
) -> None:
    """Check a proof offline: its entry, the way to the root, the signature of the checkpoint."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    proved = Oversight.audit_check(text)
    call.output.item("audit-proof", proved, ("entry", "log", "index", "entries"))
    call.output.say("The entry is in this log.", "green")


@command(audit, "vault audit export --since 1d > audit.jsonl")
def export(
    call: Call,
    since: Since = None,
    by: By = "",
    volume: Volume = "",
    kind: Kind = "",
    store: Store = None,
    kit: Kit = None,
    profile: Profile = None,
) -> None:
    """Write the entries as OCSF events, one JSON object a line, for other tools to collect."""
    with call.reading(Away(store, kit, profile)) as vault:
        for line in vault.oversight.audit_export(_filter(since, by, volume, kind)):
            sys.stdout.write(line + "\n")


def _filter(since: str | None, by: str, volume: str, kind: str) -> AuditFilter:
    begin = SystemClock().now() - parse_span(since) if since else None
    return AuditFilter(since=begin, by=by, volume=volume, kind=kind)
