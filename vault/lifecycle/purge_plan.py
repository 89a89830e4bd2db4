"""Whether a tombstone's data may be destroyed, and everything that still stands against it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from vault import limits
from vault.clock import format_span, format_time
from vault.lifecycle.tombstone import State, Tombstone


class FinalSnapshot(msgspec.Struct, frozen=True):
    """What the purger itself found in the store about the snapshot taken after the quarantine.

    `locked_until` is the earliest lock of all that the snapshot needs; `verified` says that all of
    it is there, is signed by a chartered writer, and hashes to its name. `unread` counts what its
    capture met and could not store as it was.
    """

    id: str
    volume: str
    final_for: str
    stored_at: datetime
    verified: bool
    locked_until: datetime
    unread: int = 0


class PurgeEvidence(msgspec.Struct, frozen=True):
    """All that the decision rests on. Durations of windows and locks are the charter's.

    `uptime` is the accumulated boot time in seconds, which counts where the store has no clock of
    its own (`clocked` is False). `approvals_missing` counts those that policy asks for in vain.
    `agreed` names the people who agreed, provably, that this one is purged before its window is
    over; nobody's agreement makes the floor of 48 hours shorter.
    """

    tombstone: Tombstone
    store_now: datetime
    local_now: datetime
    clocked: bool
    uptime: float
    window: timedelta
    final: FinalSnapshot | None
    final_lock: timedelta = limits.FINAL_LOCK_AFTER_PURGE
    approvals_missing: int = 0
    agreed: tuple[str, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """One condition that is not met: `until` is when time alone will have met it, if it will."""

    code: str
    sentence: str
    until: datetime | None = None


def judge(evidence: PurgeEvidence) -> tuple[Refusal, ...]:
    """Every reason not to purge now; empty means that it may be done."""
    return (
        *_state(evidence),
        *_clocks(evidence),
        *_window(evidence),
        *_final(evidence),
    )


def window_end(evidence: PurgeEvidence) -> datetime | None:
    """When the window is over: the longer one of the charter's and the recorded one counts.

    Of one that is longer than the floor, the floor where people have agreed to that.
    """
    since = evidence.tombstone.quarantined_at
    return None if since is None else since + _length(evidence)


def _length(evidence: PurgeEvidence) -> timedelta:
    whole = max(evidence.window, evidence.tombstone.window)
    return min(whole, limits.PROTECTED_WINDOW_FLOOR) if evidence.agreed else whole


def _state(evidence: PurgeEvidence) -> Iterator[Refusal]:
    tombstone = evidence.tombstone
    if tombstone.state not in (State.TOMBSTONED, State.PURGING):
        yield Refusal("state", f"the tombstone is {tombstone.state.replace('_', ' ')}")
    if not (tombstone.identity and tombstone.held_at):
        yield Refusal("identity", "what was quarantined, and where, is not on record")
    if tombstone.hold:
        yield Refusal("hold", f"a hold is on it: {tombstone.hold}")
    if evidence.approvals_missing > 0:
        yield Refusal("approvals", f"{evidence.approvals_missing} approvals are missing")


def _clocks(evidence: PurgeEvidence) -> Iterator[Refusal]:
    apart = abs(evidence.store_now - evidence.local_now)
    if apart > limits.CLOCK_TOLERANCE:
        yield Refusal("clocks", f"store and host disagree about the time by {format_span(apart)}")


def _window(evidence: PurgeEvidence) -> Iterator[Refusal]:
    end = window_end(evidence)
    if end is None:
        yield Refusal("window", "the window has not begun: no quarantine is on record")
        return
    unproved = evidence.tombstone.early_at is not None and not evidence.agreed
    doubt = ", and that people agreed to an earlier purge is not proved" * unproved
    for code, who, now in (
        ("window_store", "the store's", evidence.store_now),
        ("window_local", "the host's", evidence.local_now),
    ):
        if now < end:
            told = f"the window ends at {format_time(end)} by {who} clock{doubt}"
            yield Refusal(code, told, end)
    if not evidence.clocked:
        yield from _uptime(evidence)


def _uptime(evidence: PurgeEvidence) -> Iterator[Refusal]:
    mark = evidence.tombstone.uptime_mark
    if mark is None:
        yield Refusal("window_uptime", "the boot time at the quarantine is not on record")
        return
    missing = _length(evidence) - timedelta(seconds=evidence.uptime - mark)
    if missing > timedelta(0):
        yield Refusal(
            "window_uptime",
            f"the store has no clock, and the host has to be up for {format_span(missing)} more",
            evidence.local_now + missing,
        )


def _final(evidence: PurgeEvidence) -> Iterator[Refusal]:
    final, tombstone = evidence.final, evidence.tombstone
    if final is None or not tombstone.snapshot:
        yield Refusal("final_missing", "no snapshot taken after the quarantine is on record")
        return
    if final.id != tombstone.snapshot or final.volume != tombstone.volume:
        yield Refusal("final_other", "the snapshot found is not the one on record")
    if final.final_for != tombstone.id:
        yield Refusal("final_other", "the snapshot was not made for this tombstone")
    if tombstone.quarantined_at is None or final.stored_at < tombstone.quarantined_at:
        yield Refusal("final_early", "the snapshot was stored before the quarantine")
    if not final.verified:
        yield Refusal("final_unverified", "the final snapshot could not be verified")
    if final.unread:
        yield Refusal(
            "final_incomplete",
            f"{final.unread} thing(s) could not be read for the final snapshot, and are in none:"
            " undelete the volume, make them readable, then delete it again",
        )
    needed = max(evidence.store_now, evidence.local_now) + evidence.final_lock
    if final.locked_until < needed:
        yield Refusal(
            "final_lock",
            f"the final snapshot is locked until {format_time(final.locked_until)} and has to be"
            f" until {format_time(needed)}",
        )
