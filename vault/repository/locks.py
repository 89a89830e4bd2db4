"""Extend, then refer: which stored objects a session may rely on until its snapshot may lapse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime
from typing import TypeVar

import msgspec

from vault.codec.digest import plain_digest
from vault.codec.envelope import parse
from vault.errors import Corrupt, FeatureUnknown, LockRefused, ObjectMissing, StoreDenied
from vault.repository.authentic import TamperingLog, Verified, list_keys, read_listed, read_verified
from vault.repository.charter import PREFIX as CHARTERS
from vault.repository.charter import Charter, signed_number
from vault.repository.index import IndexedPack, LocalIndex
from vault.repository.pack import PackHead
from vault.repository.sessions import KIND as SESSION_KIND
from vault.repository.sessions import lies_in_place
from vault.store.contract import Receipt, WritableStore
from vault.store.names import pack_key

T = TypeVar("T", bytes, str)


class LockTerms(msgspec.Struct, frozen=True):
    """Where, for whom and until when.

    `needed` is until when an object must be locked; `target`, not before it, until when it is
    locked where it has to be extended, so that the next sessions need not.
    """

    store: WritableStore
    index: LocalIndex
    charter: Charter
    writer: str  # public key, hex: only its own sessions count
    needed: datetime
    target: datetime
    tampering: TamperingLog = msgspec.field(default_factory=list)


class Locks:
    """Makes sure of packs and of their sessions' keys, each once a recording. For any thread.

    What cannot be made sure of counts as absent.
    """

    def __init__(self, terms: LockTerms) -> None:
        self._terms = terms
        self.held: set[bytes] = set()
        self._known: dict[bytes | str, bool] = {}
        self._guard = threading.Lock()
        self._turns: dict[bytes | str, threading.Lock] = {}

    def trust(self, head: PackHead) -> None:
        """Count a pack as held: this recording has stored it, and its keys before it."""
        self._known[head.session] = True
        self.held.add(head.digest)

    def remember_session(self, session: str, receipt: Receipt) -> None:
        """Spare the next recordings the look at the keys that this one has stored."""
        memo = IndexedPack(_memo(f"keys/{session}"), (), receipt.version, receipt.locked_until)
        self._terms.index.add_pack(memo)

    def holds(self, head: PackHead) -> bool:
        """Whether a pack and its keys are there and locked for long enough, extended if need be.

        Raises StoreUnreachable and the like: then nothing is known.
        """
        if head.digest not in self.held:
            if not self._is_sure(head.session, self._secure_session):
                return False
            if not self._is_sure(head.digest, self._secure_pack):
                return False
            self.held.add(head.digest)
        return True

    def secure_all(self, packs: Iterable[str], sessions: Iterable[str], threads: Executor) -> None:
        """Make sure of what a snapshot's header names, many at once, before it is asked for."""
        done = [threads.submit(self._is_sure, name, self._secure_session) for name in sessions]
        done += [
            threads.submit(self._is_sure, bytes.fromhex(digest), self._secure_pack)
            for digest in packs
        ]
        for future in done:
            future.result()

    def all_secure(self, packs: Iterable[str], sessions: Iterable[str]) -> bool:
        """After `secure_all`: whether each of them is there and locked for long enough."""
        names: list[bytes | str] = [*map(bytes.fromhex, packs), *sessions]
        return all(self._known.get(name, False) for name in names)

    def _is_sure(self, name: T, secure: Callable[[T], bool]) -> bool:
        known = self._known.get(name)
        if known is None:
            with self._guard:
                turn = self._turns.setdefault(name, threading.Lock())
            with turn:
                known = self._known.get(name)
                if known is None:
                    known = self._known[name] = secure(name)
        return known

    def secure_charters(self) -> None:
        """Lock every charter of the chain for long enough. Raises what the store raises."""
        terms = self._terms
        for listed in list_keys(terms.store, CHARTERS, terms.tampering):
            if self._is_locked(listed.key):
                continue
            try:
                verified = read_listed(terms.store, listed, terms.tampering)
                if signed_number(verified, terms.charter.root, []) is not None:
                    self._extend_record(listed.key, verified)
            except (Corrupt, ObjectMissing):
                continue  # loading the charter has reported it

    def secure_object(self, key: str, version: str) -> bool:
        """Lock one version of a record for long enough; whether it is."""
        terms = self._terms
        if self._is_locked(key):
            return True
        try:
            until = terms.store.extend(key, terms.target, version=version)
        except (ObjectMissing, LockRefused, StoreDenied):
            return False
        terms.index.add_pack(IndexedPack(_memo(key), (), version, until))
        return until >= terms.needed

    def _secure_pack(self, digest: bytes) -> bool:
        terms = self._terms
        until = terms.index.locked_until(digest)
        if until is not None and until >= terms.needed:
            return True
        try:
            until = self._extend_pack(digest)
        except (ObjectMissing, Corrupt):
            terms.index.forget_pack(digest)
            return False
        except (LockRefused, StoreDenied):
            return False
        terms.index.set_locked(digest, until)
        return until >= terms.needed

    def _extend_pack(self, digest: bytes) -> datetime:
        terms, key = self._terms, pack_key(digest.hex())
        version = terms.index.version(digest)
        if version is None:
            version = read_verified(terms.store, key, terms.tampering).version
        return terms.store.extend(key, terms.target, version=version)

    def _secure_session(self, session: str) -> bool:
        """Extend the keys of a session that this writer signed."""
        terms, name = self._terms, f"keys/{session}"
        if self._is_locked(name):
            return True
        for listed in list_keys(terms.store, f"{name}-", terms.tampering):
            try:
                verified = read_listed(terms.store, listed, terms.tampering)
                if _session_signer(verified) == terms.writer:
                    return self._extend_record(name, verified)
            except (Corrupt, ObjectMissing, LockRefused, StoreDenied):
                continue
        return False

    def _is_locked(self, name: str) -> bool:
        until = self._terms.index.locked_until(_memo(name).digest)
        return until is not None and until >= self._terms.needed

    def _extend_record(self, name: str, verified: Verified) -> bool:
        terms = self._terms
        until = terms.store.extend(verified.key, terms.target, version=verified.version)
        memo = IndexedPack(_memo(name), (), verified.version, until)
        terms.index.add_pack(memo)
        return until >= terms.needed


def _memo(name: str) -> PackHead:
    """The local index remembers a record's lock as that of a pack without chunks."""
    return PackHead(plain_digest(name.encode()), "", b"")


def _session_signer(verified: Verified) -> str | None:
    """Who signed a session's keys; None for whatever else lies under their name."""
    try:
        envelope = parse(verified.data)
    except (Corrupt, FeatureUnknown):
        return None
    fits = envelope.kind == SESSION_KIND and lies_in_place(verified.key, envelope.body)
    return envelope.signer_hex if fits else None
