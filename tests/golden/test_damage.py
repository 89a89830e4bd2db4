"""The frozen repository, damaged in each way: what is read is right, what is lost is named.

For every damage the table says what becomes of the newest snapshot. Whatever it is, no wrong byte
comes out, of the library or of scripts/rescue.py. The damaged repositories are made at test time
from the newest version that is frozen; test_every_damage.py damages the former ones, too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.golden.make import KEYS, ROOT, VAULT, VOLUME
from tests.golden.reading import VERSIONS, Golden, differences, present
from vault.audit.entry import encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.codec.envelope import parse, sign
from vault.codec.signing import SigningKey
from vault.errors import VaultMissing
from vault.provider import Kind
from vault.repository.audit_log import seal_segment, stem
from vault.repository.charter import store_charter
from vault.repository.pack import ChunkRef
from vault.store.names import digest_of, named
from vault.testing.clock import START

STRANGER: Final = SigningKey(b"a stranger's seed, of 32 bytes.."[:32])
UNTIL: Final = START + timedelta(days=90)
NEWEST: Final = VERSIONS[-1]


@dataclass(frozen=True)
class Damage:
    """One way to damage it.

    Outcomes for the newest snapshot: `same` (read whole), `some` (files lost, the rest whole),
    `pages` (entries lost, or all), `gone` (no such snapshot any more), `none` (no vault).
    `notes` are words that the library notes at least.
    """

    name: str
    do: Callable[[Golden], None]
    outcome: str
    notes: frozenset[str] = field(default_factory=frozenset)


def objects(golden: Golden, prefix: str) -> list[Path]:
    """Files of objects, oldest first."""
    root = golden.folder / "store" / "objects"
    keys = sorted({version.key for version in golden.store.list(prefix)})
    return sorted((root / key for key in keys), key=lambda path: (path.stat().st_mtime, path))


def change(path: Path, data: bytes) -> None:
    """Overwrite a file as a failing medium would: with its date."""
    times = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def flip(path: Path, at: float = 0.5) -> None:
    """One bit, at a fraction of the file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 4
    change(path, bytes(data))


def kept_packs(golden: Golden, kind: str) -> list[Path]:
    """Packs of the newest snapshot: of `data`, `pages` or the `table`, largest first."""
    record = golden.snapshots()[-1]
    with golden.reader(record) as reader:
        data = {e.chunk.head.digest.hex() for s in reader.entries() for e in s.extents}
        pages = {r.head.digest.hex() for r in reader._page_refs(b"") if isinstance(r, ChunkRef)}
        table = {ref.head.digest.hex() for ref in reader._table_refs()}
    chosen = {"data": data, "pages": pages - data, "table": table - pages}[kind]
    paths = [path for path in objects(golden, "packs/") if path.name in chosen]
    return sorted(paths, key=lambda path: path.stat().st_size, reverse=True)


def first(kind: str, how: Callable[[Path], None]) -> Callable[[Golden], None]:
    """Damage the largest pack of a kind."""
    return lambda golden: how(kept_packs(golden, kind)[0])


def newest(prefix: str, how: Callable[[Path], None]) -> Callable[[Golden], None]:
    """Damage the object stored last under a prefix."""
    return lambda golden: how(objects(golden, prefix)[-1])


