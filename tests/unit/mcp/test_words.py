"""What agents read: who waits for whom, until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from vault.mcp.words import asked, deleted, waiting
from vault.operations.approve import ApprovalItem
from vault.operations.grants import GrantItem
from vault.operations.items import TombstoneItem

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ME = {"name": "bot", "frozen": ""}


def approval(**changed: Any) -> ApprovalItem:
    words: dict[str, Any] = {
        "id": "ask_1",
        "state": "waiting",
        "requester": "bot",
        "verb": "delete",
        "volume": "db",
        "about": "",
        "environment": "production",
        "reason": "merged",
        "task": "",
        "approved_by": (),
        "wanted": 2,
        "rejected_by": "",
        "rejected_for": "",
        "expires_at": AT,
        "text": "",
    }
    return ApprovalItem(**words | changed)


def grant(state: str) -> GrantItem:
    return GrantItem(
        id="grant_1", state=state, principal="bot", environment="production", verbs=("delete",),
        volumes=("db", "mail"), task="OPS-1", reason="merged", uses=1, used=0, given_by="",
        expires_at=AT,
    )  # fmt: skip


def tombstone(until: datetime | None) -> TombstoneItem:
    return TombstoneItem(
        id="tomb_1", volume="db", environment="production", state="tombstoned", created_at=AT,
        undo_until=until, deleted_by="bot", reason="merged", task="", snapshot="", held="",
        path="/",
    )  # fmt: skip


def test_nothing_waits() -> None:
    assert waiting(ME, (), ()) == "Nothing waits for people."
    assert waiting(ME, (), (grant("given"), grant("expired"))) == "Nothing waits for people."


def test_who_waits_for_whom() -> None:
    told = asked(approval(approved_by=("eve",)))
    assert "ask_1: bot wants to delete “db” (merged); 1 of 2 people agreed" in told
    assert "it waits for approvers other than bot: vault approve ask_1" in told
    assert told.endswith("good until 2026-11-27T12:00:00Z")
    given = asked(approval(state="given", approved_by=("eve",), wanted=1))
    assert "1 of 1 person agreed; it waits for bot to ask again the same way" in given
    roster = asked(approval(volume="", verb="roster", about="approver added: name cyd"))
    assert "bot wants to roster: approver added: name cyd" in roster


def test_all_that_waits_is_told_at_once() -> None:
    lines = waiting({"name": "bot", "frozen": "too fast"}, [approval()], [grant("asked")])
    frozen, waits, wish = lines.splitlines()
    assert frozen.startswith("You (bot) are frozen: too fast.")
    assert "vault unfreeze bot" in frozen
    assert waits.startswith("ask_1: ")
    assert "bot asks to delete db, mail (merged); waits for a person to give it" in wish
    assert "vault grant give grant_1" in wish


def test_a_delete_tells_the_way_back() -> None:
    assert "deleted as tomb_1" in deleted(tombstone(AT))
    assert deleted(tombstone(AT)).endswith("until 2026-11-27T12:00:00Z.")
    assert "undelete brings it back, for now." in deleted(tombstone(None))
