"""Restore: whole, in part, in place, at a time, and never more than what can be proven."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_delete import deleted
from vault.catalog.database import open_catalog
from vault.errors import (
    Corrupt,
    IdAmbiguous,
    SnapshotUnknown,
    SourceReplaced,
    TargetNotEmpty,
    UsageError,
    VolumeTombstoned,
)
from vault.lifecycle.event import EventType
from vault.operations.choose import choose
from vault.operations.enroll import change
from vault.operations.inspect import diff, list_entries, previous_of, read_file
from vault.operations.items import RestoreReport, RestoreRequest
from vault.operations.rebuild import rebuild
from vault.operations.rehearse import rehearse
from vault.operations.restore import execute_restore, plan_restore, save_present
from vault.operations.unit import ReadUnit
from vault.operations.verify import mend, verify
from vault.operations.watch import watch_volume


def restored(site: Site, **words: Any) -> RestoreReport:
    """A restore of the volume."""
    dry_run = words.pop("dry_run", False)
    request = RestoreRequest(**{"what": "db"} | words)
    plan = plan_restore(site.write, request)
    return execute_restore(site.write, site.ring, plan, dry_run=dry_run)


def tree(root: Path) -> dict[str, bytes]:
    """Regular files below a folder."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_a_new_place_receives_the_contents(site: Site, tmp_path: Path) -> None:
    captured(site)
    report = restored(site, to=tmp_path / "out")
    assert tree(tmp_path / "out") == tree(site.source)
    assert os.readlink(tmp_path / "out" / "link") == "orders"
    assert (report.files, report.bytes, report.findings) == (1, 6000, ())


def test_a_place_is_needed_and_must_be_empty(site: Site, tmp_path: Path) -> None:
    captured(site)
    with pytest.raises(UsageError):
        restored(site)
    with pytest.raises(UsageError):
        restored(site, to=tmp_path / "out", in_place=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_bytes(b"mine")
    with pytest.raises(TargetNotEmpty):
        restored(site, to=tmp_path / "full")
    assert tree(tmp_path / "full") == {"mine": b"mine"}


def test_in_place_only_what_differs_is_written(site: Site) -> None:
    (site.source / "same").write_bytes(b"same")
    captured(site)
    before = (site.source / "same").stat().st_ino
    (site.source / "orders").write_bytes(b"broken")
    (site.source / "extra").write_bytes(b"extra")
    report = restored(site, in_place=True)
    assert (site.source / "orders").read_bytes() == b"orders" * 1000
    assert (site.source / "same").stat().st_ino == before
    assert (site.source / "extra").read_bytes() == b"extra"
    assert report.files == 1


def test_a_change_behind_a_faked_time_is_found_in_place(site: Site) -> None:
    captured(site)
    path = site.source / "orders"
    times = path.stat()
    path.write_bytes(b"ORDERS" * 1000)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert restored(site, in_place=True).files == 1
    assert path.read_bytes() == b"orders" * 1000
    assert restored(site, in_place=True).files == 0


def test_a_dry_run_writes_nothing(site: Site, tmp_path: Path) -> None:
    captured(site)
    report = restored(site, to=tmp_path / "out", dry_run=True)
    assert (report.files, report.dry_run) == (1, True)
    assert not (tmp_path / "out").exists()
    (site.source / "orders").write_bytes(b"broken")
    restored(site, in_place=True, dry_run=True)
    assert (site.source / "orders").read_bytes() == b"broken"


def test_patterns_choose_and_bring_their_folders(site: Site, tmp_path: Path) -> None:
    (site.source / "a" / "b").mkdir(parents=True)
    (site.source / "a" / "b" / "deep.txt").write_bytes(b"deep")
    (site.source / "a" / "other").write_bytes(b"other")
    captured(site)
    restored(site, to=tmp_path / "out", include=("a/b",))
    assert tree(tmp_path / "out") == {"a/b/deep.txt": b"deep"}
    restored(site, to=tmp_path / "out2", include=("*/other",))
    assert restored(site, in_place=True, include=("a/b",)).findings == ()
    assert tree(tmp_path / "out2") == {"a/other": b"other"}


def test_a_pattern_that_fits_nothing_is_told(site: Site, tmp_path: Path) -> None:
    captured(site)
    report = restored(site, to=tmp_path / "out", include=("ord*", "./orders"))
    assert [(item.what, item.path) for item in report.findings] == [("unmatched", "./orders")]
    assert tree(tmp_path / "out") == {"orders": b"orders" * 1000}


_ODD = (b"stray-\xff", b"stray-\\xff", b"\\x5cxff", b"a\\b", b"\xc3\x28\\xzz", "bücher".encode())


def test_names_are_taken_as_they_are_shown(site: Site, tmp_path: Path) -> None:
    """Those that are not UTF-8, and those that only look like it: each means one file."""
    for number, name in enumerate(_ODD):
        place = Path(os.fsdecode(os.fsencode(site.source) + b"/odd " + name + b"/" + name))
        place.parent.mkdir()
        place.write_bytes(b"%d" % number)
    captured(site)
    paths = {e.path for e in list_entries(site.write, site.ring, "db", "") if e.size == 1}
    assert len(paths) == len(_ODD)
    told = {path: b"".join(read_file(site.write, site.ring, "db", path)) for path in paths}
    assert len(set(told.values())) == len(_ODD)
    for path in paths:
        assert [e.path for e in list_entries(site.write, site.ring, "db", path)] == [path]
        to = tmp_path / told[path].decode()
        assert restored(site, to=to, include=(path,)).findings == ()
        assert told[path] in tree(to).values()
    raw = os.fsdecode(b"odd stray-\xff/stray-\xff")
    assert b"".join(read_file(site.write, site.ring, "db", raw)) == b"0"
    report = restored(site, to=tmp_path / "none", include=(r"none-\xff",))
    assert [f.path for f in report.findings] == [r"none-\xff"]


def test_a_name_may_be_given_by_its_very_letters(site: Site) -> None:
    """Where no other is shown so."""
    (site.source / r"one\xff").write_bytes(b"1")
    captured(site)
    assert b"".join(read_file(site.write, site.ring, "db", r"one\xff")) == b"1"


def test_a_dry_run_refuses_what_the_run_would_refuse(site: Site, tmp_path: Path) -> None:
    captured(site)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "own").write_bytes(b"own")
    for dry_run in (True, False):
        with pytest.raises(TargetNotEmpty):
            restored(site, to=tmp_path / "out", dry_run=dry_run)


