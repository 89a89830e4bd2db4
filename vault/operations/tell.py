"""Tell: bring notices to their receivers, from what the audit log says; nobody waits for it.

What a receiver was told is a mark in the catalog: the last entry that it took. Order: a receiver
has taken a notice → its mark moves. A crash in between tells it once more, under the same id, and
what of its batch the receiver's thread brought after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from vault import limits
from vault.audit.entry import Entry
from vault.clock import format_time
from vault.errors import TombstoneUnknown, UsageError, VaultError, VolumeUnknown
from vault.governance import notice as notices
from vault.governance.notice import Known, Notice, notice_of, topic_of
from vault.ids import new_id
from vault.messenger.dispatch import Answer, Batch, Dispatch
from vault.messenger.secrets import read_secret
from vault.messenger.services import open_service
from vault.messenger.webhook import open_webhook
from vault.operations import homes
from vault.operations.items import CheckItem
from vault.operations.unit import LocalUnit
from vault.settings import ReceiverSettings

_MARK: Final = "notify:"  # and the receiver's name
_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldItem:
    """What became of offering notices to a receiver: `fault` says why it took no more."""

    receiver: str
    taken: int
    fault: str


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a receiver is: the id of the last entry that it was told of, or needs no word of.

    `begun` is when it was first seen here. While it takes nothing, `failures` are counted and
    `again_at` is when it is asked next.
    """

    begun: datetime
    after: str = ""
    failures: int = 0
    again_at: datetime | None = None
    failing_since: datetime | None = None
    fault: str = ""

    def moved(self, after: str) -> _Mark:
        """Having taken the notice of an entry."""
        return _Mark(begun=self.begun, after=max(after, self.after))

    def failed(self, fault: str, now: datetime) -> _Mark:
        """Having taken none: asked again later, each time after twice the time."""
        wait = limits.NOTICE_RETRY * 2 ** min(self.failures, _DOUBLINGS)
        return msgspec.structs.replace(
            self,
            failures=self.failures + 1,
            again_at=now + min(wait, limits.NOTICE_RETRY_LONGEST),
            failing_since=self.failing_since or now,
            fault=fault,
        )

    def rests(self, now: datetime) -> bool:
        """Whether it is not its time; a clock that was ahead has left nothing to wait for."""
        return self.again_at is not None and (
            now < self.again_at <= now + limits.NOTICE_RETRY_LONGEST
        )


def tell(unit: LocalUnit, dispatch: Dispatch) -> tuple[ToldItem, ...]:
    """Offer each receiver what it was not told yet; takes a bounded time whatever they do.

    What was offered for limits.NOTICE_LIFE in vain is offered no more. Raises CatalogError.
    """
    told = {one.called: ToldItem(receiver=one.called, taken=0, fault="") for one in _all(unit)}
    for answer in dispatch.late():
        _note(unit, answer, told)
    batches = [batch for one in _all(unit) if (batch := _batch(unit, one)) is not None]
    for answer in dispatch.deliver(batches, limits.NOTICE_SECONDS):
        _note(unit, answer, told)
    return tuple(one for one in told.values() if one.taken or one.fault)


def dispatcher(unit: LocalUnit) -> Dispatch:
    """What a process keeps for as long as it tells: which receivers are still busy."""
    return Dispatch(unit.clock)


def trial(unit: LocalUnit, dispatch: Dispatch, name: str = "") -> tuple[ToldItem, ...]:
    """Send each receiver (or one) a notice of nothing, now. Raises UsageError for no receiver."""
    receivers = [one for one in _all(unit) if name in ("", one.called)]
    if not receivers:
        raise UsageError(
            f"vault.toml has no receiver “{name}”" if name else "vault.toml has no [[notify]]",
            safe="Nothing was sent.",
            hint="See how receivers are set up: docs/notifications.md",
        )
    now = unit.clock.now()
    word = notices.trial(new_id("aud", now), now, homes.read_vault_id(unit.home))
    batches = [Batch(one.called, _opened(unit, one), (word,)) for one in receivers]
    return tuple(
        ToldItem(receiver=answer.receiver, taken=int(not answer.fault), fault=answer.fault)
        for answer in dispatch.deliver(batches, limits.NOTICE_SECONDS)
    )


def check(unit: LocalUnit) -> tuple[CheckItem, ...]:
    """Whether each receiver can be used, and takes what it is offered; sends nothing."""
    return tuple(_checked(unit, one) for one in _all(unit))


def _checked(unit: LocalUnit, one: ReceiverSettings) -> CheckItem:
    name, mark = f"notify {one.called}", _read(unit, one.called)
    try:
        _open(unit, one)
    except VaultError as error:
        return CheckItem(name=name, ok=False, detail=error.message, hint=error.hint)
    if mark.failing_since is None:
        return CheckItem(name=name, ok=True, detail="takes what it is offered")
    return CheckItem(
        name=name,
        ok=False,
        detail=f"takes no notice since {format_time(mark.failing_since)}: {mark.fault}",
        hint="Nothing is lost for 7 days. Try it: vault notify test",
    )


