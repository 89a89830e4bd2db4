"""Notices: which entry of the audit log people are told of, and in which words. Pure.

A notice's id is that of its entry: whoever is told twice can see that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from vault.audit.entry import Entry, EntryKind


class Topic(StrEnum):
    """What a notice is about; the words stand in vault.toml and in what receivers get."""

    TOMBSTONE_MADE = "tombstone_made"
    APPROVAL_WANTED = "approval_wanted"
    IDENTITY_FROZEN = "identity_frozen"
    PANIC = "panic"
    ATTESTATION_FAILED = "attestation_failed"
    VERIFICATION_FAILED = "verification_failed"
    POLICY_INVALID = "policy_invalid"
    POLICY_VALID = "policy_valid"
    PURGE_DUE = "purge_due"
    VOLUME_VANISHED = "volume_vanished"
    VOLUME_REPLACED = "volume_replaced"
    VOLUME_ATTACKED = "volume_attacked"
    QUARANTINE_LOST = "quarantine_lost"
    TEST = "test"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver gets. `title` is one line, `text` says what to do; the rest is for programs.

    `by` is who did it. `volume` is a name. What does not apply is empty.
    """

    id: str
    event: Topic
    at: datetime
    title: str
    text: str
    vault: str = ""
    environment: str = ""
    volume: str = ""
    tombstone: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What else is known of an entry's volume and tombstone; `undo_until` is a time as text."""

    vault: str = ""
    volume: str = ""
    environment: str = ""
    tombstone: str = ""
    deleted_by: str = ""
    reason: str = ""
    undo_until: str = ""


_PLAIN: Final[Mapping[EntryKind, Topic]] = {
    EntryKind.APPROVAL_ASKED: Topic.APPROVAL_WANTED,
    EntryKind.FROZEN: Topic.IDENTITY_FROZEN,
    EntryKind.PANIC: Topic.PANIC,
    EntryKind.PURGE_DUE: Topic.PURGE_DUE,
}
_STEPS: Final[Mapping[str, Topic]] = {
    "quarantined": Topic.TOMBSTONE_MADE,
    "source_vanished": Topic.VOLUME_VANISHED,
    "source_replaced": Topic.VOLUME_REPLACED,
    "attack_suspected": Topic.VOLUME_ATTACKED,
    "found_destroyed": Topic.QUARANTINE_LOST,
}
_CHECKS: Final[Mapping[str, Topic]] = {
    "attestation": Topic.ATTESTATION_FAILED,
    "verification": Topic.VERIFICATION_FAILED,
    "policy": Topic.POLICY_INVALID,
}

_LONGEST: Final = 300
"""Characters of what others wrote, in a notice."""

TOLD_OF: Final = (*_PLAIN, EntryKind.TRANSITION, EntryKind.CHECK_FAILED)
"""The kinds of entry that any notice comes from."""


def topic_of(entry: Entry) -> Topic | None:
    """What people are told of because of this entry; None for nothing."""
    if entry.kind is EntryKind.TRANSITION:
        return _STEPS.get(str(entry.body.get("type")))
    if entry.kind is EntryKind.CHECK_FAILED:
        topic = _CHECKS.get(str(entry.body.get("check")))
        mended = topic is Topic.POLICY_INVALID and not entry.body.get("findings")
        return Topic.POLICY_VALID if mended else topic
    return _PLAIN.get(entry.kind)


def notice_of(entry: Entry, topic: Topic, known: Known) -> Notice:
    """The notice of an entry that has a topic."""
    said = replace(known, reason=_plain(known.reason))
    title, text = _WORDS[topic]({name: _plain(value) for name, value in entry.body.items()}, said)
    return Notice(
        id=entry.id,
        event=topic,
        at=entry.at,
        title=title,
        text=text,
        vault=known.vault,
        environment=known.environment or entry.environment,
        volume=known.volume or str(entry.body.get("volume", "")),
        tombstone=known.tombstone,
        by=known.deleted_by or entry.caller.name,
    )


def trial(identifier: str, at: datetime, vault: str) -> Notice:
    """A notice of nothing, to see whether receivers take one."""
    return Notice(
        id=identifier,
        event=Topic.TEST,
        at=at,
        title="vault: a test",
        text="Nothing has happened. Whoever reads this is told what does.",
        vault=vault,
    )