def test_a_chosen_hard_link_brings_its_content(site: Site, tmp_path: Path) -> None:
    for name in ("x1", "x2"):
        os.link(site.source / "orders", site.source / name)
    captured(site)
    restored(site, to=tmp_path / "out", include=("x*",))
    out = tmp_path / "out"
    assert tree(out) == {"x1": b"orders" * 1000, "x2": b"orders" * 1000}
    assert (out / "x1").stat().st_ino == (out / "x2").stat().st_ino


def test_a_time_chooses_the_snapshot(site: Site, tmp_path: Path) -> None:
    first, _ = captured(site)
    then = site.clock.now()
    site.clock.advance(timedelta(hours=1))
    (site.source / "orders").write_bytes(b"later")
    captured(site)
    assert restored(site, to=tmp_path / "out", at=then).snapshot == first.header.id
    with pytest.raises(SnapshotUnknown):
        restored(site, to=tmp_path / "out2", at=then - timedelta(days=1))


def test_snapshots_answer_to_ids_prefixes_and_tombstones(site: Site, tmp_path: Path) -> None:
    record, _ = captured(site)
    tombstone = deleted(site)
    names = (record.header.id, record.header.id[:28], "db@latest", tombstone.id)
    for number, name in enumerate(names):
        report = restored(site, what=name, to=tmp_path / str(number))
        assert report.snapshot == record.header.id
    with pytest.raises(SnapshotUnknown):
        restored(site, what="nothing", to=tmp_path / "no")
    with pytest.raises(VolumeTombstoned):
        restored(site, in_place=True)


def test_an_ambiguous_prefix_is_refused(site: Site, tmp_path: Path) -> None:
    one, _ = captured(site)
    captured(site)
    shared = one.header.id[:10]  # of the same hours
    with pytest.raises(IdAmbiguous):
        restored(site, what=shared, to=tmp_path / "out")


