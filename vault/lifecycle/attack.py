"""Attack: whether a volume's contents are being taken away from inside it, told from counts alone.

Whoever encrypts or wipes files leaves the volume in its place: its snapshots go on, and push the
good ones out. What gives it away is how much of what was there is gone, beside what is usual for
this very volume. A day is looked at together, so that a burst and an hourly trickle count alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from vault import limits

_HABIT: Final = 2
"""What a volume did on so many days is usual for it: once is none, and was perhaps an attack."""


class Change(msgspec.Struct, frozen=True):
    """What became of the contents between a snapshot and its parent, in bytes of data.

    `kept` was stored before, `new` was not, and `packed` is what that took once compressed;
    `replaced` is what the parent had and this one has not. Holes are no data.
    """

    kept: int
    new: int
    packed: int
    replaced: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as the judgement sees it; `change` is None where nobody could count."""

    stored_at: datetime
    parent: str
    change: Change | None


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for an alarm: `name` is a stable word, `number` what was measured."""

    name: str
    number: float
    says: str


class Suspicion(msgspec.Struct, frozen=True):
    """Why a volume looks attacked; `before` is its last snapshot from before that day."""

    signs: tuple[Sign, ...]
    before: str


class _Day(msgspec.Struct, frozen=True):
    """What came together in one day; `base` is how much there was."""

    base: int
    replaced: int
    new: int
    packed: int

    @property
    def share(self) -> float:
        """How much of what was there was replaced; above 1 where it was so repeatedly."""
        return self.replaced / self.base if self.base else 0.0


class _Usual(msgspec.Struct, frozen=True):
    """The share of a day, and what the volume's contents shrink to; None where that is unknown."""

    share: float
    packed: float | None


def suspect(counts: Sequence[Counts], acknowledged: datetime | None = None) -> Suspicion | None:
    """Why the newest of a volume's snapshots looks like an attack; None where it does not.

    `counts` are all that are known of the volume, the oldest first; times are the store's. What a
    person had seen when they last acknowledged an alarm is not held against the volume again.
    """
    known = [one for one in counts if one.change is not None]
    if not known or known[-1] is not counts[-1]:
        return None
    now = known[-1].stored_at
    begin = max(now - limits.ATTACK_SPAN, acknowledged or now - limits.ATTACK_SPAN)
    today = [one for one in known if one.stored_at > begin]
    former = [one for one in known if one.stored_at <= begin]
    day = _day(today)
    if not _is_known(former, now) or day.replaced < limits.ATTACK_LEAST:
        return None
    gap = max((now - former[-1].stored_at) / limits.ATTACK_SPAN, 1.0)
    found = tuple(_signs(day, _usual(former, begin, gap)))
    return Suspicion(found, today[0].parent) if found else None


def _is_known(former: Sequence[Counts], now: datetime) -> bool:
    """Whether there is enough of it to know what is usual."""
    enough = len(former) >= limits.ATTACK_SNAPSHOTS
    return enough and now - former[0].stored_at >= limits.ATTACK_KNOWN


def _signs(day: _Day, usual: _Usual) -> Iterator[Sign]:
    share, packed = day.share, day.packed / max(day.new, 1)
    if share >= max(limits.ATTACK_SHARE, limits.ATTACK_FACTOR * usual.share):
        says = f"{share:.0%} of its contents were replaced within a day, {usual.share:.0%} is usual"
        yield Sign(name="changed-share", number=share, says=says)
    opaque = packed >= limits.ATTACK_OPAQUE and (usual.packed or 1.0) <= limits.ATTACK_CLEAR
    if opaque and share >= limits.ATTACK_OPAQUE_SHARE and share > usual.share:
        says = (
            f"what replaced {share:.0%} of it shrinks to {packed:.0%}, {usual.packed:.0%} is usual"
        )
        yield Sign(name="entropy", number=packed, says=says)


def _usual(former: Sequence[Counts], begin: datetime, gap: float) -> _Usual:
    """What the days before `begin` had in common; the newest snapshot stands for `gap` days."""
    days: dict[int, list[Counts]] = {}
    for one in former:
        days.setdefault((begin - one.stored_at) // limits.ATTACK_SPAN, []).append(one)
    lately = (_day(day) for age, day in days.items() if age < limits.ATTACK_HABIT_DAYS)
    shares = sorted((day.share for day in lately), reverse=True)
    all_of_it = _day(former)
    return _Usual(
        share=shares[_HABIT - 1] * gap if len(shares) >= _HABIT else 0.0,
        packed=all_of_it.packed / all_of_it.new if all_of_it.new >= limits.ATTACK_LEAST else None,
    )


def _day(counts: Sequence[Counts]) -> _Day:
    changes = [one.change for one in counts if one.change is not None]
    return _Day(
        base=max((change.kept + change.replaced for change in changes), default=0),
        replaced=sum(change.replaced for change in changes),
        new=sum(change.new for change in changes),
        packed=sum(change.packed for change in changes),
    )