def truncate(path: Path) -> None:
    """The first half is left."""
    change(path, path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    """Nothing is left."""
    change(path, b"")


def flip_pages(golden: Golden) -> None:
    """Bits in every pack of pages: which of its pages the snapshot still uses is not plain."""
    for path in kept_packs(golden, "pages"):
        for at in (0.2, 0.4, 0.6):
            flip(path, at)


def swap_packs(golden: Golden) -> None:
    """Two packs under each other's names."""
    one, two = kept_packs(golden, "data")[:2]
    first_data, second_data = one.read_bytes(), two.read_bytes()
    change(one, second_data)
    change(two, first_data)


def swap_snapshots(golden: Golden) -> None:
    """The first snapshot's object under the last one's name."""
    one, *_, last = objects(golden, "snapshots/")
    change(last, one.read_bytes())


def overwrite_all(golden: Golden) -> None:
    """A newer version over every object: what a stolen writer's credential can do."""
    for path in objects(golden, ""):
        key = path.relative_to(golden.folder / "store" / "objects").as_posix()
        golden.store.put(key, b"forged", UNTIL)


def put_record(golden: Golden, stem: str, data: bytes) -> None:
    """Store a record under its proper name."""
    golden.store.put(named(stem, data), data, UNTIL)


def forge_snapshot(golden: Golden) -> None:
    """A well-formed newer snapshot, signed by nobody of the charter."""
    body = parse(objects(golden, "snapshots/")[0].read_bytes()).body
    data = sign("snapshot", VAULT, body, STRANGER)
    put_record(golden, f"snapshots/{VOLUME}/{golden.snapshots()[-1].header.id}", data)


def misplace_snapshot(golden: Golden) -> None:
    """An authentic snapshot under another id."""
    data = objects(golden, "snapshots/")[0].read_bytes()
    put_record(golden, f"snapshots/{VOLUME}/snap_7zzzzzzzzzzzzzzzzzzzzzzzzz", data)


def snapshot_of_the_future(golden: Golden) -> None:
    """An authentic snapshot that needs a feature of later."""
    body = parse(objects(golden, "snapshots/")[0].read_bytes()).body
    data = sign("snapshot", VAULT, body, KEYS.signing, features=("later",))
    put_record(golden, f"snapshots/{VOLUME}/{golden.snapshots()[0].header.id}", data)


def forge_charter(golden: Golden) -> None:
    """A newer charter by a stranger, naming the stranger."""
    charter = golden.charter()
    changes = {"number": 2, "previous": "0" * 64, "root": STRANGER.public_hex, "members": ()}
    store_charter(golden.store, msgspec.structs.replace(charter, **changes), STRANGER, UNTIL)


def revoke_from_the_start(golden: Golden) -> None:
    """The root revokes the writer as of before its first record."""
    charter = golden.charter()
    member = msgspec.structs.replace(charter.members[0], revoked_at=START)
    previous = digest_of(objects(golden, "charter/")[0].name) or ""
    changes = {"number": 2, "previous": previous, "members": (member,)}
    store_charter(golden.store, msgspec.structs.replace(charter, **changes), ROOT, UNTIL)


def forge_session(golden: Golden) -> None:
    """Other keys for the newest session, signed by a stranger, and older than the real ones."""
    path = objects(golden, "keys/")[-1]
    data = sign("session", VAULT, parse(path.read_bytes()).body, STRANGER)
    session = path.name[:31]
    put_record(golden, f"keys/{session}", data)
    forged = golden.folder / "store" / "objects" / named(f"keys/{session}", data)
    os.utime(forged, (0, 0))


def lose_index(golden: Golden) -> None:
    """All index objects: only a cache."""
    shutil.rmtree(golden.folder / "store" / "objects" / "index")


def swap_sessions(golden: Golden) -> None:
    """The first session's keys under the last one's name."""
    one, *_, last = objects(golden, "keys/")
    change(last, one.read_bytes())


def swap_segments(golden: Golden) -> None:
    """The first segment of the audit log under the last one's name."""
    one, *_, last = objects(golden, "audit/")
    change(last, one.read_bytes())


def replay_segment(golden: Golden) -> None:
    """The first segment of the audit log once more, behind the last."""
    log = KEYS.signing.key_id
    end = len(golden.entries())
    put_record(golden, stem(log, end), objects(golden, "audit/")[0].read_bytes())


def fork_log(golden: Golden) -> None:
    """Another history, by the log's own key."""
    entry = msgspec.structs.replace(golden.entries()[0], volume="another")
    body = write_segment(VAULT, Frontier(), [encode_entry(entry)], KEYS.signing)
    put_record(golden, stem(KEYS.signing.key_id, 0), seal_segment(VAULT, body, KEYS.signing))


def forge_segment(golden: Golden) -> None:
    """What a stranger would like to have been entered."""
    entry = msgspec.structs.replace(golden.entries()[-1], body={"name": "another"})
    body = write_segment(VAULT, Frontier(), [encode_entry(entry)], STRANGER)
    put_record(golden, stem(KEYS.signing.key_id, 0), seal_segment(VAULT, body, STRANGER))


def second(prefix: str, how: Callable[[Path], None]) -> Callable[[Golden], None]:
    """Damage the object stored second under a prefix."""
    return lambda golden: how(objects(golden, prefix)[1])


def double(path: Path) -> None:
    """The same twice over."""
    change(path, path.read_bytes() * 2)


def words(*notes: str) -> frozenset[str]:
    """Notes expected."""
    return frozenset(notes)


TABLE: Final = (
    Damage("nothing", lambda golden: None, "same"),
    Damage("data pack: bit flip", first("data", flip), "some"),
    Damage("data pack: truncated", first("data", truncate), "some"),
    Damage("data pack: emptied", first("data", empty), "some"),
    Damage("data pack: deleted", first("data", Path.unlink), "some"),
    Damage("data packs: swapped", swap_packs, "some"),
    Damage("page packs: bits flipped", flip_pages, "pages"),
    Damage("page pack: deleted", first("pages", Path.unlink), "pages"),
    Damage("table pack: bit flip", first("table", lambda path: flip(path, 0.3)), "pages"),
    Damage("table pack: deleted", first("table", Path.unlink), "pages"),
    Damage("session keys: bit flip", newest("keys/", flip), "pages", words("unreadable")),
    Damage("session keys: deleted", newest("keys/", Path.unlink), "pages"),
    Damage("session keys: forged beside", forge_session, "same", words("unauthentic")),
    Damage("snapshot: bit flip", newest("snapshots/", flip), "gone", words("unreadable")),
    Damage("snapshot: truncated", newest("snapshots/", truncate), "gone", words("unreadable")),
    Damage("snapshot: deleted", newest("snapshots/", Path.unlink), "gone"),
    Damage("snapshots: swapped", swap_snapshots, "gone", words("unreadable")),
    Damage("snapshot: forged beside", forge_snapshot, "same", words("unauthentic")),
    Damage("snapshot: misplaced", misplace_snapshot, "same", words("forged")),
    Damage("snapshot: of the future", snapshot_of_the_future, "same", words("feature-unknown")),
    Damage("charter: bit flip", newest("charter/", flip), "none"),
    Damage("charter: deleted", newest("charter/", Path.unlink), "none"),
    Damage("charter: forged beside", forge_charter, "same", words("unauthentic")),
    Damage("charter: writer revoked", revoke_from_the_start, "gone", words("unauthentic")),
    Damage("everything: overwritten", overwrite_all, "same", words("overwritten")),
    Damage("index: lost", lose_index, "same"),
    Damage("index: bit flip", newest("index/", flip), "same"),
    Damage("event: bit flip", newest("events/", flip), "same"),
    Damage("event: truncated", newest("events/", truncate), "same"),
    Damage("data pack: doubled", first("data", double), "same"),
    Damage("snapshot: doubled", newest("snapshots/", double), "gone", words("unreadable")),
    Damage("session keys: swapped", swap_sessions, "pages", words("unreadable")),
    Damage("session keys: truncated", newest("keys/", truncate), "pages", words("unreadable")),
    Damage("charter: doubled", newest("charter/", double), "none"),
    Damage("audit: bit flip", newest("audit/", flip), "same", words("unreadable")),
    Damage("audit: truncated", newest("audit/", truncate), "same", words("unreadable")),
    Damage("audit: doubled", newest("audit/", double), "same", words("unreadable")),
    Damage("audit: deleted", second("audit/", Path.unlink), "same", words("gap")),
    Damage("audit: swapped", swap_segments, "same", words("unreadable")),
    Damage("audit: replayed", replay_segment, "same", words("forged")),
    Damage("audit: forked", fork_log, "same", words("fork")),
    Damage("audit: forged beside", forge_segment, "same", words("unauthentic")),
)


@pytest.mark.parametrize("damage", TABLE, ids=lambda damage: damage.name)
def test_no_wrong_byte_comes_out(damage: Damage, tmp_path: Path) -> None:
    """Of the library and of rescue.py; and what is lost is told."""
    sound = Golden(NEWEST, tmp_path / "sound")
    name = sound.snapshots()[-1].header.id
    whole, _ = sound.read(sound.snapshots()[-1])
    golden = Golden(NEWEST, tmp_path / "damaged")
    damage.do(golden)
    golden.tampering.clear()
    target = tmp_path / "out"
    done = golden.rescue("--snapshot", name, "--to", str(target))
    if damage.outcome == "none":
        with pytest.raises(VaultMissing):
            golden.snapshots()
    else:
        records = [r for r in golden.snapshots() if r.header.id == name]
        assert bool(records) == (damage.outcome != "gone")
        for record in records:
            _judge_library(damage, golden.read(record), whole)
        golden.entries()
    assert damage.notes <= golden.words()
    below = {path: content for path, content in whole.items() if path}
    assert differences(whole if damage.outcome == "same" else below, target) == []
    restored = present(target) if target.exists() else set()
    _judge_rescue(damage, done.status, done.told, whole.keys() - restored)


def _judge_library(damage: Damage, read: tuple[dict, list[bytes]], whole: dict) -> None:  # type: ignore[type-arg]
    now, lost = read
    assert all(whole[path] == content for path, content in now.items())
    assert bool(lost) == (damage.outcome != "same")
    if damage.outcome == "some":
        assert b"?" not in lost
        assert set(lost) | set(now) == set(whole)
        assert now.keys() > {b"", b"symlink"}
    if damage.outcome == "pages":
        assert b"?" in lost


def _judge_rescue(damage: Damage, status: int, told: str, missing: set[bytes]) -> None:
    devices = {b"block", b"char"} if os.geteuid() else set()
    if damage.outcome == "same":
        assert missing == devices, told
        assert status == (3 if devices else 0), told
    else:
        assert missing > devices, told
        assert status in (1, 3), told
    if damage.outcome == "some":
        assert status == 3
        assert all(os.fsdecode(path).encode("unicode_escape").decode() in told for path in missing)


def test_an_event_that_is_gone_is_noted(tmp_path: Path) -> None:
    """Its successor names it."""
    golden = Golden(NEWEST, tmp_path)
    objects(golden, "events/")[1].unlink()
    assert len(golden.events()) == 4
    assert "gap" in golden.words()


def test_every_kind_of_entry_is_in_it(tmp_path: Path) -> None:
    """So that no kind is forgotten by a damage."""
    golden = Golden(NEWEST, tmp_path)
    whole, _ = golden.read(golden.snapshots()[-1])
    assert {item.kind for item, _ in whole.values()} == set(Kind)
