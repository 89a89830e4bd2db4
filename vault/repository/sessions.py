"""Session keys: made by the writer for one session, stored once, readable with the kit alone.

Stored as `keys/<session id>-<digest>`, a record of kind `session` whose body is
u32 length | JSON {session, name} | age ciphertext of JSON {vault, session, writer, data_key,
chunk_id_key, index_key} (keys in hex). The sealed part repeats vault, session and writer, so that
it cannot be passed off as another's.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from vault.codec.cipher import new_key
from vault.codec.decoding import read_json
from vault.codec.envelope import sign
from vault.codec.keyring import SessionKeys, WriterKeys, unwrap, wrap
from vault.errors import Corrupt, KitMissing, ObjectMissing, Unauthentic
from vault.repository.authentic import TamperingLog
from vault.repository.charter import Charter
from vault.repository.records import Record, Shelf, read_records
from vault.store.contract import Reader, Receipt, Writer
from vault.store.names import named

__all__ = ["SessionKeys", "SessionRing", "new_session_keys", "store_session"]

KIND: Final = "session"
_LENGTH: Final = struct.Struct(">I")
_KEY_HEX: Final = re.compile(r"[0-9a-f]{64}")


class _Public(msgspec.Struct, frozen=True):
    session: str
    name: str


class _Sealed(msgspec.Struct, frozen=True):
    vault: str
    session: str
    writer: str
    data_key: str
    chunk_id_key: str
    index_key: str


def new_session_keys(session: str, writer: WriterKeys) -> SessionKeys:
    """Keys of a new session: a fresh data key, beside the two that the writer keeps."""
    return SessionKeys(
        session, writer.signing.public_hex, new_key(), writer.chunk_id_key, writer.index_key
    )


def store_session(
    store: Writer,
    writer: WriterKeys,
    keys: SessionKeys,
    *,
    recipients: Sequence[str],
    retain_until: datetime,
) -> Receipt:
    """Store a session's keys, wrapped to the recipients; before any of its packs."""
    public = msgspec.json.encode(_Public(keys.session, writer.name))
    secret = _Sealed(
        writer.vault,
        keys.session,
        keys.writer,
        keys.data_key.hex(),
        keys.chunk_id_key.hex(),
        keys.index_key.hex(),
    )
    sealed = wrap(msgspec.json.encode(secret), recipients)
    body = _LENGTH.pack(len(public)) + public + sealed
    data = sign(KIND, writer.vault, body, writer.signing)
    return store.put(named(f"keys/{keys.session}", data), data, retain_until)


def lies_in_place(key: str, body: bytes) -> bool:
    """Whether a session's record lies under its own session's name.

    Anyone who can put can lay an authentic record under another's: it must not stand in for it.
    """
    try:
        session = _public(body, key)[0].session
    except Corrupt:
        return False
    return key.startswith(f"keys/{session}-")


def _public(body: bytes, key: str) -> tuple[_Public, bytes]:
    """The open head of a session's record, and its sealed part. Raises Corrupt."""
    length = _LENGTH.unpack_from(body)[0] if len(body) >= _LENGTH.size else len(body)
    end = _LENGTH.size + length
    return read_json(_Public, body[_LENGTH.size : end], f"the head of {key}"), body[end:]


class SessionRing:
    """The keys of sessions, fetched and opened when first asked for. For any thread."""

    def __init__(
        self,
        reader: Reader,
        charter: Charter,
        identities: Sequence[str],
        tampering: TamperingLog | None = None,
    ) -> None:
        self._reader = reader
        self._charter = charter
        self._identities = tuple(identities)
        self._tampering = [] if tampering is None else tampering
        self._keys: dict[tuple[str, str], SessionKeys] = {}
        self._guard = threading.Lock()

    def add(self, keys: SessionKeys) -> None:
        """Lay in keys that are at hand: a writer's own session."""
        with self._guard:
            self._keys[keys.session, ""] = self._keys[keys.session, keys.writer] = keys

    def key(self, session: str, *, writer: str = "") -> SessionKeys:
        """The keys of a session as their writer (public key, hex) left them.

        Without `writer`, as the first chartered one to store any under its id did: what another
        lays beside them within the same second could otherwise stand in for them.

        Raises KitMissing, KitWrong, ObjectMissing, Unauthentic, Corrupt.
        """
        with self._guard:
            keys = self._keys.get((session, writer))
            if keys is None:
                keys = self._keys[session, writer] = self._open(self._find(session, writer))
            return keys

    def _find(self, session: str, writer: str) -> Record:
        if not self._identities:
            raise KitMissing(
                "reading contents needs the recovery kit",
                safe="What is stored is untouched.",
                hint="Give --kit FILE, or set VAULT_RECOVERY_KIT.",
            )
        shelf = Shelf(KIND, f"keys/{session}-")
        found = list(read_records(self._reader, self._charter, shelf, self._tampering))
        placed = [record for record in found if lies_in_place(record.key, record.body)]
        own = (record for record in placed if writer in ("", record.signer_hex))
        first = min(own, key=lambda record: (record.stored_at, record.key), default=None)
        if first is None and placed:
            raise Unauthentic(f"{placed[0].key} is another signer's than what it is to open")
        if first is None and found:
            raise Corrupt(f"{found[0].key} holds the keys of another session")
        if first is None:
            raise ObjectMissing(
                f"the keys of session {session}, signed by a chartered writer, are not in the store"
            )
        return first

    def _open(self, record: Record) -> SessionKeys:
        public, sealed = _public(record.body, record.key)
        secret = read_json(_Sealed, unwrap(sealed, self._identities), record.key)
        keys = (secret.data_key, secret.chunk_id_key, secret.index_key)
        if (
            (secret.vault, secret.writer) != (self._charter.vault, record.signer_hex)
            or not record.key.startswith(f"keys/{secret.session}-")
            or public.session != secret.session
            or not all(_KEY_HEX.fullmatch(key) for key in keys)
        ):
            raise Corrupt(f"{record.key} holds the keys of another session")
        data_key, chunk_id_key, index_key = map(bytes.fromhex, keys)
        return SessionKeys(secret.session, secret.writer, data_key, chunk_id_key, index_key)
