"""Index objects: the tables of contents of a session's packs, for the writer that stored them.

Stored as `index/<writer key id>/<session id>-<sequence>-<digest>`, a record of kind `index` whose
body is MessagePack, sealed under the writer's index key and bound to vault and name:
[[pack head, version, locked until (seconds since 1970), table rows], …].
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from vault.codec.cipher import seal_alone, unseal_alone
from vault.codec.decoding import read_msgpack
from vault.codec.digest import vault_digest
from vault.codec.envelope import sign
from vault.codec.keyring import WriterKeys
from vault.errors import Corrupt
from vault.repository.authentic import TamperingLog, note
from vault.repository.charter import Charter
from vault.repository.index import IndexedPack, LocalIndex
from vault.repository.pack import PackHead, TableRow, placed, rows_of
from vault.repository.records import Record, Shelf, read_records
from vault.store.contract import Reader, Writer
from vault.store.names import named

KIND: Final = "index"
_CONTEXT: Final = "vault 2026-11 index"
_ROWS: Final = 50_000  # chunks in one object: about 3 MB
_NAME: Final = re.compile(r"(index/[0-9a-f]{16}/sess_[0-9a-z]{26}-\d{6})-[0-9a-f]{64}")


class _StoredPack(msgspec.Struct, frozen=True, array_like=True):
    head: PackHead
    version: str
    locked_until: int
    rows: list[TableRow]


class IndexWriter:
    """Stores a session's index, an object whenever enough has come together. For any thread.

    A pack is added after it was stored and before the snapshot that needs it.
    """

    def __init__(
        self, store: Writer, keys: WriterKeys, session: str, *, retain_until: datetime
    ) -> None:
        self._store = store
        self._keys = keys
        self._stem = f"index/{keys.signing.key_id}/{session}"
        self._retain_until = retain_until
        self._pending: list[_StoredPack] = []
        self._rows = 0
        self._sequence = 0
        self._guard = threading.Lock()

    def add(self, pack: IndexedPack) -> None:
        """Take in one stored pack, all of its chunks in order."""
        rows = rows_of(pack.chunks)
        seconds = int(pack.locked_until.timestamp())
        with self._guard:
            self._pending.append(_StoredPack(pack.head, pack.version, seconds, rows))
            self._rows += len(rows)
            if self._rows >= _ROWS:
                self._store_pending()

    def finish(self) -> None:
        """Store what is left."""
        with self._guard:
            if self._pending:
                self._store_pending()

    def _store_pending(self) -> None:
        stem = f"{self._stem}-{self._sequence:06d}"
        vault, plain = self._keys.vault, msgspec.msgpack.encode(self._pending)
        body = seal_alone(self._keys.index_key, _CONTEXT, _bound(vault, stem), plain)
        data = sign(KIND, vault, body, self._keys.signing)
        self._store.put(named(stem, data), data, self._retain_until)
        self._pending, self._rows, self._sequence = [], 0, self._sequence + 1


def sync_index(
    local: LocalIndex,
    reader: Reader,
    charter: Charter,
    *,
    keys: WriterKeys,
    tampering: TamperingLog,
) -> int:
    """Load this writer's own index objects that the local index lacks; returns how many.

    Objects of other writers are never loaded: a bad one could make this one's snapshots refer to
    chunks that are not there. The local index begins anew where it belongs to another store.
    """
    public = keys.signing.public_hex
    local.claim(f"{charter.vault} {public} {reader.address}")
    known = local.known_objects()
    prefix = f"index/{keys.signing.key_id}/"
    shelf = Shelf(KIND, prefix, skip=lambda listed: listed.key in known)
    loaded = 0
    for record in read_records(reader, charter, shelf, tampering):
        try:
            if record.signer_hex != public:
                raise Corrupt("it is another writer's")
            local.load_object(record.key, list(_packs(record, keys)))
            loaded += 1
        except Corrupt as error:
            note(tampering, record.key, "forged", error.message)
    return loaded


def _packs(record: Record, keys: WriterKeys) -> Iterator[IndexedPack]:
    name = _NAME.fullmatch(record.key)
    if name is None:
        raise Corrupt("its name is not an index's")
    bound = _bound(keys.vault, name[1])
    plain = unseal_alone(keys.index_key, _CONTEXT, bound, record.body)
    for pack in read_msgpack(list[_StoredPack], plain, record.key):
        try:
            until = datetime.fromtimestamp(pack.locked_until, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise Corrupt("a lock's date is out of range") from error
        yield IndexedPack(pack.head, placed(pack.head, pack.rows), pack.version, until)


def _bound(vault: str, stem: str) -> bytes:
    return vault_digest(vault) + stem.encode("ascii")
