"""Commands about the rules: policy show, use, check, test, explain, simulate."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup
from vault.clock import parse_span
from vault.errors import UsageError
from vault.oversight import Oversight

if TYPE_CHECKING:
    from vault.operations.explain import Explanation

app: Final = typer.Typer()
policy: Final = typer.Typer(cls=PlainGroup, help="Show, check and try the rules of who may what.")
app.add_typer(policy, name="policy")

_CASES: Final = ("name", "expected", "answered", "missing", "reasons")
_ASKED: Final = (
    *("id", "decided", "now", "verb", "volume", "environment", "kind", "name", "via", "reason"),
    *("task", "policy"),
)
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


@command(policy, "vault policy use")
def use(call: Call) -> None:
    """Let the home's policy.cedar hold. Where approvers are enrolled, they agree first.

    With nobody enrolled it holds as soon as it is valid, without this.
    """
    with call.vault() as vault:
        call.output.item("policy", vault.oversight.use_policy(), ("digest",))


@command(policy, "vault policy check policy.cedar")
def check(call: Call, file: File) -> None:
    """Check rules before they are used. To use them, name the file policy.cedar in the home."""
    report = Oversight.policy_check(_read(file))
    call.output.item("policy", report, ("digest",))


@command(
    policy,
    "vault policy test cases.toml",
    "vault policy test cases.toml --rules policy.cedar",
    name="test",
)
def put(
    call: Call,
    cases: Annotated[Path, typer.Argument(metavar="FILE", help="Cases in TOML.", readable=False)],
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules to try instead of the home's.", readable=False),
    ] = None,
) -> int:
    """Put cases to the rules: a request each, and what it is to be answered.

    Without --rules they are put to those in force. Leaves with status 3 where an answer is another.
    """
    text = _read(cases)
    if rules is None:
        with call.vault() as vault:
            report = vault.oversight.policy()
        own = report.own
        if report.complaint:
            call.output.warn(report.complaint)
    else:
        own = _read(rules)
    found = Oversight.policy_test(text, own)
    failed = [case for case in found if not case.met]
    if call.output.as_json:
        call.output.table("cases", found, _CASES, "")
    else:
        call.output.table("cases", failed, _CASES, f"All {len(found)} are answered as expected.")
    return FINDINGS if failed else 0


@command(
    policy,
    "vault policy explain aud_01k8",
    "vault policy explain --verb delete --volume prod-db --as deploy-bot --task OPS-117",
)
def explain(
    call: Call,
    entry: Annotated[
        str | None, typer.Argument(metavar="[REQUEST]", help="An entry of the audit log.")
    ] = None,
    verb: Annotated[str, typer.Option(help="What would be asked for, as in delete.")] = "",
    name: Annotated[str, typer.Option("--as", help="By whom: an identity. (you)")] = "",
    kind: Annotated[str, typer.Option(help="human, agent, service: of a name not added yet.")] = "",
    via: Annotated[str, typer.Option(help="How they would be known: token, uid, workload.")] = "",
    volume: Annotated[str, typer.Option(help="The volume.")] = "",
    environment: Annotated[str, typer.Option(help="Where, without a volume.")] = "production",
    reason: Annotated[str, typer.Option(help="The reason that would be given.")] = "a reason",
    task: Annotated[str, typer.Option(help="The task that would be named.")] = "",
) -> None:
    """Say which rules decide a request, and what would satisfy those that forbid it.

    Of a request that was made, by its entry in the audit log; or of one that nobody makes.
    """
    if bool(entry) == bool(verb):
        raise UsageError(
            "name either a request of the audit log or a verb",
            hint="vault audit show --kind request; or: --verb delete --volume NAME",
        )
    with call.vault() as vault:
        if entry:
            found = vault.oversight.explain(entry)
        else:
            wish = importlib.import_module("vault.operations.explain").Supposition(
                verb=verb,
                name=name,
                kind=kind,
                via=via,
                volume=volume,
                environment=environment,
                reason=reason,
                task=task,
            )
            found = vault.oversight.suppose(wish)
    _show(call, found)


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


def _show(call: Call, found: Explanation) -> None:
    call.output.item("explanations", found, _ASKED)
    for reason in found.reasons:
        call.output.say(f"  {reason.does} by {reason.rule}: {reason.says}")
        if reason.wants:
            call.output.say(f"    wanted: {reason.wants}")
    if found.complaint:
        call.output.warn(found.complaint)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
