#!/usr/bin/env python3
"""Restore snapshots from a store and a recovery kit alone, without vault.

    rescue.py --store URL --kit FILE                          list the snapshots
    rescue.py --store URL --kit FILE --volume NAME --to DIR   restore the newest of a volume
    rescue.py --store URL --kit FILE --snapshot ID --to DIR   restore this one

Needs Python 3.11 and: pip install boto3 blake3 zstandard cryptography pyrage msgspec. Credentials
for s3:// are found as boto3 finds them. Numbers in brackets are sections of docs/format.md.
"""

# fmt: off
from __future__ import annotations

import json
import os
import struct
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import msgspec
import pyrage
import zstandard
from blake3 import blake3
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MOST = 64 << 20  # bytes of any one object [2]
DIRECTORY, SYMLINK, NODES = 1, 2, {3: 0o010000, 4: 0o020000, 5: 0o060000, 6: 0o140000}
FIELDS = "path kind mode uid gid mtime size ctime ino dev n link target rdev attrs segments torn"
FEW, CHUNK = msgspec.Meta(max_length=8192), tuple[bytes, int, int, int, int, int, bool]
OF = {"path": bytes, "segments": Annotated[list[tuple[int, int]], FEW] | None}
Entry = msgspec.defstruct("Entry", [(f, OF.get(f, Any)) for f in FIELDS.split()], array_like=True)
ROW = tuple[Entry, Annotated[list[tuple[int, int, int]], FEW], int, int]
PAGE, TABLE = tuple[list[Any], list[CHUNK], list[ROW]], tuple[list[Any], list[tuple[bytes, CHUNK]]]
Record = namedtuple("Record", "key header head tail stored_at")  # noqa: PYI024
UNREAD = (LookupError, ValueError, TypeError, OSError, RecursionError, ClientError,
          msgspec.DecodeError, struct.error, zstandard.ZstdError, InvalidSignature, InvalidTag,
          pyrage.DecryptError)

class Files:
    """A file:// store: `objects/<key>`, later versions beside it as `<key>~<n>`."""
    def __init__(self, url: str) -> None:
        self.root = Path(unquote(urlsplit(url).path)) / "objects"

    def versions(self, prefix: str) -> Iterator[tuple[datetime, str, str]]:
        for path in (self.root / prefix.rpartition("/")[0]).rglob("*"):
            key = path.relative_to(self.root).as_posix().partition("~")[0]
            if key.startswith(prefix) and path.is_file():
                yield datetime.fromtimestamp(path.stat().st_mtime % 2**37, UTC), key, str(path)

    def read(self, key: str, start: int, length: int, version: str = "") -> bytes:
        with open(version or self.root / key, "rb") as file:
            file.seek(start)
            return file.read(length)

class Bucket:
    """An s3:// store."""
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        option = dict(parse_qsl(parts.query)).get
        place = {"endpoint_url": option("endpoint"), "region_name": option("region")}
        self.client: Any = boto3.client("s3", **place, verify=option("ca"))
        self.bucket, self.prefix = parts.netloc, (unquote(parts.path).strip("/") + "/").lstrip("/")

    def versions(self, prefix: str) -> Iterator[tuple[datetime, str, str]]:
        pages = self.client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
            for item in page.get("Versions", ()):  # and no delete markers
                yield item["LastModified"], item["Key"][len(self.prefix) :], item["VersionId"]

    def read(self, key: str, start: int, length: int, version: str = "") -> bytes:
        where: Any = {"Bucket": self.bucket, "Key": self.prefix + key}
        where |= {"VersionId": version} if version else {}
        answer = self.client.get_object(**where, Range=f"bytes={start}-{start + length - 1}")
        return bytes(answer["Body"].read())

def unseal(context: str, secret: bytes, number: int, bound: bytes, data: bytes) -> bytes:
    key = blake3(secret, derive_key_context=context).digest()
    return AESGCM(key).decrypt(number.to_bytes(12, "big"), data, bound)

