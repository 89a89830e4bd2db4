"""Makes the repository that is frozen: every kind of entry and of object, three snapshots."""

from __future__ import annotations

import random
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from tests.tsa import Authority, make_authority
from vault.audit.checkpoint import Checkpoint, origin_of, sign_checkpoint
from vault.audit.entry import Caller, EntryKind, encode_entry
from vault.audit.entry import Entry as AuditEntry
from vault.audit.merkle import Frontier, leaf_hash
from vault.audit.segment import write_segment
from vault.codec import timestamp
from vault.codec.digest import plain_digest
from vault.codec.keyring import RecoveryKit, SigningKey, WriterKeys, new_identity
from vault.ids import new_id
from vault.lifecycle.event import Actor, Event, EventType
from vault.lifecycle.retention import Keep
from vault.progress import Silent
from vault.provider import Entry, Finding, Kind, order_key
from vault.repository.audit_log import put_segment, seal_segment
from vault.repository.charter import Charter, EnvironmentTerms, Member, store_charter
from vault.repository.index import LocalIndex
from vault.repository.journal import append_event
from vault.repository.snapshot import SnapshotRecord
from vault.repository.stamps import put_stamp
from vault.repository.writer import Recording, VolumeFacts, WriterParts
from vault.store.address import parse_address
from vault.store.directory import establish, open_at
from vault.store.names import digest_of
from vault.testing.clock import START, ManualClock

HERE: Final = Path(__file__).parent
ROOT: Final = SigningKey(b"a golden root's seed: 32 bytes.."[:32])
WRITER: Final = SigningKey(b"a golden writer's seed: 32 bytes"[:32])
VAULT: Final = "vault_01kq0000000000000000000000"
KEYS: Final = WriterKeys(VAULT, "golden", WRITER, b"k" * 32, b"i" * 32)
VOLUME: Final = "vol_01kq0000000000000000000000"
TOMBSTONE: Final = "tomb_01kq0000000000000000000000"

_TIME: Final = 1_777_000_000_123_456_789
# user::rw-, user:1001:rw-, group::r--, mask::rw-, other::r--
_ACL: Final = bytes.fromhex(
    "0200000001000600ffffffff02000600e903000004000400ffffffff10000600ffffffff20000400ffffffff"
)

Tree = dict[bytes, tuple[Entry, bytes]]


def entry(path: bytes, kind: Kind = Kind.FILE, **changes: object) -> Entry:
    """An entry with a time of its own."""
    plain: dict[str, object] = {
        "mode": 0o755 if kind == Kind.DIRECTORY else 0o640,
        "uid": 1000,
        "gid": 100,
        "mtime_ns": _TIME + len(path),
        "ctime_ns": _TIME,
        "inode": 100 + len(path),
        "device": 2049,
    }
    return Entry(path, int(kind), **{**plain, **changes})  # type: ignore[arg-type]


def first_tree() -> Tree:
    """One of everything."""
    noise = random.Random(1)
    words = [noise.randbytes(4).hex().encode() for _ in range(500)]
    text = b" ".join(noise.choices(words, k=20_000))
    contents = {
        b"empty": b"",
        b"equal/one": b"the same",
        b"equal/two": b"the same",
        b"large": text * 12,
        b"noise": noise.randbytes(60_000),
        b"not-utf8-\xff\xfe": b"a name of bytes",
        b"sparse": b"begin" + b"end",
        b"with attributes": b"xattrs and an ACL",
        **{b"small/%03d" % n: b"file %d\n" % n * (n % 7) for n in range(60)},
    }
    tree = {path: (entry(path, size=len(data)), data) for path, data in contents.items()}
    holes = entry(b"sparse", size=1 << 20, segments=((4096, 5), ((1 << 20) - 3, 3)))
    tree[b"sparse"] = (holes, contents[b"sparse"])
    xattrs = ((b"system.posix_acl_access", _ACL), (b"user.note", b"\0golden"))
    decked = entry(b"with attributes", size=17, xattrs=xattrs, mode=0o664)
    tree[b"with attributes"] = (decked, contents[b"with attributes"])
    others = [
        entry(b"", Kind.DIRECTORY, mode=0o1777),
        entry(b"block", Kind.BLOCK_DEVICE, rdev=2049, mode=0o600),
        entry(b"char", Kind.CHARACTER_DEVICE, rdev=259, mode=0o666),
        entry(b"closed", Kind.DIRECTORY, mode=0o500),
        entry(b"equal", Kind.DIRECTORY),
        entry(b"fifo", Kind.FIFO),
        entry(b"small", Kind.DIRECTORY, mode=0o2750),
        entry(b"small/hard", size=16, nlink=2, link=b"linked"),
        entry(b"socket", Kind.SOCKET),
        entry(b"symlink", Kind.SYMLINK, target=b"equal/../\xff", mode=0o777),
    ]
    linked = (entry(b"linked", size=16, nlink=2), b"under two names\n")
    return tree | {item.path: (item, b"") for item in others} | {b"linked": linked}