def _plain(value: object) -> str:
    """What somebody wrote, on one line, bounded: it cannot pretend to be more of the notice."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


_Words = Callable[[Mapping[str, Any], Known], tuple[str, str]]


def _tombstone_made(_: Mapping[str, Any], known: Known) -> tuple[str, str]:
    why = f": {known.reason}" if known.reason else ""
    return (
        f"vault: “{known.volume}” was deleted",
        (
            f"{known.deleted_by} deleted “{known.volume}” ({known.environment}){why}\n"
            f"It can be undone until {known.undo_until} at least: vault undelete {known.tombstone}"
        ),
    )


def _approval_wanted(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    what = str(body.get("verb", ""))
    what += f" of “{body['volume']}” ({body.get('environment')})" if body.get("volume") else ""
    about = body.get("about") or body.get("reason") or "no reason was given"
    return (
        f"vault: {what} waits for people",
        (
            f"{body.get('requester')} asks for it: {about}\n"
            f"Read it until {body.get('expires_at')}: vault approve {body.get('ask')}"
        ),
    )


def _identity_frozen(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    name = body.get("name")
    did = "The breaker tripped" if body.get("tripped") else "Somebody froze it"
    return (
        f"vault: {name} is frozen",
        (
            f"{did}: {body.get('reason')}\nIt may protect and undo, and no more. "
            f"What it did: vault audit show --by {name}; to bring all of it back: "
            f"vault undelete --by {name} --since 1h; to let it go on: vault unfreeze {name}"
        ),
    )


def _panic(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    return (
        "vault: panic",
        f"Everything destructive waits: {body.get('reason')}\nTo end it: vault calm",
    )


def _attestation_failed(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    return (
        "vault: the store is NOT write-once",
        (
            f"It let {body.get('findings')} thing(s) happen that it must refuse, the first: "
            f"{body.get('first')}\nRely on nothing in it. See all: vault store attest"
        ),
    )


def _verification_failed(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    return (
        "vault: not everything stored is as it was",
        (
            f"{body.get('findings')} finding(s), the first: {body.get('first')}\n"
            "See all: vault verify; what is damaged is stored anew by the next snapshots."
        ),
    )


def _policy_invalid(body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    return (
        "vault: the rules in policy.cedar do not hold",
        f"{body.get('first')}\nLook at them: vault policy check FILE",
    )


def _policy_valid(_body: Mapping[str, Any], _: Known) -> tuple[str, str]:
    return (
        "vault: the rules in policy.cedar hold",
        "What was wrong with the file is put right. See what holds: vault policy show",
    )


def _purge_due(body: Mapping[str, Any], known: Known) -> tuple[str, str]:
    name, tombstone = body.get("volume_name"), body.get("tombstone")
    return (
        f"vault: “{name}” can soon be undone no more",
        (
            f"{known.deleted_by or 'Somebody'} deleted it; from {body.get('undo_until')} on its "
            f"data may be purged.\nTo have it back: vault undelete {tombstone}; "
            f"to keep it as it is: vault hold {tombstone}"
        ),
    )


def _volume_vanished(_: Mapping[str, Any], known: Known) -> tuple[str, str]:
    return (
        f"vault: “{known.volume}” is gone from its place",
        (
            "Nobody deleted it through vault. It is not captured now, and none of its snapshots "
            f"expires.\nBring it back: vault restore {known.volume} --in-place; or accept it: "
            f"vault volume acknowledge {known.volume}"
        ),
    )


def _volume_replaced(_: Mapping[str, Any], known: Known) -> tuple[str, str]:
    return (
        f"vault: something else stands in the place of “{known.volume}”",
        (
            "An unmounted disk looks like that. It is not captured now, and none of its snapshots "
            f"expires.\nLook at it, then: vault volume acknowledge {known.volume}"
        ),
    )


def _volume_attacked(_: Mapping[str, Any], known: Known) -> tuple[str, str]:
    return (
        f"vault: “{known.volume}” changes as if it were under attack",
        (
            "Most of it was encrypted, wiped or overwritten within a day. It is still captured, "
            "and none of its snapshots expires; vault status names the last one from before.\n"
            f"Once you have looked: vault volume acknowledge {known.volume}"
        ),
    )


def _quarantine_lost(_: Mapping[str, Any], known: Known) -> tuple[str, str]:
    return (
        f"vault: the deleted “{known.volume}” is gone from quarantine",
        (
            "No purge of it is on record as done. What is stored of it does not expire: "
            f"vault restore {known.tombstone} --to DIR"
        ),
    )


_WORDS: Final[Mapping[Topic, _Words]] = {
    Topic.TOMBSTONE_MADE: _tombstone_made,
    Topic.APPROVAL_WANTED: _approval_wanted,
    Topic.IDENTITY_FROZEN: _identity_frozen,
    Topic.PANIC: _panic,
    Topic.ATTESTATION_FAILED: _attestation_failed,
    Topic.VERIFICATION_FAILED: _verification_failed,
    Topic.POLICY_INVALID: _policy_invalid,
    Topic.POLICY_VALID: _policy_valid,
    Topic.PURGE_DUE: _purge_due,
    Topic.VOLUME_VANISHED: _volume_vanished,
    Topic.VOLUME_REPLACED: _volume_replaced,
    Topic.VOLUME_ATTACKED: _volume_attacked,
    Topic.QUARANTINE_LOST: _quarantine_lost,
}
