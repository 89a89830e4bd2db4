"""In plain words: what waits, for whom, and until when. Agents read it, and tell their users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vault.clock import format_time
from vault.operations.approve import ApprovalItem
from vault.operations.grants import GrantItem
from vault.operations.items import TombstoneItem


def deleted(tombstone: TombstoneItem) -> str:
    """A delete that was done."""
    until = f"until {format_time(tombstone.undo_until)}" if tombstone.undo_until else "for now"
    return (
        f"“{tombstone.volume}” is deleted as {tombstone.id}; its data are set aside. "
        f"undelete brings it back, {until}."
    )


def wished(grant: GrantItem) -> str:
    """A grant that was asked for, and what it will be good for."""
    begins = f"from {format_time(grant.starts_at)} " if grant.starts_at else ""
    most = f", {grant.bytes} bytes at most" if grant.bytes else ""
    return (
        f"{grant.id} waits for a person: vault grant give {grant.id}. Once it is given, delete "
        f"“{', '.join(grant.volumes)}” for the task {grant.task}, "
        f"{begins}until {format_time(grant.expires_at)}{most}."
    )


def waiting(
    me: dict[str, Any], approvals: Sequence[ApprovalItem], grants: Sequence[GrantItem]
) -> str:
    """All that waits for people, of the caller and of others in the same environment."""
    return "\n".join(_waiting(me, approvals, grants)) or "Nothing waits for people."


def _waiting(
    me: dict[str, Any], approvals: Sequence[ApprovalItem], grants: Sequence[GrantItem]
) -> Iterator[str]:
    if me["frozen"]:
        yield (
            f"You ({me['name']}) are frozen: {me['frozen']}. Until a person has looked "
            f"(vault unfreeze {me['name']}) you may look, take snapshots and undelete."
        )
    for item in approvals:
        yield asked(item)
    for grant in grants:
        if grant.state == "asked":
            yield (
                f"{grant.id}: {grant.principal} asks to {' and '.join(grant.verbs)} "
                f"{', '.join(grant.volumes)} ({grant.reason}); waits for a person to give it: "
                f"vault grant give {grant.id}"
            )


def asked(item: ApprovalItem) -> str:
    """One request that people have to agree to, or agreed to."""
    what = f"{item.verb} “{item.volume}”" if item.volume else f"{item.verb}: {item.about}"
    agreed = len(item.approved_by)
    count = f"{agreed} of {item.wanted} {'person' if item.wanted == 1 else 'people'} agreed"
    if item.state == "given":
        next_step = f"it waits for {item.requester} to ask again the same way"
    else:
        next_step = f"it waits for approvers other than {item.requester}: vault approve {item.id}"
    return (
        f"{item.id}: {item.requester} wants to {what} ({item.reason}); {count}; {next_step}; "
        f"good until {format_time(item.expires_at)}"
    )
