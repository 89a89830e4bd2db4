"""Commands about what is to be done, and when: task, window, grant."""

from __future__ import annotations

import importlib
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.cli.parameters import PlainGroup
from vault.clock import SystemClock, parse_span, parse_time

app: Final = typer.Typer()
task: Final = typer.Typer(cls=PlainGroup, help="Add, list and close tasks.")
app.add_typer(task, name="task")
window: Final = typer.Typer(cls=PlainGroup, help="Add, list and remove maintenance windows.")
app.add_typer(window, name="window")
grant: Final = typer.Typer(cls=PlainGroup, help="Ask for, give, list and revoke grants.")
app.add_typer(grant, name="grant")

Name = Annotated[str, typer.Argument(metavar="TASK", help="Its name, as in OPS-117.")]
Where = Annotated[str, typer.Option(help="The environment.")]
Volumes = Annotated[
    list[str], typer.Option("--volume", help="A volume, or a pattern as preview-*; may repeat.")
]
Verbs = Annotated[list[str] | None, typer.Option("--verb", help="What may be done; may repeat.")]
Grant = Annotated[str, typer.Argument(metavar="GRANT", help="Its id, or the beginning of it.")]
_TASK: Final = ("task", "title", "environment", "assignees", "volumes", "verbs", "until", "closed")
_WINDOW: Final = ("id", "environment", "rule", "zone", "lasts", "opens_at")
_GRANT: Final = (
    *("id", "state", "principal", "environment", "verbs", "volumes", "task", "reason"),
    *("uses", "used", "bytes", "given_by", "starts_at", "expires_at"),
)

Size = Annotated[
    int,
    typer.Option("--bytes", help="How much at most in all, by the last snapshots; 0: no limit."),
]
Begin = Annotated[
    str, typer.Option("--from", metavar="TIME", help="When it begins (RFC 3339), if not at once.")
]


@command(
    task,
    "vault task add OPS-117 --assignee deploy-bot --volume 'preview-*' --for 2d",
)
def add(
    call: Call,
    name: Name,
    assignee: Annotated[list[str], typer.Option(help="Whose it is: an identity; may repeat.")],
    volume: Volumes,
    verb: Verbs = None,
    title: Annotated[str, typer.Option(help="What it is about.")] = "",
    environment: Where = "production",
    life: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="For how long it stays open.")
    ] = None,
) -> None:
    """Add a task: who works on it, and which volumes it covers."""
    kind = importlib.import_module("vault.operations.tasks").Task
    wish = kind(
        task=name,
        title=title,
        environment=environment,
        assignees=tuple(assignee),
        volumes=tuple(volume),
        verbs=tuple(verb or ("delete",)),
        until=SystemClock().now() + parse_span(life) if life else None,
    )
    with call.vault() as vault:
        call.output.item("tasks", vault.oversight.add_task(wish), _TASK)


@command(task, "vault task list", name="list")
def list_(call: Call) -> None:
    """List the tasks."""
    with call.vault() as vault:
        found = vault.oversight.tasks()
    call.output.table("tasks", found, _TASK, "No tasks yet: vault task add NAME")


@command(task, "vault task show OPS-117")
def show(call: Call, name: Name, environment: Where = "production") -> None:
    """Show one task."""
    with call.vault() as vault:
        call.output.item("tasks", vault.oversight.task(name, environment), _TASK)


@command(task, "vault task close OPS-117")
def close(call: Call, name: Name, environment: Where = "production") -> None:
    """Close a task: nothing more is done for it."""
    with call.vault() as vault:
        call.output.item("tasks", vault.oversight.close_task(name, environment), _TASK)


@command(
    window,
    "vault window add '0 3 * * 6' --for 2h --zone Europe/Berlin",
    "vault window add 'FREQ=WEEKLY;BYDAY=SA;BYHOUR=3;BYMINUTE=0;BYSECOND=0' --for 2h",
    name="add",
)
def add_window(
    call: Call,
    when: Annotated[
        str, typer.Argument(metavar="WHEN", help="Five cron fields, or an RRULE (RFC 5545).")
    ],
    lasts: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long it is open.")],
    zone: Annotated[str, typer.Option(help="Its time zone, as in Europe/Berlin.")] = "UTC",
    environment: Where = "production",
) -> None:
    """Add a maintenance window. From then on agents delete there in windows alone."""
    kind = importlib.import_module("vault.operations.tasks").WindowWish
    wish = kind(environment=environment, when=when, lasts=parse_span(lasts), zone=zone)
    with call.vault() as vault:
        call.output.item("windows", vault.oversight.add_window(wish), _WINDOW)


