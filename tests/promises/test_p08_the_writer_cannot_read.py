"""P8: with everything of the daemon's in hand, and no kit, no content can be read.

The attacker has $VAULT_HOME, the writer's credential, the whole bucket, the program and, which is
generous, every secret in the home that it knows how to read. He may learn names and sizes.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from tests.promises.scenes import Scene, make_scene
from tests.rgw import fresh_bucket
from vault.codec.chunker import cut
from vault.codec.compressor import compress
from vault.codec.keyring import SessionKeys, recipient_of
from vault.errors import Corrupt, KitMissing, KitWrong
from vault.library import Vault
from vault.operations import homes
from vault.repository.baseline import baseline_path, read_baseline
from vault.repository.manifest import StoredEntry
from vault.repository.pack import ChunkKind, ChunkRef, read_table, unseal_chunk
from vault.repository.pages import read_page
from vault.repository.sessions import SessionRing
from vault.store.names import content_digest, pack_key
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_FRAME = b"\x28\xb5\x2f\xfd"  # begins what zstd has compressed
_COMMANDS = (("ls", "db@latest"), ("cat", "db@latest", "short"), ("rehearse", "db"))


@dataclass(frozen=True)
class Loot:
    """What the attacker has, and what he looks for."""

    scene: Scene
    home: dict[str, bytes]
    bucket: dict[str, bytes]
    contents: dict[str, bytes]  # of the volume's files, by name

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the home and every object."""
        yield from self.home.items()
        yield from self.bucket.items()

    def entries(self) -> dict[bytes, StoredEntry]:
        """What the writer's own keys open: its memory of the last manifest."""
        keys = homes.read_writer_keys(self.scene.home())
        with self.scene.vault() as vault:
            item = vault.snapshots("db")[-1]  # the daemon may have taken another
            volume = vault.volume("db").id
        read = read_baseline(baseline_path(self.scene.home(), volume), keys, item.id)
        assert read is not None
        with closing(read):
            return {stored.path: stored for frame in read for stored in read_page(frame.body)}


