"""Commands about who there is, and their tokens: identity, token."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.cli.failure import FINDINGS
from vault.cli.parameters import PlainGroup
from vault.clock import SystemClock, parse_span
from vault.errors import UsageError
from vault.oversight import Oversight

app: Final = typer.Typer()
identity: Final = typer.Typer(cls=PlainGroup, help="Add, list, disable and review identities.")
app.add_typer(identity, name="identity")
token: Final = typer.Typer(cls=PlainGroup, help="Make, narrow, list and revoke tokens.")
app.add_typer(token, name="token")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The identity's name.")]
Verbs = Annotated[
    list[str] | None, typer.Option("--verb", help="Only this verb, as in delete; may repeat.")
]
Volumes = Annotated[
    list[str] | None, typer.Option("--volume", help="Only this volume; may repeat.")
]
Life = Annotated[str | None, typer.Option("--for", metavar="SPAN", help="For how long: 10m, 1h.")]
_FIELDS: Final = ("name", "kind", "disabled", "subject", "tokens", "last_seen_at")
_TOKEN: Final = "VAULTD_TOKEN"


@command(identity, "vault identity add deploy-bot --kind agent")
def add(
    call: Call,
    name: Name,
    kind: Annotated[str, typer.Option(help="human, agent or service.")],
    subject: Annotated[
        str, typer.Option(help="What an outside issuer calls it: ISSUER#SUBJECT.")
    ] = "",
) -> None:
    """Add an identity: one for each person, each agent, each service."""
    with call.vault() as vault:
        made = vault.oversight.add_identity(name, kind, subject=subject)
    call.output.item("identities", made, _FIELDS)


@command(identity, "vault identity list", name="list")
def list_(call: Call) -> None:
    """List the identities."""
    with call.vault() as vault:
        found = vault.oversight.identities()
    call.output.table("identities", found, _FIELDS, "No identities yet: vault identity add NAME")


@command(identity, "vault identity show deploy-bot")
def show(call: Call, name: Name) -> None:
    """Show one identity."""
    with call.vault() as vault:
        call.output.item("identities", vault.oversight.identity(name), _FIELDS)


@command(identity, "vault identity disable deploy-bot", "vault identity disable bot --enable")
def disable(
    call: Call,
    name: Name,
    enable: Annotated[bool, typer.Option("--enable", help="Let it act again.")] = False,
) -> None:
    """Let an identity do nothing more, whatever tokens it has."""
    with call.vault() as vault:
        changed = vault.oversight.disable_identity(name, enable=enable)
    call.output.item("identities", changed, _FIELDS)


@command(identity, "vault identity rotate", "vault identity rotate --now")
def rotate(
    call: Call,
    now: Annotated[
        bool, typer.Option("--now", help="Tokens of the former key end at once.")
    ] = False,
) -> None:
    """Sign tokens with a fresh key. Those that were made go on until they expire."""
    with call.vault() as vault:
        until = vault.oversight.rotate_issuing_key(at_once=now)
    call.output.item("keys", {"former_until": until}, ("former_until",))


@command(identity, "vault identity review")
def review(call: Call) -> int:
    """List what no one should have, and leave with status 3 where there is any.

    Identities that are unused, or were used from elsewhere than ever before; tokens, tasks and
    grants that are over-broad or never expire; tokens of who is disabled.
    """
    with call.vault() as vault:
        found = vault.oversight.review_identities()
    call.output.table("findings", found, ("name", "what", "detail"), "Nothing stands out.")
    return FINDINGS if found else 0


@command(
    token,
    "vault token make deploy-bot --environment staging",
    "vault token make deploy-bot --environment production --verb delete --verb undelete --for 30m",
)
def make(
    call: Call,
    name: Name,
    environment: Annotated[str, typer.Option(help="The only one that it reaches.")],
    verb: Verbs = None,
    volume: Volumes = None,
    life: Life = None,
) -> None:
    """Make a token. Its secret is written to standard output, this once, and kept nowhere."""
    wish = importlib.import_module("vault.operations.tokens").TokenWish(
        name=name,
        environment=environment,
        life=parse_span(life) if life else None,
        verbs=tuple(verb or ()),
        volumes=tuple(volume or ()),
    )
    with call.vault() as vault:
        made = vault.oversight.make_token(wish)
    if call.output.as_json:
        call.output.item("tokens", made, ())
    else:
        sys.stdout.write(made.secret + "\n")
        call.output.warn(f"{made.id} of {made.name}, {made.environment}, until {made.expires_at}")


@command(token, "vault token narrow --verb undelete --for 10m < token > narrower")
def narrow(call: Call, verb: Verbs = None, volume: Volumes = None, life: Life = None) -> None:
    """Make a token that can do less, offline, for a helper of one's own.

    The token is read from $VAULTD_TOKEN, or from standard input; never from the command line.
    """
    secret = os.environ.get(_TOKEN, "") or sys.stdin.readline()
    if not secret.strip():
        raise UsageError("there is no token to narrow", hint=f"Set {_TOKEN}, or pipe it in.")
    narrower = Oversight.narrow_token(
        secret.strip(),
        until=SystemClock().now() + parse_span(life) if life else None,
        verbs=verb or (),
        volumes=volume or (),
    )
    sys.stdout.write(narrower + "\n")


@command(token, "vault token list", name="list")
def list_tokens(call: Call) -> None:
    """List the tokens that were made. Their secrets are kept nowhere."""
    with call.vault() as vault:
        found = vault.oversight.tokens()
    columns = ("token", "name", "environment", "expires_at", "revoked", "verbs", "volumes")
    call.output.table("tokens", found, columns, "No tokens yet: vault token make NAME")


@command(token, "vault token revoke tok_01k8…", "vault token revoke deploy-bot")
def revoke(
    call: Call,
    which: Annotated[
        str, typer.Argument(metavar="TOKEN", help="A token's id, or an identity for all it has.")
    ],
) -> None:
    """Let a token, or all of an identity's, count no more from now on."""
    with call.vault() as vault:
        found: Any = vault.oversight.revoke_token(which)
    columns = ("token", "name", "environment", "expires_at", "revoked")
    call.output.table("tokens", found, columns, "It has none.")
