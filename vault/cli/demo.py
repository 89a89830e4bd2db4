"""The command that shows the main job: demo."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.output import Output, size
from vault.limits import MIB

app: Final = typer.Typer()


@command(app, "vault demo", "vault demo --source ~/Documents --megabytes 100")
def demo(
    call: Call,
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The files to copy and to show it on.")
    ] = None,
    megabytes: Annotated[int, typer.Option(help="How much to copy, at most.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long the attacker has.")] = 9.0,
) -> int:
    """See the main job on a copy of real files, start to end.

    Everything happens in a temporary folder: a snapshot, a delete, nine seconds of an attacker who
    deletes all it can reach, undelete, a restore from the store alone, and a comparison of every
    byte. Leaves with status 3 where anything was lost.
    """
    out = call.output
    story = importlib.import_module("vault.demo.story")
    report = story.tell(out.say, out.progress, source, megabytes * MIB, seconds)
    if out.as_json:
        out.item("demo", report, ())
    else:
        _show(out, report)
    return FINDINGS if report.differences else 0


def _show(out: Output, report: Any) -> None:
    out.say("")
    rows = {
        "Snapshot": f"{report.files} files, {size(report.bytes)}"
        f" in {report.snapshot_seconds:.1f} s",
        "Delete": f"a tombstone in {report.delete_seconds:.2f} s",
        "Attack": f"{report.attack_seconds:g} s as {report.attacker}: {report.attempts} attempts, "
        f"{report.files_deleted} files ({size(report.bytes_deleted)}) deleted around vault",
        "Undelete": f"{report.undelete_seconds:.2f} s",
        "Restore": f"both volumes from the store alone in {report.restore_seconds:.1f} s",
        "Compare": f"{len(report.differences)} differences",
    }
    for label, text in rows.items():
        out.say(f"{label:<10}{text}")
    out.say(f"{'Bytes lost':<10} {report.bytes_lost}", "bold")
    for difference in report.differences[:20]:
        out.say(f"! {difference}", "red")
    if report.not_given:
        out.say(
            f"The attacker was not given {', '.join(report.not_given)}: it ran as the same user,"
        )
        out.say(
            "and a store at file:// cannot stop its owner. Run as root to see another user try."
        )
    out.say("The store of this demo was a local folder: NOT ISOLATED. A first real volume belongs")
    out.say("into a bucket with Object Lock: vault init --store s3://…")
