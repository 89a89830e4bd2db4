"""Commands about second signatures: approvals, approve, reject, approver."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, Kit, command
from vault.cli.parameters import PlainGroup
from vault.errors import UsageError
from vault.oversight import Oversight

app: Final = typer.Typer()
approver: Final = typer.Typer(cls=PlainGroup, help="Enrol and remove the people who may agree.")
app.add_typer(approver, name="approver")

Ask = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person's name.")]
_FIELDS: Final = (
    *("id", "state", "requester", "verb", "volume", "about", "environment", "reason", "task"),
    *("approved_by", "wanted", "rejected_by", "rejected_for", "expires_at"),
)
_SIGN: Final = "ssh-keygen -Y sign -n approval@vault -f ~/.ssh/id_ed25519_sk"


@command(app, "vault approvals", "vault approvals --all")
def approvals(
    call: Call,
    everything: Annotated[bool, typer.Option("--all", help="Also what waits no more.")] = False,
) -> None:
    """List the requests that wait for people to agree."""
    with call.vault() as vault:
        items = vault.oversight.approvals(everything=everything)
    columns = ("id", "state", "requester", "verb", "volume", "reason", "approved_by", "expires_at")
    call.output.table("approvals", items, columns, "Nothing waits for approval.")


@command(
    app,
    "vault approve ask_01k8",
    "vault approve ask_01k8 --text > request.txt",
    "vault approve ask_01k8 --signature request.txt.sig",
)
def approve(
    call: Call,
    ask: Ask,
    text: Annotated[bool, typer.Option("--text", help="Write the text to sign.")] = False,
    signature: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What ssh-keygen -Y sign made of it.", readable=False),
    ] = None,
) -> None:
    """Agree to a request: read its text, sign it, bring the signature.

    The signature is an approver's own, made by a key that wants a touch where the environment is
    protected. Whoever runs this command only carries it.
    """
    with call.vault() as vault:
        if signature is not None:
            _show(call, vault.oversight.approve(ask, _read(signature)))
            return
        item = vault.oversight.approval(ask)
    if text:
        sys.stdout.write(item.text)
        return
    _show(call, item)
    call.output.say("To agree, read it, then sign the very text:")
    for line in ("", *item.text.splitlines(), ""):
        call.output.say(line)
    call.output.say(f"  vault approve {item.id} --text > request.txt")
    call.output.say(f"  {_SIGN} request.txt")
    call.output.say(f"  vault approve {item.id} --signature request.txt.sig", "green")


@command(app, "vault reject ask_01k8 --reason 'this one is still in use'")
def reject(
    call: Call, ask: Ask, reason: Annotated[str, typer.Option(help="Why; all can read it.")]
) -> None:
    """Refuse a request that waits for people."""
    with call.vault() as vault:
        _show(call, vault.oversight.reject(ask, reason=reason))


@command(
    approver,
    "vault approver add ann --key ~/.ssh/id_ed25519_sk.pub --kit /media/kit/recovery.kit",
)
def add(
    call: Call,
    name: Name,
    key: Annotated[
        Path, typer.Option(metavar="FILE.pub", help="Their public key.", readable=False)
    ],
    kit: Kit = None,
) -> None:
    """Enrol a person who may agree: the first two by the recovery kit, others by those enrolled."""
    with call.vault() as vault:
        made = vault.oversight.add_approver(name, _read(key), kit=kit)
    call.output.item("approvers", made, ("name", "key", "touch"))
    if not made.touch:
        call.output.warn("This key wants no touch: it does not count in protected environments.")


@command(approver, "vault approver list", name="list")
def list_(call: Call) -> None:
    """List the people who may agree."""
    with call.vault() as vault:
        _roster(call, vault.oversight)


@command(approver, "vault approver remove ann")
def remove(call: Call, name: Name) -> None:
    """Let a person agree no more. Those enrolled agree to that first."""
    with call.vault() as vault:
        vault.oversight.remove_approver(name)
        _roster(call, vault.oversight)


@command(approver, "vault approver quorum 2")
def quorum(
    call: Call,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="How many have to agree.")],
) -> None:
    """Set how many people have to agree. Those enrolled agree to that first."""
    with call.vault() as vault:
        vault.oversight.set_quorum(number)
        _roster(call, vault.oversight)


def _roster(call: Call, oversight: Oversight) -> None:
    columns = ("name", "touch", "key")
    call.output.table("approvers", oversight.approvers(), columns, "Nobody is enrolled.")
    wanted = oversight.quorum()
    if wanted:
        call.output.say(f"{wanted} of them have to agree, and never who asks.")


def _show(call: Call, item: Any) -> None:
    call.output.item("approvals", item, _FIELDS)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
