"""Attacks from inside: recorded histories of volumes, and what each of them looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vault import limits
from vault.lifecycle.attack import Change, Counts, Suspicion, suspect
from vault.limits import MIB

BEGIN = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SIZE = 1000 * MIB
TEXT, MEDIA = 0.3, 1.0


class History:
    """A volume's snapshots: each step is a share replaced, a share that came beside it."""

    def __init__(self, every: timedelta, packs: float = TEXT) -> None:
        self.every = every
        self.packs = packs
        self.size = SIZE
        self.at = BEGIN
        self.counts = [Counts(stored_at=BEGIN, parent="", change=self._all())]

    def _all(self) -> Change:
        return Change(kept=0, new=self.size, packed=int(self.size * self.packs), replaced=0)

    def step(self, replaced: float = 0.0, grown: float = 0.0, packs: float | None = None) -> None:
        """One more snapshot; what comes instead is as large as what was replaced."""
        gone = int(self.size * replaced)
        new = gone + int(self.size * grown)
        packed = int(new * (self.packs if packs is None else packs))
        self.at += self.every
        self.counts.append(
            Counts(
                stored_at=self.at,
                parent=f"snap_{len(self.counts) - 1}",
                change=Change(kept=self.size - gone, new=new, packed=packed, replaced=gone),
            )
        )
        self.size += new - gone

    def steps(self, number: int, replaced: float = 0.0, grown: float = 0.0) -> History:
        """Many of the same; returns itself."""
        for _ in range(number):
            self.step(replaced, grown)
        return self

    def judged(self, acknowledged: datetime | None = None) -> Suspicion | None:
        """The newest."""
        return suspect(self.counts, acknowledged)

    def names(self, acknowledged: datetime | None = None) -> list[str]:
        """The reasons."""
        found = self.judged(acknowledged)
        return [sign.name for sign in found.signs] if found else []


def test_a_volume_that_is_encrypted_is_told_by_both_signs_with_numbers_and_reasons() -> None:
    history = History(HOUR).steps(24 * 10, replaced=0.001)
    history.step(replaced=0.9, packs=1.0)
    found = history.judged()
    assert found is not None
    share, entropy = found.signs
    assert (share.name, round(share.number, 2)) == ("changed-share", 0.92)
    assert (entropy.name, entropy.number > 0.97) == ("entropy", True)
    assert share.says == "92% of its contents were replaced within a day, 2% is usual"
    assert entropy.says == "what replaced 92% of it shrinks to 98%, 30% is usual"
    assert found.before == "snap_217"  # the last of the day before


def test_an_hourly_trickle_counts_as_much_as_a_burst() -> None:
    history = History(HOUR).steps(24 * 10, replaced=0.001)
    seen: list[str] = []
    while not seen:
        history.step(replaced=0.02, packs=1.0)
        seen = history.names()
    assert seen == ["entropy"]
    assert history.at - BEGIN < 10 * DAY + 24 * HOUR


def test_a_wiped_volume_is_told_though_nothing_new_came() -> None:
    history = History(DAY).steps(10, replaced=0.01)
    change = Change(kept=0, new=0, packed=0, replaced=history.size)
    history.counts.append(replace(history.counts[-1], stored_at=history.at + DAY, change=change))
    assert history.names() == ["changed-share"]


def test_media_that_are_replaced_are_told_by_their_share_alone() -> None:
    history = History(DAY, MEDIA).steps(10)
    history.step(replaced=0.3)
    assert history.names() == []
    history.step(replaced=0.6)
    assert history.names() == ["changed-share"]


@pytest.mark.parametrize(
    ("every", "packs", "before", "last"),
    [
        (DAY, TEXT, {"replaced": 0.2}, {"replaced": 0.6}),  # a busy volume on a busy day
        (DAY, TEXT, {"replaced": 1.0}, {"replaced": 1.0}),  # a dump that is written anew each night
        (HOUR, TEXT, {"grown": 0.001}, {"grown": 3.0}),  # much is added at once
        (HOUR, MEDIA, {"grown": 0.001}, {"grown": 3.0}),
        (HOUR, TEXT, {}, {"grown": 3.0, "packs": 1.0}),  # photos beside the texts
        (HOUR, TEXT, {}, {"replaced": 0.4}),
        (HOUR, TEXT, {}, {"replaced": 0.09, "packs": 1.0}),  # a few archives in place of others
        (HOUR, MEDIA, {}, {"replaced": 0.4, "packs": 1.0}),
    ],
    ids=str,
)
def test_ordinary_days_raise_no_alarm(
    every: timedelta, packs: float, before: dict[str, float], last: dict[str, float]
) -> None:
    history = History(every, packs).steps(20 * (DAY // every), **before)
    history.step(**last)
    assert history.names() == []


def test_what_is_done_once_a_week_is_usual_from_the_third_time_on() -> None:
    """Once is no habit: it was perhaps an attack."""
    history, told = History(DAY), []
    for _week in range(4):
        history.steps(6, replaced=0.01)
        history.step(replaced=0.8)
        told.append(history.names())
    assert told == [["changed-share"], ["changed-share"], [], []]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_young_volume_has_no_habits(number: int) -> None:
    history = History(DAY).steps(number - 1)
    history.step(replaced=1.0, packs=1.0)
    assert history.names() == []


def test_few_snapshots_say_nothing() -> None:
    history = History(7 * DAY).steps(limits.ATTACK_SNAPSHOTS - 2)
    history.step(replaced=1.0, packs=1.0)
    assert history.names() == []
    history.step(replaced=1.0, packs=1.0)
    assert history.names() != []


def test_a_small_volume_may_be_replaced_as_a_whole() -> None:
    history = History(DAY)
    history.size = limits.ATTACK_LEAST - 1
    history.steps(10)
    history.step(replaced=1.0, packs=1.0)
    assert history.names() == []


def test_a_snapshot_that_nobody_could_count_is_not_judged() -> None:
    history = History(DAY).steps(10)
    history.step(replaced=1.0, packs=1.0)
    assert history.names() != []
    history.counts[-1] = replace(history.counts[-1], change=None)
    assert history.names() == []
    assert suspect([]) is None


def test_what_a_person_has_seen_is_not_held_against_the_volume_again() -> None:
    history = History(HOUR).steps(24 * 10, replaced=0.001)
    history.step(replaced=0.9, packs=1.0)
    seen = history.at
    history.step(replaced=0.001)
    assert history.names() != []
    assert history.names(acknowledged=seen) == []
    history.step(replaced=0.9, packs=1.0)
    assert "changed-share" in history.names(acknowledged=seen)


def test_after_a_pause_a_snapshot_stands_for_all_its_days() -> None:
    """Twenty days of work are no attack; they are one after a single day."""
    history = History(DAY).steps(20, replaced=0.05)
    worked = History(DAY).steps(20, replaced=0.05)
    worked.at += 19 * DAY
    for one in (history, worked):
        one.step(replaced=0.6)
    assert (history.names(), worked.names()) == (["changed-share"], [])


@given(st.lists(st.tuples(*[st.integers(0, 1 << 60)] * 4, st.integers(0, 10**7)), max_size=40))
def test_no_history_makes_it_fail(rows: list[tuple[int, int, int, int, int]]) -> None:
    at, counts = BEGIN, []
    for kept, new, packed, replaced, seconds in rows:
        at += timedelta(seconds=seconds)
        change = Change(kept=kept, new=new, packed=packed, replaced=replaced)
        counts.append(Counts(stored_at=at, parent="", change=change))
    found = suspect(counts)
    assert found is None or all(sign.says for sign in found.signs)