def test_damage_costs_the_files_it_hits_and_no_wrong_byte_is_written(
    site: Site, tmp_path: Path
) -> None:
    (site.source / "z").write_bytes(os.urandom(3_000_000))
    captured(site)
    packs = [found.key for found in site.memory.list("packs/") if found.size > 1_000_000]
    for key in packs:
        rotten = bytearray(site.memory.get(key))
        rotten[len(rotten) // 2] ^= 1
        site.memory.rot(key, bytes(rotten))
    report = restored(site, to=tmp_path / "out")
    assert {finding.what for finding in report.findings} == {"not-restored"}
    for name, data in tree(tmp_path / "out").items():
        assert data == (site.source / name).read_bytes()
    assert rehearse(site.write, site.ring, "db").findings


def rotten_unit(site: Site, prefix: str) -> ReadUnit:
    """A machine that knows nothing but the store, where one object below `prefix` is rotten."""
    (key,) = {found.key for found in site.memory.list(prefix)}
    site.memory.rot(key, site.memory.get(key)[:-1])
    unit = replace(site.write, catalog=open_catalog(None), tampering=[])
    rebuild(unit)
    return unit


def test_a_snapshot_that_is_damaged_is_not_said_to_be_unknown(site: Site) -> None:
    """Its object is named; to whom serves one environment it is as if it never was (P9)."""
    record, _ = captured(site)
    unit = rotten_unit(site, "snapshots/")
    with pytest.raises(Corrupt, match=re.escape(record.key)):
        choose(unit, record.header.id)
    with pytest.raises(SnapshotUnknown):
        choose(unit, "snap_" + "0" * 26)
    with pytest.raises(SnapshotUnknown):
        choose(replace(unit, catalog=unit.catalog.scoped("production")), record.header.id)


def test_a_volume_that_no_event_tells_of_any_more_is_restored_by_its_name(site: Site) -> None:
    record, _ = captured(site)
    unit = rotten_unit(site, "events/")
    assert unit.catalog.volumes.all() == []
    for name in ("db", "db@latest", record.header.volume):
        assert choose(unit, name) == record


def test_what_verify_found_lost_is_stored_anew(site: Site, tmp_path: Path) -> None:
    site.clock.advance(timedelta(minutes=5))
    captured(site)
    for found in list(site.memory.list("packs/")):
        site.memory.lose(found.key)
    report = verify(site.write, deep=False)
    assert {finding.what for finding in report.findings} == {"missing"}
    mend(site.write, report)
    captured(site)
    restored(site, to=tmp_path / "out")
    assert tree(tmp_path / "out") == tree(site.source)


def test_looking_inside(site: Site) -> None:
    captured(site)
    (site.source / "orders").write_bytes(b"changed")
    (site.source / "new").write_bytes(b"new")
    (site.source / "link").unlink()
    record, _ = captured(site)
    unit, ring = replace(site.write), site.ring
    assert [item.path for item in list_entries(unit, ring, "db", "")] == [".", "new", "orders"]
    assert b"".join(read_file(unit, ring, "db", "orders")) == b"changed"
    changes = {
        (item.change, item.path)
        for item in diff(unit, ring, previous_of(unit, record.header.id), "")
    }
    assert {("removed", "link"), ("added", "new"), ("changed", "orders")} <= changes


def test_a_change_is_seen_though_the_time_was_put_back(site: Site) -> None:
    orders = site.source / "orders"
    captured(site)
    times = orders.stat().st_atime_ns, orders.stat().st_mtime_ns
    orders.write_bytes(bytes(reversed(orders.read_bytes())))
    os.utime(orders, ns=times)
    record, _ = captured(site)
    changes = list(diff(site.write, site.ring, previous_of(site.write, record.header.id), ""))
    assert [(item.change, item.path) for item in changes] == [("changed", "orders")]


def test_the_folder_itself_has_a_name(site: Site) -> None:
    captured(site)
    site.source.chmod(0o711)
    record, _ = captured(site)
    changes = list(diff(site.write, site.ring, previous_of(site.write, record.header.id), ""))
    assert [(item.change, item.path) for item in changes] == [("metadata", ".")]


def test_holes_read_as_zeros(site: Site) -> None:
    with open(site.source / "sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
        file.truncate(2 << 20)
    captured(site)
    data = b"".join(read_file(site.write, site.ring, "db", "sparse"))
    assert data == (site.source / "sparse").read_bytes()


def test_in_place_over_what_no_snapshot_holds_nothing_is_written(site: Site) -> None:
    """The daemon has recorded that another stands there; what is in it would be lost."""
    captured(site)
    plan = plan_restore(site.write, RestoreRequest(what="db", in_place=True))
    site.source.rename(site.source.with_name("moved"))
    site.source.mkdir()
    watch_volume(site.write, site.write.catalog.volumes.resolve("db"))
    save_present(site.write, plan)  # an empty place loses nothing
    (site.source / "orders").write_bytes(b"other")
    with pytest.raises(SourceReplaced):
        save_present(site.write, plan)
    change(site.write, "db", EventType.VOLUME_REMOVED)
    with pytest.raises(SourceReplaced):
        save_present(site.write, plan)


def test_in_place_again_means_the_same_snapshot(site: Site) -> None:
    """Broken off and run once more, it must not bring back the damage that was saved first."""
    good, _ = captured(site)
    request = RestoreRequest(what="db", in_place=True)
    saved = []
    for _ in range(2):
        (site.source / "orders").write_bytes(b"damage")
        plan = plan_restore(site.write, request)
        assert plan.record.header.id == good.header.id
        saved.append(save_present(site.write, plan))
    undo = plan_restore(site.write, replace(request, what=saved[0]))
    assert undo.record.header.id == saved[0]
    assert plan_restore(site.write, replace(request, what="db@latest")).record == plan.record
    newer, _ = captured(site)
    assert plan_restore(site.write, request).record.header.id == newer.header.id


def test_in_place_the_present_state_is_captured_first(site: Site) -> None:
    captured(site)
    plan = plan_restore(site.write, RestoreRequest(what="db", in_place=True))
    moved = site.source.with_name("moved")
    site.source.rename(moved)
    watch_volume(site.write, site.write.catalog.volumes.resolve("db"))
    save_present(site.write, plan)
    assert len(site.write.catalog.snapshots.all()) == 1
    moved.rename(site.source)  # back, and nobody has looked since
    save_present(site.write, plan)
    assert len(site.write.catalog.snapshots.all()) == 2