@pytest.fixture(scope="module")
def loot(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Loot:
    """A volume of canaries, one snapshot of it, and all that the daemon leaves behind."""
    scene = make_scene(fresh_bucket(rgw), tmp_path_factory.mktemp("p08"), tree=False)
    word = secrets.token_hex(16).encode()
    contents = {
        "short": b"a short secret: " + word,
        "lines": b"".join(b"%06d the canary %s sings\n" % (n, word) for n in range(60_000)),
        "noise": secrets.token_bytes(2_500_000),
        f"name-{word.decode()}": b"its name is a secret, too, to the bucket",
    }
    for name, data in contents.items():
        (scene.source / name).write_bytes(data)
    scene.snapshot()
    assert scene.run("daemon", "--once", "--listen", "").returncode == 0
    assert not (scene.home() / "recovery.kit").exists()
    home = {
        str(path.relative_to(scene.home())): path.read_bytes()
        for path in scene.home().rglob("*")
        if path.is_file()
    }
    assert {"keys/writer.key", "catalog.db", "index.db", "vault.toml"} <= home.keys()
    writer, where = scene.client("writer"), {"Bucket": scene.bucket.name}
    bucket = {
        version["Key"].removeprefix("main/"): writer.get_object(
            **where, Key=version["Key"], VersionId=version["VersionId"]
        )["Body"].read()
        for version in scene.versions("writer")
    }
    assert {key.partition("/")[0] for key in bucket} >= {"keys", "packs", "snapshots", "index"}
    return Loot(scene, home, bucket, contents)


def test_no_content_lies_open(loot: Loot) -> None:
    """Neither plain, nor compressed, nor by a digest that would prove a guess."""
    needles = dict(_needles(loot))
    assert all(any(f"of {name}" in what for what in needles) for name in loot.contents)
    assert any(what.endswith("compressed") for what in needles)
    found = [
        f"{what} in {place}"
        for place, data in loot.everything()
        for what, needle in needles.items()
        if needle in data
    ]
    assert found == []
    frames = [
        f"a frame of {len(plain)} bytes in {place}"
        for place, data in loot.everything()
        for plain in _frames(data)
        if any(needle in plain for needle in needles.values())
    ]
    assert frames == []
    name = next(name for name in loot.contents if name.startswith("name-")).encode()
    assert [key for key, data in loot.bucket.items() if name in data or name in key.encode()] == []


def _needles(loot: Loot) -> Iterator[tuple[str, bytes]]:
    for name, data in loot.contents.items():
        start = 0
        for number, length in enumerate(cut(data)):
            chunk = data[start : start + length]
            start += length
            digest = content_digest(chunk)
            yield f"the digest of chunk {number} of {name}", bytes.fromhex(digest)
            yield f"the digest of chunk {number} of {name}, in hex", digest.encode()
            shrunk, packed = compress(chunk)
            if shrunk and (piece := _distinctive(bytes(packed))):
                yield f"chunk {number} of {name}, compressed", piece
            for at in range(0, length - 24, max(24, length // 4)):
                yield f"{name}, from byte {start - length + at}", chunk[at : at + 24]


def _distinctive(packed: bytes) -> bytes | None:
    """32 bytes that no file has by chance: what repeats itself shrinks to runs of zeros, too."""
    pieces = (packed[at : at + 32] for at in range(len(packed) // 2, len(packed) - 31))
    return next((piece for piece in pieces if len(set(piece)) >= 20), None)


def _frames(data: bytes) -> Iterator[bytes]:
    """Whatever anywhere in some bytes expands."""
    at = data.find(_FRAME)
    while at >= 0:
        with suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[at : at + (1 << 22)])
        at = data.find(_FRAME, at + 1)


def test_no_key_in_reach_opens_a_chunk(loot: Loot) -> None:
    """Every 32 bytes in the home and in the bucket's records, raw or in hex, are tried."""
    entries = loot.entries()
    ref = entries[b"short"].extents[0].chunk
    data = loot.bucket[pack_key(ref.place.pack.hex())]
    keys = homes.read_writer_keys(loot.scene.home())
    records = {key: data for key, data in loot.bucket.items() if not key.startswith("packs/")}
    candidates = {*_candidates(loot.home), *_candidates(records)}
    assert {keys.signing.seed, keys.chunk_id_key, keys.index_key} <= candidates
    opened = [key for key in candidates if _opens(key, keys.vault, ref, data)]
    assert opened == []

    # The same trial opens it with the kit, so it is the key that the attacker lacks.
    with loot.scene.vault() as vault:
        unit = vault._reading
        kit = homes.read_kit(loot.scene.kit)
        true = SessionRing(unit.reader, unit.charter, kit.identities).key(ref.head.session)
    assert _opens(true.data_key, keys.vault, ref, data)
    _, chunks = read_table(data, keys.vault, lambda _: true)
    assert any(chunk.chunk_id == ref.chunk_id for chunk in chunks)
    assert true.data_key not in candidates


def _candidates(files: dict[str, bytes]) -> Iterator[bytes]:
    for data in files.values():
        for found in _HEX.findall(data):
            yield bytes.fromhex(found.decode())
        for at in range(len(data) - 31):
            yield data[at : at + 32]


def _opens(key: bytes, vault: str, ref: ChunkRef, pack: bytes) -> bool:
    """Whether a chunk opens with these 32 bytes as its session's data key."""
    place = ref.place
    session = SessionKeys(ref.head.session, "", key, key, key)
    piece = memoryview(pack)[place.offset : place.offset + place.length]
    try:
        unseal_chunk(session, vault, ref, kind=ChunkKind.DATA, ciphertext=piece)
    except Corrupt:
        return False
    return True


def test_no_identity_is_in_the_home(loot: Loot) -> None:
    """The sessions' keys are sealed to the kit alone, and nothing here opens them."""
    identity = homes.read_kit(loot.scene.kit).identities[0]
    with loot.scene.vault() as vault:
        assert vault._reading.charter.recipients == (recipient_of(identity),)
    for place, data in loot.everything():
        assert b"AGE-SECRET-KEY" not in data.upper(), place
        assert b"PRIVATE KEY" not in data, place
        assert b"root-secret" not in data, place
    root = homes.read_kit(loot.scene.kit).root
    assert root is not None
    assert root.seed not in set(_candidates(loot.home))


def test_the_writer_knows_names_and_sizes_and_no_more(loot: Loot) -> None:
    """What its own keys open is metadata: said here, so that it is not a surprise."""
    entries = loot.entries()
    sizes = {name.encode(): len(data) for name, data in loot.contents.items()}
    assert {path: e.entry.size for path, e in entries.items() if path} == sizes
    told = repr(entries).encode()
    assert not any(data[:24] in told for data in loot.contents.values())


def test_every_command_asks_for_the_kit(loot: Loot, tmp_path: Path) -> None:
    scene = loot.scene
    Vault.init(tmp_path / "other", store=f"file://{tmp_path}/store?immutable=no")
    stranger = tmp_path / "other" / "recovery.kit"
    ours, theirs = scene.kit.read_text().splitlines(), stranger.read_text().splitlines()
    lines = [line for line in ours if not line.startswith("AGE-")]
    mixed = tmp_path / "mixed.kit"
    mixed.write_text("\n".join([*lines, *(li for li in theirs if li.startswith("AGE-"))]) + "\n")
    back = tmp_path / "back"
    restore = ("restore", "db", "--to", str(back))
    for words in (*_COMMANDS, restore):
        for kit, error in (
            ((), KitMissing),
            (("--kit", str(stranger)), KitWrong),
            (("--kit", str(mixed)), KitWrong),
        ):
            done = scene.run(*words, *kit, "--json")
            assert done.returncode == error.status, (words, kit, done)
            assert json.loads(done.stderr.splitlines()[-1])["code"] == error.code
            assert not any(data[:24] in done.stdout.encode() for data in loot.contents.values())
            assert not back.exists()
    with_kit = scene.run(*restore, "--kit", str(scene.kit))
    assert with_kit.returncode == 0, with_kit.stderr
    assert {path.name: path.read_bytes() for path in back.iterdir()} == loot.contents
    shutil.rmtree(back)