class Vault:
    """A store read with a kit."""
    def __init__(self, store: Files | Bucket, kit: str) -> None:
        lines = [line.strip() for line in kit.splitlines()]
        fields = dict(line.split(" ", 1) for line in lines if " " in line and line[0] != "#")
        self.store, self.id = store, fields["vault"]
        self.identities: list[Any] = [
            pyrage.x25519.Identity.from_str(s) for s in lines if s.startswith("AGE-SECRET-KEY-")]
        for block in kit.split("-----BEGIN ")[1:]:
            pem = "-----BEGIN " + block[: block.rindex("-----") + 5] + "\n"
            self.identities.append(pyrage.ssh.Identity.from_buffer(pem.encode()))
        self.sessions, self.chunks, self.whole = {}, {}, ("", b"")
        self.members = [{"key": fields["root-public"], "role": "charter", "revoked_at": None}]
        charters = self.records("charter/", "charter")
        newest = max(charters, key=lambda r: json.loads(r.tail)["number"], default=None)
        if newest is None:
            raise ValueError("no charter that this kit's root key signed is in the store")
        self.members += [m for m in json.loads(newest.tail)["members"] if m["role"] == "writer"]

    def objects(self, prefix: str) -> Iterator[tuple[str, bytes, datetime]]:
        """Objects in order of age: of each the oldest version that hashes to its name [2]."""
        whole = {}
        for at, key, version in sorted(self.store.versions(prefix)):
            if not whole.setdefault(key, False):
                data = self.store.read(key, 0, MOST, version)
                if blake3(data).hexdigest() == key[-64:]:
                    whole[key] = True
                    yield key, data, at
        sys.stderr.writelines(f"damaged: {key}\n" for key in whole if not whole[key])

    def records(self, prefix: str, kind: str) -> Iterator[Record]:
        """What is signed by whom the charter allows [3, 5]; the rest is told and passed over."""
        for key, data, at in self.objects(prefix):
            with spared(f"passed over: {key}", lambda text: print(text, file=sys.stderr)):
                yield self.record(key, kind, data, at)

    def record(self, key: str, kind: str, data: bytes, at: datetime) -> Record:
        magic, version, size = struct.unpack_from(">8sHI", data)
        (length,) = struct.unpack_from(">Q", data, 14 + size)
        if (magic, version, 22 + size + length + 64) != (b"VAULTREC", 1, len(data)):
            raise ValueError("not a record that this program reads")
        header, body = json.loads(data[14 : 14 + size]), data[22 + size : -64]
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(header["key"]))
        signer.verify(data[-64:], data[:-64])
        role = "charter" if kind == "charter" else "writer"
        ends = [m["revoked_at"] for m in self.members
                if (m["key"], m["role"]) == (header["key"], role)]
        if not any(end is None or at < datetime.fromisoformat(end) for end in ends):
            raise ValueError("signed by none whom the charter allows")
        if (header["kind"], header["vault"], header.get("features")) != (kind, self.id, []):
            raise ValueError(f"of another kind or vault, or needs a newer program: {header}")
        open_end = 4 + struct.unpack_from(">I", body)[0] if role == "writer" else 0
        return Record(key, header, body[4:open_end], body[open_end:], at)

    def keys(self, session: str) -> dict[str, Any]:
        """The keys of a session [6]."""
        if session not in self.sessions:
            for found in self.records(f"keys/{session}-", "session"):
                keys = json.loads(pyrage.decrypt(found.tail, self.identities))
                if {session, self.id, found.header["key"]} <= {*keys.values()}:
                    break
            else:
                raise ValueError(f"the keys of {session} are gone")
            self.sessions[session] = keys
        return self.sessions[session]

    def chunk(self, ref: list[Any], kind: int) -> bytes:
        """A chunk by its ref, proven; from the authentic version where another lies on top [7]."""
        name, pack, (start, length) = ref[0] + bytes([kind]), ref[1][0].hex(), ref[2][2:4]
        if name not in self.chunks:
            key = f"packs/{pack[:2]}/{pack}"
            try:
                data = self.open(ref, kind, self.store.read(key, start, length))
            except UNREAD:
                if self.whole[0] != key:
                    self.whole = key, {k: d for k, d, _ in self.objects(key)}.get(key, b"")
                data = self.open(ref, kind, self.whole[1][start : start + length])
            self.chunks = dict([*self.chunks.items()][-15:]) | {name: data}
        return self.chunks[name]

    def open(self, ref: list[Any], kind: int, sealed: bytes) -> bytes:
        name, (_, session, salt), (_, number, _, _, size, compressed) = ref
        keys, vault = self.keys(session), blake3(self.id.encode()).digest(length=16)
        bound = vault + salt + struct.pack(">Q", number) + name + bytes([kind])
        secret = bytes.fromhex(keys["data_key"]) + salt
        data = unseal("vault 2026-11 pack key", secret, number, bound, sealed)
        if compressed:
            if size > 16 << 20 or zstandard.frame_content_size(data) != size:
                raise ValueError("a chunk is not of its size")
            data = zstandard.ZstdDecompressor().decompress(data)
        if blake3(data, key=bytes.fromhex(keys["chunk_id_key"])).digest() != name:
            raise ValueError("a chunk is not what its id says")
        return data

    def page(self, ref: list[Any], parts: list[Any]) -> Iterator[tuple[bytes, Entry, Any]]:
        packs, chunks, rows = msgspec.msgpack.decode(self.chunk(ref, 1), type=PAGE)
        refs = [to_ref(packs, chunk) for chunk in chunks]
        for entry, extents, part, count in rows:
            del parts[part if {e.path for e, _ in parts} <= {entry.path} else 0 :]
            pieces = [(refs[c], at, size) for c, at, size in extents]
            parts += [(entry, pieces)] if part == len(parts) else []
            if len(parts) == count:
                entry.segments = parts[0][0].segments and [s for e, _ in parts for s in e.segments]
                yield entry.path, entry, [piece for _, pieces in parts for piece in pieces]
                parts.clear()

    def entries(self, record: Record, lost: list[str]) -> Iterator[tuple[Entry, list[Any]]]:
        """Entries with their pieces [ref, offset, length], in order [8, 9, 10]."""
        keys = self.keys(json.loads(record.head)["session"])
        if keys["writer"] != record.header["key"]:
            raise ValueError("the snapshot and its session have different signers")
        secret, about = bytes.fromhex(keys["data_key"]) + record.tail[:32], blake3(record.head)
        plain = unseal("vault 2026-11 snapshot body", secret, 0, about.digest(), record.tail[32:])
        parts, path, place, met = [], b"", b"", set()
        for part in msgspec.msgpack.decode(plain)["table"]:
            with spared(f"the entries after {os.fsdecode(path)!r}", lost.append):
                packs, rows = msgspec.msgpack.decode(self.chunk(part, 2), type=TABLE)
                for first, row in rows:
                    if row[0] in met or (order := first.replace(b"/", b"\0")) < place:
                        return lost.append(f"the entries after {os.fsdecode(path)!r}: not in order")
                    path, place, _ = first, order, met.add(row[0])
                    with spared(f"the entries from {os.fsdecode(path)!r} on", lost.append):
                        for path, entry, pieces in self.page(to_ref(packs, row), parts):  # noqa: B007
                            yield entry, pieces

