"""Entries of the audit log and requests, as the books of governance read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from vault.audit.entry import Caller, Entry, EntryKind
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
BOT = Principal(PrincipalKind.AGENT, "deploy-bot", Via.TOKEN)


def entry(
    kind: EntryKind,
    body: dict[str, Any] | None = None,
    *,
    by: str = "ann",
    at: datetime = NOW,
    environment: str = "",
) -> Entry:
    """An entry as a host writes it."""
    return Entry(
        id="aud_1",
        at=at,
        uptime=1.0,
        kind=kind,
        caller=Caller("human", by),
        environment=environment,
        body=body or {},
    )


def request(
    verb: Verb = Verb.DELETE,
    volume: str = "preview-7",
    *,
    who: Principal = BOT,
    environment: str = "production",
    task: str = "OPS-1",
    size: int = 0,
) -> Request:
    """A request of an agent's; the volume's id is its name's."""
    return Request(
        verb=verb,
        volume=volume,
        volume_id=f"vol_{volume}",
        environment=environment,
        principal=who,
        reason="merged",
        task=task,
        bytes=size,
    )


_WORDS = (
    *("name", "kind", "subject", "disabled", "token", "environment", "expires_at", "made_at"),
    *("starts_at", "verbs", "volumes", "uses", "bytes", "principal", "grant", "decision", "task"),
    *("assignees", "until", "window", "rule", "starts", "seconds", "zone", "reason", "public"),
    *("text", "digest", "quorum", "ask", "approver"),
)
_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-3, max_value=3)
    | st.sampled_from(("x", "", "2027-03-01T12:00:00", "2027-03-01T12:00:00Z", "FREQ=DAILY", "UTC"))
    | st.lists(st.text("ab*", max_size=2), max_size=2)
)
ODD = st.lists(
    st.builds(
        entry, st.sampled_from(list(EntryKind)), st.dictionaries(st.sampled_from(_WORDS), _VALUES)
    ),
    max_size=12,
)
"""Entries of a later vault, or of one that lies."""
