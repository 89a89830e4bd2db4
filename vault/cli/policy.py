"""Commands about the rules: policy show, check, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup
from vault.clock import parse_span
from vault.errors import UsageError
from vault.oversight import Oversight

app: Final = typer.Typer()
policy: Final = typer.Typer(cls=PlainGroup, help="Show, check and try the rules of who may what.")
app.add_typer(policy, name="policy")

File = Annotated[Path, typer.Argument(metavar="FILE", help="Rules in Cedar.", readable=False)]


@command(policy, "vault policy show")
def show(call: Call) -> int:
    """Show the rules in force: the shipped ones and, beside them, the home's policy.cedar."""
    with call.vault() as vault:
        report = vault.oversight.policy()
    if call.output.as_json:
        call.output.item("policy", report, ())
    else:
        for line in (*report.shipped.splitlines(), *report.own.splitlines()):
            call.output.say(line)
    if report.complaint:
        call.output.warn(report.complaint)
    return FINDINGS if report.complaint else 0


@command(policy, "vault policy check policy.cedar")
def check(call: Call, file: File) -> None:
    """Check rules before they are used. To use them, name the file policy.cedar in the home."""
    report = Oversight.policy_check(_read(file))
    call.output.item("policy", report, ("digest",))


@command(policy, "vault policy simulate policy.cedar --since 30d")
def simulate(
    call: Call,
    file: File,
    since: Annotated[str, typer.Option(metavar="SPAN", help="How far back: 12h, 30d.")] = "30d",
) -> None:
    """Show which past requests other rules would have answered otherwise."""
    with call.vault() as vault:
        found = vault.oversight.simulate(_read(file), since=parse_span(since))
    columns = ("at", "caller", "verb", "volume", "decided", "would_be", "reasons")
    call.output.table("differences", found, columns, "Nothing would have been answered otherwise.")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