def later_tree(tree: Tree, number: int) -> Tree:
    """A file more, a file less, a file changed."""
    changed = dict(tree)
    del changed[b"small/%03d" % number]
    data = b"changed in snapshot %d\n" % number
    for path in (b"small/050", b"added-%d" % number):
        changed[path] = (entry(path, size=len(data), mtime_ns=_TIME + number), data)
    return changed


TREES: Final = (first_tree(), later_tree(first_tree(), 1), later_tree(first_tree(), 2))


class Maker:
    """A vault in a directory, on a clock that stands at START."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        address = parse_address(f"file://{folder}/store?immutable=no")
        establish(address, None, self.clock, create=True)
        self.store = open_at(address, None, self.clock)
        self.home = folder / "home"
        self.until = START + timedelta(days=40)
        identity, recipient = new_identity()
        kit = RecoveryKit(VAULT, "file:///golden", ROOT, ROOT.public_hex, (identity,))
        (folder / "recovery.kit").write_text(kit.text())
        self.charter = Charter(
            vault=VAULT,
            number=1,
            previous="",
            created_at=START,
            root=ROOT.public_hex,
            recipients=(recipient,),
            members=(Member(WRITER.public_hex, "writer", "golden", START),),
            environments={"production": EnvironmentTerms("protected", 48 * 3600)},
            keep=Keep(),
            min_lock_seconds=30 * 86400,
            max_lock_seconds=400 * 86400,
            final_lock_seconds=30 * 86400,
        )
        store_charter(self.store, self.charter, ROOT, self.until)
        self.previous = ""
        self.log = Frontier()
        self.waiting: list[AuditEntry] = []

    def tell(self, kind: EventType, **changes: object) -> None:
        """Append an event of the volume."""
        self.clock.advance(timedelta(minutes=1))
        plain = Event(
            id=new_id("evt", self.clock.now()),
            vault=VAULT,
            type=kind,
            volume=VOLUME,
            at=self.clock.now(),
            actor=Actor("human", "golden"),
            previous=self.previous,
        )
        event = msgspec.structs.replace(plain, **changes)
        stored = append_event(self.store, WRITER, event, self.until)
        self.previous = digest_of(stored.key) or ""
        self.enter(EntryKind.TRANSITION, event=stored.key, type=kind.value)

    def enter(self, kind: EntryKind, **body: object) -> None:
        """Let an entry wait for the audit log."""
        self.clock.advance(timedelta(seconds=1))
        caller, at = Caller("human", "golden", "uid"), self.clock.now()
        entry = AuditEntry(
            id=new_id("aud", at),
            at=at,
            uptime=float(len(self.waiting)),
            kind=kind,
            caller=caller,
            environment="production",
            volume=VOLUME,
            body=body,
        )
        self.waiting.append(entry)

    def commit(self) -> None:
        """Bring what waits into the store, as one segment."""
        leaves = [encode_entry(entry) for entry in self.waiting]
        record = seal_segment(VAULT, write_segment(VAULT, self.log, leaves, WRITER), WRITER)
        put_segment(self.store, WRITER.key_id, self.log.size, record, self.until)
        self.log = self.log.grown(map(leaf_hash, leaves))
        self.waiting.clear()

    def stamp(self, service: Authority) -> None:
        """Let a service see the log as it is, and store its answer."""
        checkpoint = Checkpoint(origin_of(VAULT, WRITER.key_id), self.log.size, self.log.root())
        note = sign_checkpoint(checkpoint, WRITER)
        reply = service.answer(timestamp.make_query(note.encode()).der)
        put_stamp(self.store, WRITER, VAULT, (checkpoint, note, reply), self.until)

    def record(
        self, tree: Tree, parent: SnapshotRecord | None, final_for: str = ""
    ) -> SnapshotRecord:
        """Take a snapshot."""
        self.clock.advance(timedelta(hours=1))
        parts = WriterParts(
            store=self.store,
            charter=self.charter,
            keys=KEYS,
            index=LocalIndex(self.home / "index.db"),
            clock=self.clock,
            home=self.home,
            progress=Silent(),
        )
        source = {"kind": "directory", "device": "2049", "inode": "2"}
        facts = VolumeFacts(VOLUME, "golden", "production", "directory", source, Keep(), final_for)
        with Recording(parts, facts, parent=parent, retain_until=self.until) as recording:
            for path in sorted(tree, key=order_key):
                now, data = tree[path]
                if not recording.keep(now):
                    recording.add(now, recording.write(iter([data])) if data else None)
            return recording.commit([Finding("changing", b"large", "an example of a finding")])


def make(folder: Path) -> None:
    """Make everything below `folder`: `store`, `recovery.kit`, `tsa-root.pem`."""
    maker, service = Maker(folder), make_authority()
    maker.tell(EventType.VOLUME_ADDED, details={"location": "/golden"})
    maker.commit()
    maker.stamp(service)
    one = maker.record(TREES[0], None)
    two = maker.record(TREES[1], one)
    maker.enter(EntryKind.REQUEST, verb="delete", decision="allow", reason="golden", task="G-1")
    for kind in (EventType.DELETE_REQUESTED, EventType.QUARANTINE_STARTED, EventType.QUARANTINED):
        maker.tell(kind, tombstone=TOMBSTONE, reason="golden", task="G-1")
    maker.commit()
    three = maker.record(TREES[2], two, TOMBSTONE)
    details = {"snapshot": three.header.id}
    maker.tell(EventType.FINAL_SNAPSHOT, tombstone=TOMBSTONE, details=details)
    maker.enter(EntryKind.FROZEN, name="deploy-bot", reason="golden")
    maker.commit()
    maker.stamp(service)
    shutil.copy(service.root, folder / "tsa-root.pem")
    shutil.rmtree(service.folder)


def describe(tree: Iterator[tuple[Entry, bytes]]) -> list[str]:
    """A line for each entry: all of it, and the digest of its content."""
    lines = []
    for item, data in sorted(tree, key=lambda pair: order_key(pair[0].path)):
        fields = [getattr(item, name) for name in item.__struct_fields__]
        lines.append(f"{fields!r} {plain_digest(data).hex()[:32]}")
    return lines


def main(number: str) -> int:
    """Freeze the present format as v<number>."""
    frozen = HERE / f"v{number}.tar.gz"
    if frozen.exists():
        sys.stderr.write(f"{frozen} is frozen already.\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        with tarfile.open(frozen, "w:gz", format=tarfile.PAX_FORMAT) as tar:
            for name in ("recovery.kit", "store", "tsa-root.pem"):
                tar.add(Path(folder, name), name)
    lines = {f"{n}": describe(iter(tree.values())) for n, tree in enumerate(TREES, 1)}
    text = msgspec.json.format(msgspec.json.encode(lines), indent=1)
    (HERE / f"v{number}.json").write_bytes(text + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
