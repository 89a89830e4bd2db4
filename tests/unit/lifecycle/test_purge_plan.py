"""The purge's conditions: each alone refuses, and boundaries are exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from msgspec.structs import replace

from vault import limits
from vault.lifecycle.purge_plan import FinalSnapshot, PurgeEvidence, judge, window_end
from vault.lifecycle.tombstone import State, Tombstone

SECOND = timedelta(seconds=1)
WINDOW = timedelta(hours=48)
LOCK = timedelta(days=30)
DELETED = datetime(2026, 4, 24, 9, tzinfo=UTC)
END = DELETED + WINDOW
TOMBSTONE = Tombstone(
    "tomb_a",
    DELETED,
    volume="vol_a",
    held_at="/srv/.vault-trash/a",
    identity="directory inode=2",
    state=State.TOMBSTONED,
    window=WINDOW,
    quarantined_at=DELETED,
    uptime_mark=1000.0,
    snapshot="snap_a",
)
FINAL = FinalSnapshot(
    id="snap_a",
    volume="vol_a",
    final_for="tomb_a",
    stored_at=DELETED,
    verified=True,
    locked_until=END + LOCK,
)
READY = PurgeEvidence(
    tombstone=TOMBSTONE,
    store_now=END,
    local_now=END,
    clocked=True,
    uptime=0.0,
    window=WINDOW,
    final=FINAL,
    final_lock=LOCK,
)


def entombed(**changes: Any) -> dict[str, Any]:
    return {"tombstone": replace(TOMBSTONE, **changes)}


def final(**changes: Any) -> dict[str, Any]:
    return {"final": replace(FINAL, **changes)}


def codes(evidence: PurgeEvidence) -> set[str]:
    return {refusal.code for refusal in judge(evidence)}


def test_at_the_very_end_of_the_window_it_may_be_done() -> None:
    assert judge(READY) == ()


def test_what_a_purge_began_it_may_finish() -> None:
    assert judge(replace(READY, **entombed(state=State.PURGING))) == ()


ALONE: list[tuple[dict[str, Any], str]] = [
    *(
        (entombed(state=state), "state")
        for state in State
        if state not in (State.TOMBSTONED, State.PURGING)
    ),
    (entombed(identity=""), "identity"),
    (entombed(held_at=""), "identity"),
    (entombed(hold="court"), "hold"),
    ({"approvals_missing": 1}, "approvals"),
    ({"store_now": END - SECOND}, "window_store"),
    ({"local_now": END - SECOND}, "window_local"),
    ({"window": WINDOW + SECOND, "local_now": END + SECOND, **final(locked_until=END + LOCK * 2)},
     "window_store"),
    ({"clocked": False, "uptime": 1000.0 + WINDOW.total_seconds() - 1}, "window_uptime"),
    ({"clocked": False, "uptime": 1e9, **entombed(uptime_mark=None)}, "window_uptime"),
    ({"local_now": END + limits.CLOCK_TOLERANCE + SECOND, **final(locked_until=END + LOCK * 2)},
     "clocks"),
    ({"final": None}, "final_missing"),
    (entombed(snapshot=""), "final_missing"),
    (entombed(snapshot="snap_b"), "final_other"),
    (final(volume="vol_b"), "final_other"),
    (final(final_for=""), "final_other"),
    (final(final_for="tomb_b"), "final_other"),
    (final(stored_at=DELETED - SECOND), "final_early"),
    (final(verified=False), "final_unverified"),
    (final(locked_until=END + LOCK - SECOND), "final_lock"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), ALONE)
def test_each_condition_alone_refuses(changes: dict[str, Any], code: str) -> None:
    refusals = judge(replace(READY, **changes))
    assert [refusal.code for refusal in refusals] == [code]
    assert refusals[0].sentence


def test_every_refusal_is_listed() -> None:
    single = [
        pair
        for pair in ALONE
        if "tombstone" not in pair[0] and pair[1] in ("approvals", "window_store")
    ][:2]
    single += [(entombed(hold="court"), "hold"), (final(verified=False), "final_unverified")]
    for (one, first), (other, second) in combinations(single, 2):
        assert codes(replace(READY, **(one | other))) == {first, second}


def test_the_longer_of_the_charters_and_the_recorded_window_counts() -> None:
    longer = timedelta(hours=72)
    assert window_end(replace(READY, window=longer)) == DELETED + longer
    assert window_end(replace(READY, **entombed(window=longer))) == DELETED + longer
    assert window_end(replace(READY, window=timedelta(0))) == END
    assert window_end(replace(READY, **entombed(window=timedelta(0)))) == END


def test_a_window_that_never_began_never_ends() -> None:
    unbegun = replace(READY, **entombed(quarantined_at=None))
    assert window_end(unbegun) is None
    assert codes(unbegun) == {"window", "final_early"}


@pytest.mark.parametrize("clock", ["store_now", "local_now"])
def test_a_refusal_says_when_waiting_will_have_met_it(clock: str) -> None:
    changes: dict[str, Any] = {clock: END - SECOND}
    early = replace(READY, **changes)
    assert [refusal.until for refusal in judge(early)] == [END]


def test_without_a_clock_in_the_store_boot_time_counts_as_well() -> None:
    enough = 1000.0 + WINDOW.total_seconds()
    unclocked = replace(READY, clocked=False, uptime=enough)
    assert judge(unclocked) == ()
    (refusal,) = judge(replace(unclocked, uptime=enough - 60))
    assert refusal.until == END + timedelta(seconds=60)


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_that_differ_by_the_tolerance_still_agree(sign: int) -> None:
    late = END + timedelta(days=1)
    apart = replace(
        READY,
        store_now=late,
        local_now=late + sign * limits.CLOCK_TOLERANCE,
        **final(locked_until=late + LOCK * 2),
    )
    assert judge(apart) == ()
    assert codes(replace(apart, local_now=apart.local_now + sign * SECOND)) == {"clocks"}


def test_the_final_lock_counts_from_the_later_clock() -> None:
    late = replace(READY, local_now=END + SECOND)
    assert codes(late) == {"final_lock"}


EVERYONE = ("ann", "bob", "cyd", "dan")
SHORT, LONG = timedelta(hours=1), timedelta(days=14)


def test_people_can_agree_to_the_floor_of_a_longer_window_and_to_no_less() -> None:
    for longer in ({"window": LONG}, entombed(window=LONG)):
        waits = replace(READY, **longer)
        assert codes(waits) == {"window_store", "window_local"}
        assert judge(replace(waits, agreed=EVERYONE)) == ()
        for clock in ("store_now", "local_now"):
            early: dict[str, Any] = {clock: END - SECOND, "agreed": EVERYONE}
            assert len(judge(replace(waits, **early))) == 1
    unclocked = replace(READY, window=LONG, clocked=False, agreed=EVERYONE)
    enough = 1000.0 + WINDOW.total_seconds()
    assert judge(replace(unclocked, uptime=enough)) == ()
    assert codes(replace(unclocked, uptime=enough - 1)) == {"window_uptime"}


@pytest.mark.parametrize("agreed", [(), EVERYONE[:1], EVERYONE])
@pytest.mark.parametrize("charter", [SHORT, WINDOW, LONG])
@pytest.mark.parametrize("recorded", [timedelta(0), SHORT, WINDOW, LONG])
def test_nobodys_agreement_ends_a_window_within_48_hours(
    agreed: tuple[str, ...], charter: timedelta, recorded: timedelta
) -> None:
    """A window that is shorter by itself stays as it is."""
    evidence = replace(READY, window=charter, agreed=agreed, **entombed(window=recorded))
    whole = max(charter, recorded)
    assert window_end(evidence) == DELETED + (min(whole, WINDOW) if agreed else whole)


@pytest.mark.parametrize(("changes", "code"), ALONE)
def test_what_people_agree_to_lifts_nothing_else(changes: dict[str, Any], code: str) -> None:
    assert {code} - {"window_store"} <= codes(replace(READY, **changes, agreed=EVERYONE))


def test_a_record_of_an_agreement_that_is_not_proved_is_told() -> None:
    early = replace(READY, window=LONG, **entombed(early_at=DELETED))
    assert all("not proved" in refusal.sentence for refusal in judge(early))
    assert judge(replace(early, agreed=EVERYONE)) == ()