def _batch(unit: LocalUnit, one: ReceiverSettings) -> Batch | None:
    """What a receiver is to be told now; None for nothing, or where it is not its time."""
    mark, now = _read(unit, one.called), unit.clock.now()
    if mark.rests(now):
        return None
    waiting = list(_waiting(unit, one, mark, now))
    if not waiting:
        return None
    return Batch(one.called, _opened(unit, one), waiting)


def _waiting(
    unit: LocalUnit, one: ReceiverSettings, mark: _Mark, now: datetime
) -> Iterator[Notice]:
    """Its next notices, in order. The mark moves behind what comes before the first of them."""
    since = max(min(mark.begun, now) - limits.NOTICE_BEGIN, now - limits.NOTICE_LIFE)
    log = homes.read_writer_keys(unit.home).signing.key_id
    found = unit.catalog.audit.own_after(
        log, notices.TOLD_OF, mark.after, since, limits.NOTICE_PAGE
    )
    wanted, passed = 0, ""
    for entry in found:
        notice = _notice(unit, entry, one.events)
        if notice is not None:
            yield notice
            wanted += 1
            if wanted == limits.NOTICE_BATCH:
                break
        elif not wanted:
            passed = entry.id
    if passed:
        _write(unit, one.called, msgspec.structs.replace(mark, after=passed))


def _notice(unit: LocalUnit, entry: Entry, events: Sequence[str]) -> Notice | None:
    topic = topic_of(entry)
    if topic is None or (events and topic.value not in events):
        return None
    known = _known(unit, entry)
    return notice_of(entry, topic, known) if known is not None else None


def _known(unit: LocalUnit, entry: Entry) -> Known | None:
    """What the catalog knows beside an entry; None where that belongs to another environment."""
    vault = homes.read_vault_id(unit.home)
    scope, tombstone = unit.catalog.environment, str(entry.body.get("tombstone") or "")
    if scope and entry.environment not in ("", scope):
        return None
    try:
        if tombstone:
            made = unit.catalog.tombstones.get(tombstone)
            return Known(
                vault=vault,
                volume=made.volume_name,
                environment=made.environment,
                tombstone=made.id,
                deleted_by=made.deleted_by.name if made.deleted_by else "",
                reason=made.reason,
                undo_until=format_time(made.undo_until) if made.undo_until else "",
            )
        if entry.volume:
            volume = unit.catalog.volumes.resolve(entry.volume)
            return Known(vault=vault, volume=volume.name, environment=volume.environment)
    except (TombstoneUnknown, VolumeUnknown):
        return None if scope else Known(vault=vault, tombstone=tombstone)
    return Known(vault=vault)


def _opened(unit: LocalUnit, one: ReceiverSettings) -> Callable[[Notice], str]:
    """How a receiver is told; where it cannot be used, that is what it answers."""
    try:
        return _open(unit, one)
    except VaultError as error:
        fault = error.message
        return lambda _: fault


def _open(unit: LocalUnit, one: ReceiverSettings) -> Callable[[Notice], str]:
    url = one.url or read_secret(_path(unit, one.url_file))
    if one.key_file:
        return open_webhook(url, _path(unit, one.key_file), unit.clock).send
    return open_service(url).send


def _path(unit: LocalUnit, file: str) -> Path:
    return unit.home / Path(file).expanduser()


def _all(unit: LocalUnit) -> tuple[ReceiverSettings, ...]:
    return unit.settings.notify


def _note(unit: LocalUnit, answer: Answer, told: dict[str, ToldItem]) -> None:
    """Move a receiver's mark, durably, by what it answered."""
    mark = _read(unit, answer.receiver)
    moved = (
        mark.failed(answer.fault, unit.clock.now()) if answer.fault else mark.moved(answer.notice)
    )
    _write(unit, answer.receiver, moved)
    former = told.get(answer.receiver)
    if former is not None:
        told[answer.receiver] = ToldItem(
            receiver=answer.receiver,
            taken=former.taken + (not answer.fault),
            fault=answer.fault,
        )


def _read(unit: LocalUnit, name: str) -> _Mark:
    text = unit.catalog.meta.get(_MARK + name)
    if text:
        return msgspec.json.decode(text, type=_Mark)
    mark = _Mark(begun=unit.clock.now())
    _write(unit, name, mark)
    return mark


def _write(unit: LocalUnit, name: str, mark: _Mark) -> None:
    unit.catalog.meta.set(_MARK + name, msgspec.json.encode(mark).decode())