@contextmanager
def spared(what: str, tell: Callable[[str], Any]) -> Iterator[None]:
    try:
        yield
    except UNREAD as error:
        tell(f"{what}: {error!r}")

def to_ref(packs: list[Any], row: list[Any]) -> list[Any]:
    return [row[0], packs[row[1]], [packs[row[1]][0], *row[2:]]]

def place_of(root: bytes, made: dict[bytes, Any], path: bytes, gap: bool) -> bytes:
    """Where to make one: below a directory that this program has made, so through no symlink.
    Behind a gap [9] those above it are made, closed to others, whose own entries are lost."""
    above, _, name = path.rpartition(b"/")
    sound = name not in (b"", b".", b"..") and b"\0" not in name
    if gap and path and sound and above not in made:
        os.mkdir(place_of(root, made, above, gap), 0o700)
        made[above] = None
    if path and not (sound and above in made):
        raise ValueError("its path is not below a directory of this snapshot")
    return os.path.join(root, path)

def write(root: bytes, made: dict[bytes, Any], entry: Entry, blocks: Any, gap: bool) -> None:
    path = place_of(root, made, entry.path, gap)
    if entry.kind == DIRECTORY:
        os.makedirs(path, exist_ok=not entry.path)
        made[entry.path] = entry
    elif entry.link is not None:
        os.link(place_of(root, made, entry.link, False), path, follow_symlinks=False)
    elif entry.kind == SYMLINK:
        os.symlink(entry.target, path)
    elif entry.kind in NODES:
        os.mknod(path, NODES[entry.kind] | 0o600, entry.rdev)
    else:
        fill(path, entry, blocks)
    if entry.kind != DIRECTORY and entry.link is None:
        dress(path, entry)

