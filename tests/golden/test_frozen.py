"""Every frozen repository is read whole: by the library, and by the program that needs none."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.make import KEYS, TOMBSTONE
from tests.golden.reading import RESCUE, VERSIONS, Golden, differences, expected, present
from vault.audit.entry import EntryKind
from vault.audit.line import Line
from vault.codec.timestamp import read_certificates
from vault.lifecycle.event import EventType
from vault.operations.stamp import check as check_stamps
from vault.progress import Silent
from vault.repository.audit_log import read_segments
from vault.repository.checker import CheckTerms, check
from vault.repository.index import LocalIndex
from vault.repository.index_objects import sync_index


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    """Each of them."""
    return Golden(request.param, tmp_path)


def test_there_is_one() -> None:
    """The first format is frozen."""
    assert VERSIONS[:1] == ["v1"]


def test_the_library_reads_all_of_it(golden: Golden) -> None:
    """Three snapshots, entry by entry; nothing is reported."""
    records = golden.snapshots()
    assert len(records) == 3
    for number, record in enumerate(records, 1):
        assert golden.lines(record) == expected(golden.version, number)
    assert golden.tampering == []


def test_headers_and_events_say_what_they_said(golden: Golden) -> None:
    """The tombstone, its final snapshot, the order of things."""
    records, events = golden.snapshots(), golden.events()
    assert [record.header.final_for for record in records] == ["", "", TOMBSTONE]
    assert [record.header.parent for record in records[1:]] == [r.header.id for r in records[:2]]
    assert [stored.event.type for stored in events] == [
        EventType.VOLUME_ADDED,
        EventType.DELETE_REQUESTED,
        EventType.QUARANTINE_STARTED,
        EventType.QUARANTINED,
        EventType.FINAL_SNAPSHOT,
    ]
    assert events[-1].event.details == {"snapshot": records[-1].header.id}
    assert golden.tampering == []


def test_the_audit_log_is_whole(golden: Golden) -> None:
    """It tells of every event, in order; of v1's time there was none."""
    entries = golden.entries()
    told = [entry.body["event"] for entry in entries if entry.kind is EntryKind.TRANSITION]
    assert told == ([stored.key for stored in golden.events()] if golden.version != "v1" else [])
    assert [entry.kind for entry in entries if entry.kind is not EntryKind.TRANSITION] == (
        [EntryKind.REQUEST, EntryKind.FROZEN] if golden.version != "v1" else []
    )
    assert golden.tampering == []


def test_the_time_stamps_count(golden: Golden) -> None:
    """By the certificate that was valid then; of the time of v1 and v2 there were none."""
    line, stamps = Line(""), golden.stamps()
    for stored in read_segments(golden.store, golden.charter(), golden.tampering):
        line.add(stored.key, stored.segment)
    assert len(stamps) == (0 if golden.version in ("v1", "v2") else 2)
    if stamps:
        trusted = read_certificates((golden.folder / "tsa-root.pem").read_bytes())
        found = check_stamps(stamps, trusted, {stamps[0].log: line.root_at})
        assert found.findings == []
        assert found.covered[stamps[0].log][0] == line.size
    assert golden.tampering == []


def test_checking_finds_nothing(golden: Golden) -> None:
    """Everything is there, authentic, and was locked long enough."""
    terms = CheckTerms(True, golden.tampering, Silent())
    report = check(golden.store, golden.charter(), golden.snapshots(), terms=terms)
    assert report.findings == ()
    assert golden.tampering == []


def test_the_index_is_found_again(golden: Golden, tmp_path: Path) -> None:
    """By the writer's own keys."""
    index = LocalIndex(tmp_path / "index.db")
    loaded = sync_index(
        index, golden.store, golden.charter(), keys=KEYS, tampering=golden.tampering
    )
    assert loaded == 3
    for record in golden.snapshots():
        assert all(index.locked_until(bytes.fromhex(digest)) for digest in record.header.packs)


def test_rescue_lists_and_restores(golden: Golden, tmp_path: Path) -> None:
    """All snapshots; files, links, hard links, devices (as root), times, holes, attributes."""
    listed = golden.rescue("--list")
    assert listed.status == 0, listed.told
    records = golden.snapshots()
    assert [line.split()[0] for line in listed.said.splitlines()] == [
        record.header.id for record in records
    ]
    for record in records:
        target = tmp_path / record.header.id
        done = golden.rescue("--snapshot", record.header.id, "--to", str(target))
        whole, _ = golden.read(record)
        assert differences(whole, target) == []
        missing = whole.keys() - present(target)
        devices = {path for path, (item, _) in whole.items() if item.rdev}
        assert missing == (set() if os.geteuid() == 0 else devices), done.told
        linked, second = (os.lstat(target / name) for name in ("linked", "small/hard"))
        assert linked.st_ino == second.st_ino


def test_rescue_takes_the_newest_of_a_volume(golden: Golden, tmp_path: Path) -> None:
    """By its name; in a process that knows nothing of this checkout."""
    words = golden.rescue_words("--volume", "golden", "--to", str(tmp_path / "out"))
    subprocess.run([sys.executable, "-I", *words], check=False, timeout=120)
    assert (tmp_path / "out" / "added-2").read_bytes() == b"changed in snapshot 2\n"


def test_rescue_is_short_and_needs_nothing_of_vault() -> None:
    """At most 316 lines and six libraries."""
    text = RESCUE.read_text("utf-8")
    assert len(text.splitlines()) <= 316
    imported = set()
    for node in ast.walk(ast.parse(text)):
        names = node.names if isinstance(node, ast.Import) else ()
        imported |= {alias.name.partition(".")[0] for alias in names}
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"botocore"}
    assert foreign == {"boto3", "blake3", "zstandard", "cryptography", "pyrage", "msgspec"}