@command(window, "vault window list", name="list")
def list_windows(call: Call) -> None:
    """List the maintenance windows, and when each opens next."""
    with call.vault() as vault:
        found = vault.oversight.windows()
    call.output.table("windows", found, _WINDOW, "No windows: nobody has to wait for one.")


@command(window, "vault window remove win_01k8", name="remove")
def remove_window(
    call: Call,
    which: Annotated[str, typer.Argument(metavar="WINDOW", help="Its id, or the beginning.")],
) -> None:
    """Remove a maintenance window."""
    with call.vault() as vault:
        vault.oversight.remove_window(which)
        found = vault.oversight.windows()
    call.output.table("windows", found, _WINDOW, "No windows: nobody has to wait for one.")


@command(grant, "vault grant request --volume preview-7 --task OPS-117 --reason 'merged'")
def request(
    call: Call,
    volume: Volumes,
    reason: Annotated[str, typer.Option(help="Why; whoever gives it reads this.")],
    task: Annotated[str, typer.Option(help="The task it is for.")] = "",
    verb: Verbs = None,
    life: Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long.")] = "1h",
    uses: Annotated[int, typer.Option(help="How often at most.")] = 1,
    size: Size = 0,
    begin: Begin = "",
    environment: Where = "production",
) -> None:
    """Ask for a grant for oneself, with a reason. A person gives it."""
    terms = (volume, reason, task, verb, life, uses, size, begin, environment)
    with call.vault() as vault:
        made = vault.oversight.request_grant(_wish(*terms))
    call.output.item("grants", made, _GRANT)


@command(
    grant,
    "vault grant give grant_01k8",
    "vault grant give --to deploy-bot --volume preview-7 --task OPS-117 --reason 'merged'",
)
def give(
    call: Call,
    which: Annotated[
        str | None, typer.Argument(metavar="GRANT", help="One that was asked for.")
    ] = None,
    to: Annotated[str, typer.Option(help="To this identity, which did not ask.")] = "",
    volume: Annotated[
        list[str] | None, typer.Option("--volume", help="A volume or a pattern; may repeat.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    task: Annotated[str, typer.Option(help="The task it is for.")] = "",
    verb: Verbs = None,
    life: Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long.")] = "1h",
    uses: Annotated[int, typer.Option(help="How often at most.")] = 1,
    size: Size = 0,
    begin: Begin = "",
    environment: Where = "production",
) -> None:
    """Give a grant: one that was asked for, or one of these terms."""
    with call.vault() as vault:
        if which:
            made = vault.oversight.give_grant(which)
        else:
            terms = (volume or [], reason, task, verb, life, uses, size, begin, environment)
            made = vault.oversight.give_unasked(_wish(*terms, to=to))
    call.output.item("grants", made, _GRANT)


@command(grant, "vault grant list", name="list")
def list_grants(call: Call) -> None:
    """List the grants, and what became of them."""
    with call.vault() as vault:
        found = vault.oversight.grants()
    call.output.table("grants", found, _GRANT, "No grants: vault grant request")


@command(grant, "vault grant revoke grant_01k8")
def revoke(call: Call, which: Grant) -> None:
    """Take a grant back."""
    with call.vault() as vault:
        call.output.item("grants", vault.oversight.revoke_grant(which), _GRANT)


def _wish(*terms: Any, to: str = "") -> Any:
    volumes, reason, task, verbs, life, uses, size, begin, environment = terms
    return importlib.import_module("vault.operations.grants").GrantWish(
        environment=environment,
        volumes=tuple(volumes),
        reason=reason,
        task=task,
        verbs=tuple(verbs or ("delete",)),
        life=parse_span(life),
        uses=uses,
        bytes=size,
        starts_at=parse_time(begin) if begin else None,
        principal=to,
    )