def fill(path: bytes, entry: Entry, blocks: Iterator[bytes]) -> None:
    left = b""
    with open(path, "xb") as file:
        try:
            for start, length in [(0, entry.size)] if entry.segments is None else entry.segments:
                file.seek(start if min(length, start - file.tell()) >= 0 else -1)  # or ValueError
                while length and (left := left or next(blocks, b"")):
                    size = file.write(left[:length])
                    left, length = left[size:], length - size
                if length and not entry.torn:
                    raise ValueError("its content is shorter than it should be")
            file.truncate(entry.size)
        except UNREAD:
            os.unlink(path)
            raise

def dress(path: bytes, entry: Entry) -> None:
    if os.geteuid() == 0:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != SYMLINK:
        os.chmod(path, entry.mode)
    for name, value in entry.attrs:
        os.setxattr(path, name, value, follow_symlinks=False)
    os.utime(path, ns=(entry.mtime, entry.mtime), follow_symlinks=False)

def restore(vault: Vault, record: Record, to: str) -> int:
    """Restore all that can be; returns the exit status: 3 where something is missing."""
    lost, made, told = [], {b"": None}, 0
    os.makedirs(root := os.fsencode(to), 0o700)
    for entry, pieces in vault.entries(record, lost):
        with spared(repr(os.fsdecode(entry.path)), lost.append):
            blocks = (vault.chunk(ref, 0)[at : at + size] for ref, at, size in pieces)
            write(root, made, entry, blocks, len(lost) > told)
        told = len(lost)
    bare = "its own entry is lost: made anew for its owner alone, its mode, owner, times not known"
    lost += [f"{os.fsdecode(path)!r}: {bare}" for path, entry in made.items() if not entry]
    for path, entry in reversed([item for item in made.items() if item[1]]):
        with spared(repr(os.fsdecode(path)), lost.append):
            dress(os.path.join(root, path), entry)
    sys.stderr.writelines(f"not whole: {text}\n" for text in lost)
    return 3 if lost else 0

def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--list"]
    given = dict(zip(words[::2], words[1::2], strict=False))
    needed, known = {"--store", "--kit"}, {"--store", "--kit", "--volume", "--snapshot", "--to"}
    if len(words) % 2 or not needed <= given.keys() <= known:
        sys.exit(__doc__)
    place = Bucket if given["--store"].startswith("s3:") else Files
    vault = Vault(place(given["--store"]), Path(given["--kit"]).read_text())
    records = [(json.loads(r.head), r) for r in vault.records("snapshots/", "snapshot")]
    found = [(h, r) for h, r in records if r.key[:-65] == f"snapshots/{h['volume']}/{h['id']}"]
    names = {given.get("--volume"), given.get("--snapshot")} - {None}
    if not names or "--to" not in given:
        for head, record in found:
            print(head["id"], record.stored_at, head["volume_name"], head["files"], head["bytes"])
        return 2 if names else 0
    chosen = [r for h, r in found if names & {h["id"], h["volume"], h["volume_name"]}]
    return restore(vault, chosen[-1], given["--to"]) if chosen else sys.exit("no such snapshot")

if __name__ == "__main__":
    with spared("this cannot be read", sys.exit):
        sys.exit(main())
