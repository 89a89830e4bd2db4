"""Stamp: let a time-stamping service outside see how far this host's audit log goes.

What has a time stamp cannot be written anew later, not even by whoever holds all keys of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from vault import codec
from vault.audit.checkpoint import Checkpoint, origin_of, sign_checkpoint
from vault.clock import format_time
from vault.codec.timestamp import Trusted
from vault.errors import Corrupt, SettingsError
from vault.messenger.post import post_within
from vault.operations.amend import record_lock
from vault.operations.items import FindingItem
from vault.operations.unit import ReadUnit, WriteUnit
from vault.repository.stamps import PREFIX, StoredStamp, put_stamp

_STAMPED: Final = "stamped:"  # and the log: how many entries the newest time stamp covers


def stamp(unit: WriteUnit) -> str:
    """Get a time stamp for this log's newest checkpoint, check it and store it, under lock.

    Says so; empty where the newest one has its time stamp already. Raises SettingsError where the
    service does not answer, Corrupt where its answer does not count, StoreError.
    """
    log = unit.signer.key_id
    head = unit.catalog.audit.head(log)
    if head is None or unit.catalog.meta.get(_STAMPED + log) == str(head.size):
        return ""
    trusted = trusted_for(unit, None)
    if trusted is None:
        return ""
    checkpoint = Checkpoint(origin_of(unit.charter.vault, log), head.size, head.root())
    note = sign_checkpoint(checkpoint, unit.signer)
    reply, at = _asked(unit.settings.audit.timestamp_url, note.encode(), trusted)
    lock = record_lock(unit.reader.now())
    put_stamp(unit.store, unit.signer, unit.charter.vault, (checkpoint, note, reply), lock)
    unit.catalog.meta.set(_STAMPED + log, str(head.size))
    return f"{head.size} entries are stamped, at {format_time(at)}"


@dataclass(slots=True)
class Stamps:
    """What the store's time stamps say of each log: entries covered, and the service's time."""

    covered: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    findings: list[FindingItem] = field(default_factory=list)


def check(
    stamps: Iterable[StoredStamp],
    trusted: Trusted | None,
    root_at: Mapping[str, Callable[[int], bytes | None]],
) -> Stamps:
    """Compare time stamps with the entries of their logs, by each log's root at a size.

    With certificates the service's answers are checked as well, offline. Raises ExtraMissing.
    """
    found = Stamps()
    for one in stamps:
        known = root_at[one.log](one.checkpoint.size) if one.log in root_at else None
        found.findings += _compared(one, known)
        if trusted is None:
            continue
        try:
            at = codec.timestamp.check_reply(one.reply, one.note.encode(), trusted)
        except Corrupt as error:
            found.findings.append(_finding("unstamped", one, error.message))
            continue
        if known == one.checkpoint.root:
            found.covered[one.log] = max(
                found.covered.get(one.log, (0, at)), (one.checkpoint.size, at)
            )
    return found


def gone(unit: ReadUnit, stamps: Iterable[StoredStamp]) -> Iterator[FindingItem]:
    """Time stamps that this host has stored and the store does not show any more."""
    newest: dict[str, int] = {}
    for one in stamps:
        newest[one.log] = max(newest.get(one.log, 0), one.checkpoint.size)
    for log in unit.catalog.audit.heads():
        seen, shown = int(unit.catalog.meta.get(_STAMPED + log) or 0), newest.get(log, 0)
        if seen > shown:
            detail = (
                f"this host has had {seen} entries stamped, the store's time stamps show {shown}"
            )
            yield FindingItem(what="missing", path=f"{PREFIX}{log}/", detail=detail)


def trusted_for(unit: ReadUnit, file: Path | None) -> Trusted | None:
    """The certificates given, or those that vault.toml names; None for neither."""
    own = unit.settings.audit.timestamp_roots
    if file is None and own:
        file = unit.home / Path(own).expanduser()
    return certificates(file) if file is not None else None


def certificates(file: Path) -> Trusted:
    """The certificates in a PEM file. Raises SettingsError."""
    try:
        return codec.timestamp.read_certificates(file.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}",
            safe="Nothing was changed.",
            hint="Give the root certificate of the time-stamping service, as PEM: docs/audit.md",
        ) from error


def _asked(url: str, data: bytes, trusted: Trusted) -> tuple[bytes, datetime]:
    query = codec.timestamp.make_query(data)
    answer = post_within(url, query.der, {"Content-Type": codec.timestamp.QUERY})
    if answer.fault:
        raise SettingsError(
            f"the time-stamping service gives no time: {answer.fault}",
            safe="The audit log is as it was; it is asked again.",
            hint="See [audit] timestamp_url in vault.toml.",
        )
    at = codec.timestamp.check_reply(answer.body, data, trusted, nonce=query.nonce)
    return answer.body, at


def _compared(one: StoredStamp, known: bytes | None) -> Iterable[FindingItem]:
    if known is None:
        yield _finding("cut", one, f"{one.checkpoint.size} entries were stamped, some are gone")
    elif known != one.checkpoint.root:
        yield _finding("rewritten", one, "other entries were stamped than are stored")


def _finding(what: str, one: StoredStamp, detail: str) -> FindingItem:
    return FindingItem(what=what, path=one.key, detail=detail)
