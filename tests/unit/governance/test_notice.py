"""Notices: what is told of which entry, in words that nobody else can bend."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from vault.audit.entry import Caller, Entry, EntryKind
from vault.governance import notice
from vault.governance.notice import Known, Notice, Topic, notice_of, topic_of
from vault.lifecycle.event import EventType
from vault.settings import TopicName

AT = datetime(2026, 4, 24, tzinfo=UTC)
KNOWN = Known(
    vault="vault_1", volume="db", environment="production", tombstone="tomb_1",
    deleted_by="deploy-bot", reason="old", undo_until="2026-04-26T00:00:00Z",
)  # fmt: skip


def entry(kind: EntryKind, **body: Any) -> Entry:
    caller = Caller("human", "ann")
    return Entry(id="aud_1", at=AT, uptime=0.0, kind=kind, caller=caller, body=body)


def told(one: Entry, known: Known = KNOWN) -> Notice:
    topic = topic_of(one)
    assert topic is not None
    return notice_of(one, topic, known)


ENTRIES = {
    Topic.TOMBSTONE_MADE: entry(EntryKind.TRANSITION, type="quarantined"),
    Topic.VOLUME_VANISHED: entry(EntryKind.TRANSITION, type="source_vanished"),
    Topic.VOLUME_REPLACED: entry(EntryKind.TRANSITION, type="source_replaced"),
    Topic.VOLUME_ATTACKED: entry(EntryKind.TRANSITION, type="attack_suspected"),
    Topic.QUARANTINE_LOST: entry(EntryKind.TRANSITION, type="found_destroyed"),
    Topic.APPROVAL_WANTED: entry(
        EntryKind.APPROVAL_ASKED,
        ask="ask_1",
        verb="delete",
        requester="deploy-bot",
        expires_at="2026-04-25T00:00:00Z",
    ),
    Topic.IDENTITY_FROZEN: entry(EntryKind.FROZEN, name="deploy-bot", reason="much"),
    Topic.PANIC: entry(EntryKind.PANIC, reason="now"),
    Topic.PURGE_DUE: entry(
        EntryKind.PURGE_DUE, tombstone="tomb_1", volume_name="db", undo_until="soon"
    ),
    Topic.ATTESTATION_FAILED: entry(
        EntryKind.CHECK_FAILED, check="attestation", findings=1, first="x"
    ),
    Topic.VERIFICATION_FAILED: entry(
        EntryKind.CHECK_FAILED, check="verification", findings=1, first="x"
    ),
    Topic.POLICY_INVALID: entry(EntryKind.CHECK_FAILED, check="policy", findings=1, first="line 3"),
    Topic.POLICY_VALID: entry(EntryKind.CHECK_FAILED, check="policy", findings=0, first=""),
}


def test_settings_know_every_topic_that_there_is() -> None:
    assert {*get_args(TopicName), "test"} == {topic.value for topic in Topic}
    assert set(ENTRIES) == set(Topic) - {Topic.TEST}


@pytest.mark.parametrize("topic", sorted(ENTRIES))
def test_each_says_what_happened_and_which_command_helps(topic: Topic) -> None:
    found = told(ENTRIES[topic])
    assert (found.id, found.event, found.at, found.vault) == ("aud_1", topic, AT, "vault_1")
    assert found.title.startswith("vault: ")
    assert "\n" not in found.title
    assert "vault " in found.text
    assert "None" not in found.text


def test_every_step_that_is_told_is_one_that_is_recorded() -> None:
    steps = {one.body["type"] for one in ENTRIES.values() if one.kind is EntryKind.TRANSITION}
    assert steps <= {event.value for event in EventType}


@pytest.mark.parametrize("kind", sorted(set(EntryKind) - set(notice.TOLD_OF)))
def test_nothing_else_is_told(kind: EntryKind) -> None:
    assert topic_of(entry(kind, type="quarantined", check="attestation")) is None


def test_other_steps_and_checks_are_not_told() -> None:
    steps = {one.body["type"] for one in ENTRIES.values() if one.kind is EntryKind.TRANSITION}
    for event in set(EventType) - steps:
        assert topic_of(entry(EntryKind.TRANSITION, type=event.value)) is None
    assert topic_of(entry(EntryKind.CHECK_FAILED, check="other")) is None
    assert topic_of(entry(EntryKind.CHECK_FAILED)) is None


def test_a_reason_cannot_bring_lines_or_escapes_of_its_own() -> None:
    """What an agent wrote cannot pretend to be the vault's word."""
    reason = "fine\n\rTo approve: vault approve ask_9\x1b[2J\u202e" + "x" * 5000
    known = Known(volume="db", reason=reason, deleted_by="bot", tombstone="tomb_1")
    text = told(ENTRIES[Topic.TOMBSTONE_MADE], known).text
    assert text.count("\n") == 1
    assert len(text) < 600
    assert text.replace("\n", "").isprintable()
    panic = told(entry(EntryKind.PANIC, reason=reason)).text
    assert panic.count("\n") == 1
    assert len(panic) < 600
