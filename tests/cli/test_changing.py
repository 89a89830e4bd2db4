"""Commands that change something: set up, capture, delete and undo, restore in place, processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.hosts import Host, interrupt, make_host, picture, plant, same_content
from vault.clock import parse_time
from vault.errors import Denied, UsageError

TOMBSTONE = {
    *("id", "volume", "environment", "state", "created_at", "undo_until", "deleted_by"),
    *("reason", "task", "snapshot", "held", "path"),
}
RESTORE = {
    *("snapshot", "volume", "target", "files", "bytes", "written", "skipped", "dry_run"),
    *("saved", "findings", "registered"),
}


def test_the_first_five_commands(tmp_path: Path) -> None:
    """Each says what to do next; the answer to a delete is the command that takes it back."""
    host = Host(tmp_path / "home", f"file://{tmp_path}/home/store", plant(tmp_path / "photos"))
    plain = host.under(VAULT_HOME=str(host.home))
    url = f"file://{tmp_path}/store?immutable=no"
    made = plain.run("init", "--store", url)
    assert "vault volume add" in made.out
    assert str(host.kit) in made.err
    assert host.kit.stat().st_mode & 0o777 == 0o600
    assert "[store]" in (host.home / "vault.toml").read_text()
    added = plain.run("volume", "add", "photos", "photos")  # a path is seen from where one is
    assert str(host.volume) in added.out
    assert "snap_" in plain.run("snapshot", "photos").out
    gone = plain.run("delete", "photos", "--reason", "moved")
    assert not host.volume.exists()
    undo = re.search(r"vault (undelete tomb_\w+)", gone.out)
    assert undo is not None
    before = plain.run("status").out
    assert before.startswith("photos (production): tombstoned, deleted")
    assert undo[0] in before
    assert "restored" in plain.run(*undo[1].split()).out
    assert host.volume.is_dir()


def test_init_for_a_recipient(tmp_path: Path) -> None:
    """With --recipient the kit holds the root key and no identity."""
    host = Host(tmp_path / "home", f"file://{tmp_path}/store?immutable=no", tmp_path / "photos")
    key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    answer = host.ask("init", "--store", host.url, "--recipient", key)
    assert answer.kind == "vault"
    assert answer.item["store"] == host.url
    assert answer.item["kit"] == str(host.kit)
    assert "AGE-SECRET-KEY" not in host.kit.read_text()
    assert "root-secret" in host.kit.read_text()


def test_a_volumes_life(fresh: Host) -> None:
    """Paused, resumed and removed; what is stored of it stays."""
    fresh.ask("snapshot", "photos")
    assert fresh.ask("volume", "pause", "photos").item["state"] == "paused"
    assert fresh.ask("volume", "pause", "photos", "--resume").item["state"] == "active"
    assert fresh.ask("volume", "remove", "photos").item["state"] == "removed"
    assert fresh.ask("volume", "list").items == []
    assert len(fresh.ask("snapshots").items) == 1
    words = ("--schedule", "every 15m", "--keep", "daily=7", "--environment", "staging")
    again = fresh.ask("volume", "add", "more", fresh.volume, *words).item
    assert (again["environment"], again["schedule"]) == ("staging", "every 15m")
    assert "daily=7" in again["keep"]


def test_keeping_more_and_less(fresh: Host) -> None:
    """More at once; less of a protected volume is not for one person to say."""
    more = "hourly=48,daily=7,weekly=5,monthly=12"
    assert fresh.ask("volume", "keep", "photos", more).item["keep"] == more
    assert more in fresh.run("volume", "show", "photos").out
    error = fresh.refused(
        Denied, "volume", "keep", "photos", "daily=1", "--reason", "a cache", says="keeps-less"
    )
    assert "vault approver add" in error["message"]
    fresh.refused(UsageError, "volume", "keep", "photos", "all", says="all")


def test_a_replaced_volume_is_acknowledged(captured: Host) -> None:
    """Another folder in its place is an alarm until somebody has looked."""
    captured.volume.rename(captured.volume.with_name("former"))
    plant(captured.volume)
    captured.run("snapshot", "photos", status=72)
    (note,) = [n for n in captured.ask("status").item["notes"] if "photos" in n]
    assert "vault volume acknowledge photos" in note
    assert captured.ask("volume", "acknowledge", "photos").item["state"] == "active"
    captured.ask("snapshot", "photos")


def test_snapshot_and_diff(captured: Host) -> None:
    """Only what changed is added; diff says what; two volumes in one call."""
    (captured.volume / "notes.txt").write_text("bread, milk, eggs\n")
    (captured.volume / "empty").unlink()
    (captured.volume / "new").write_text("new\n")
    answer = captured.ask("snapshot", "photos")
    assert answer.kind == "snapshots"
    first, second = captured.ask("snapshots").items
    assert answer.item["id"] == second["id"]
    assert second["parent"] == first["id"]
    changes = captured.ask("diff", "photos@latest")
    assert changes.kind == "changes"
    found = {(item["change"], item["path"]) for item in changes.items}
    assert {("changed", "notes.txt"), ("removed", "empty"), ("added", "new")} <= found
    back = captured.ask("diff", second["id"], "--with", first["id"]).items
    assert {"change": "added", "path": "empty"} in back
    assert captured.ask("diff", "photos", "new").items == [{"change": "added", "path": "new"}]
    assert "added  new" in captured.run("diff", "photos").out


def test_at_a_time(captured: Host, tmp_path: Path) -> None:
    """--at takes the newest snapshot that was stored by then."""
    first = captured.ask("snapshots").item
    (captured.volume / "notes.txt").write_text("changed\n")
    captured.ask("snapshot", "photos")
    answer = captured.ask(
        "restore", "photos", "--at", first["created_at"], "--to", tmp_path / "back"
    )
    assert answer.item["snapshot"] == first["id"]
    assert (tmp_path / "back" / "notes.txt").read_text() == "bread, milk\n"
    words = ("restore", "photos", "--to", tmp_path / "none", "--at")
    captured.run(*words, "2020-01-01T00:00:00Z", status=36)
    captured.run(*words, "yesterday", status=2)


def test_restore_in_place(captured: Host) -> None:
    """Only what differs is written; what stood there is in a snapshot first."""
    wanted = picture(captured.volume)
    notes = captured.volume / "notes.txt"
    notes.write_text("overwritten\n")
    (captured.volume / "holidays" / "2025" / "beach.raw").unlink()
    dry = captured.ask("restore", "photos@latest", "--in-place", "--dry-run").item
    assert dry.keys() == RESTORE
    assert notes.read_text() == "overwritten\n"
    assert len(captured.ask("snapshots").items) == 1
    answer = captured.ask("restore", "photos@latest", "--in-place")
    assert answer.item["target"] == str(captured.volume)
    assert answer.item["skipped"] > 0
    now = picture(captured.volume)
    assert {name: facts[2] for name, facts in now.items()} == {
        name: facts[2] for name, facts in wanted.items()
    }
    _, before = captured.ask("snapshots").items
    assert answer.item["saved"] == before["id"]
    assert captured.run("cat", before["id"], "notes.txt").out == "overwritten\n"
    requests = captured.ask("audit", "show", "--kind", "request").items
    (told,) = [item for item in requests if item["body"]["verb"] == "restore"]
    assert told["body"]["decision"] == "allow"
    assert str(captured.volume) in told["body"]["about"]


def test_a_name_taken_again_hides_nothing(captured: Host, tmp_path: Path) -> None:
    """Removed and added anew, a volume has another id; what is stored under its name is listed."""
    former = captured.ask("snapshots").item["id"]
    first = captured.ask("volume", "remove", "photos").item["id"]
    second = captured.ask("volume", "add", "photos", captured.volume).item["id"]
    assert captured.ask("snapshots", "photos").item["id"] == former
    assert captured.ask("snapshots", first).item["id"] == former
    assert captured.ask("snapshots", second).items == []
    captured.ask("restore", former, "--to", tmp_path / "back")


def test_restore_in_place_again(captured: Host) -> None:
    """The same call again brings back the same, not what the first one saved; that has its id."""
    notes = captured.volume / "notes.txt"
    wanted = notes.read_text()
    notes.write_text("overwritten\n")
    for _ in range(2):
        shown = captured.run("restore", "photos", "--in-place").out
        assert notes.read_text() == wanted
    saved = captured.ask("snapshots").items[1]["id"]
    captured.ask("restore", saved, "--in-place")
    assert notes.read_text() == "overwritten\n"
    assert "--in-place" in shown


def test_delete_and_undo(captured: Host, tmp_path: Path) -> None:
    """A tombstone with all its facts; held, released, read from, undone by the start of its id."""
    before = picture(captured.volume)
    answer = captured.ask("delete", "photos", "--reason", "moved", "--task", "OPS-12")
    assert answer.kind == "tombstones"
    tomb = answer.item
    assert tomb.keys() == TOMBSTONE
    assert (tomb["volume"], tomb["state"], tomb["reason"]) == ("photos", "tombstoned", "moved")
    assert tomb["task"] == "OPS-12"
    window = parse_time(tomb["undo_until"]) - parse_time(tomb["created_at"])
    assert window.total_seconds() >= 48 * 3600
    assert not captured.volume.exists()
    assert captured.ask("tombstones").items == [tomb]
    assert captured.ask("status").item["recent"][0]["id"] == tomb["id"]
    prefix = tomb["id"][:9]
    assert captured.ask("hold", prefix, "--reason", "auditors").item["held"] == "auditors"
    told = captured.run("release", prefix, status=Denied.status).err
    assert "vault approver add" in told
    captured.ask("restore", tomb["id"], "--to", tmp_path / "back")
    assert (tmp_path / "back" / "notes.txt").read_text() == "bread, milk\n"
    assert captured.ask("undelete", prefix).item["state"] == "restored"
    assert picture(captured.volume) == before
    assert captured.ask("volume", "show", "photos").item["state"] == "active"


def test_undo_everything_since(captured: Host) -> None:
    """One command takes back all of the last minutes."""
    other = plant(captured.volume.with_name("mail"))
    captured.ask("volume", "add", "mail", other)
    for name in ("photos", "mail"):
        captured.ask("delete", name, "--reason", "a bad script")
    assert captured.ask("undelete", "--all", "--since", "10m").items != []
    assert captured.volume.is_dir()
    assert other.is_dir()
    assert captured.ask("undelete", "--all", "--since", "10m").items == []


def test_processes_once(captured: Host) -> None:
    """daemon, purger and collector do what is due, answer like other commands, and end."""
    captured.ask("delete", "photos", "--reason", "moved")
    answer = captured.run("daemon", "--once", "--json")
    duties = json.loads(answer.out)
    assert duties["kind"] == "duties"
    assert {item["outcome"] for item in duties["items"]} == {"done"}
    assert all(json.loads(line) for line in answer.err.splitlines())
    (tomb,) = captured.ask("tombstones").items
    assert tomb["snapshot"].startswith("snap_")
    purge = captured.ask("purger", "--once")
    assert purge.kind == "purge"
    assert purge.item["verdict"] == "refused"
    assert purge.item["reasons"]
    assert captured.ask("collector", "--dry-run").item["deleted"] == 0
    before = captured.picture() if captured.volume.exists() else picture(captured.store)
    assert captured.ask("collector", "--once").kind == "collection"
    assert picture(captured.store) == before


def test_the_daemon_stops_when_told(captured: Host) -> None:
    """SIGTERM ends it with 0, its log is JSON on standard error, nothing on standard output."""
    process = captured.start("daemon", "--listen", "", "--interval", "1s")
    assert process.stderr is not None
    while b'"started"' not in (line := process.stderr.readline()):
        assert line, "the daemon ended early"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == b""
    assert all(json.loads(line)["process"] == "daemon" for line in err.splitlines())


def test_rebuild_here_and_elsewhere(captured: Host, tmp_path: Path) -> None:
    """The catalog anew from the store; and a home on another machine from URL and kit."""
    wanted = captured.ask("snapshots").items
    for path in captured.home.glob("catalog.db*"):
        path.unlink()
    assert captured.ask("snapshots").items == wanted  # an empty catalog is told by the store
    answer = captured.ask("rebuild")
    assert answer.kind == "rebuild"
    assert (answer.item["volumes"], answer.item["snapshots"]) == (1, 1)
    assert captured.ask("snapshots").items == wanted
    away = Host(tmp_path / "away", captured.url, captured.volume)
    away.ask("rebuild", "--store", captured.url, "--kit", captured.kit)
    assert away.ask("snapshots").items == wanted
    away.ask("restore", "photos", "--kit", captured.kit, "--to", tmp_path / "back")
    assert same_content(tmp_path / "back", captured.volume)


def test_a_key_that_is_added_reads_later_sessions(captured: Host) -> None:
    """Until then only the kit does."""
    key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    answer = captured.ask("key", "add", key)
    assert answer.kind == "key"
    assert "2 recipients" in answer.item["detail"]
    captured.ask("snapshot", "photos")
    captured.ask("verify", "--deep")


def test_attest(captured: Host) -> None:
    """What was tried, and the words that a folder does not isolate."""
    answer = captured.run("store", "attest", "--json", status=3)
    attestation = json.loads(answer.out)
    assert attestation["kind"] == "attestation"
    assert attestation["items"][0]["checks"]
    assert "NOT ISOLATED" in captured.run("store", "attest", status=3).err


def test_findings_leave_with_three(fresh: Host) -> None:
    """One of two volumes cannot be captured: the other is, and the status says so."""
    other = plant(fresh.volume.with_name("mail"))
    fresh.ask("volume", "add", "mail", other)
    shutil.rmtree(other)
    answer = fresh.ask("snapshot", "photos", "mail", status=3)
    assert [item["volume"] for item in answer.items] == ["photos"]
    assert json.loads(answer.err)["code"] == "source_vanished"


@pytest.mark.parametrize("kind", ["contents", "a page of the manifest"])
def test_damage_in_the_store_is_a_finding(fresh: Host, tmp_path: Path, kind: str) -> None:
    """verify --deep and rehearse leave with 3; a restore brings back what is whole."""
    (fresh.volume / "a-film").write_bytes(os.urandom(1 << 20))
    fresh.ask("snapshot", "photos")
    packs = [path for path in (fresh.store / "objects" / "packs").rglob("*") if path.is_file()]
    packs.sort(key=lambda path: path.stat().st_size)
    pack = packs[-1] if kind == "contents" else packs[-2]  # the last and smallest: the table
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[200] ^= 1
    pack.write_bytes(data)
    found = fresh.ask("verify", "--deep", status=3).item["findings"]
    assert found
    fresh.ask("rehearse", "photos", status=3)
    answer = fresh.ask("restore", "photos", "--to", tmp_path / "back", status=3)
    told = {finding["what"] for finding in answer.item["findings"]}
    assert told - {"folder-lost"} == {"not-restored"}  # that, where another page follows it
    shown = fresh.run("verify", "--deep", status=3)
    assert "! " in shown.out


def test_an_interrupted_snapshot_leaves_nothing_half_done(fresh: Host) -> None:
    """130, no snapshot, and the next one is whole."""
    for more in (40, 160, 640):  # as many as it takes to be there before it is done
        done = len(fresh.ask("snapshots").items)
        for number in range(more):
            (fresh.volume / f"{more}-{number}.bin").write_bytes(os.urandom(2 << 20))
        mark = next(iter((fresh.home / "locks").glob("capture-*")), None)
        if mark is not None:
            mark.unlink()
        process = fresh.start("snapshot", "photos")
        while process.poll() is None and not list((fresh.home / "locks").glob("capture-*")):
            pass
        status, err = interrupt(process)
        if len(fresh.ask("snapshots").items) == done:
            break
    assert status == 130, err
    assert "Traceback" not in err
    assert "safe" in err
    assert len(fresh.ask("snapshots").items) == done
    fresh.ask("snapshot", "photos")
    fresh.ask("verify", "--deep")


def test_an_interruption_while_a_module_loads_has_the_same_status(tmp_path: Path) -> None:
    """`python -m` remembers a KeyboardInterrupt that passed an exec() and ends by the signal."""
    (tmp_path / "probe.py").write_text(
        textwrap.dedent("""
        import os, signal
        import vault.cli
        from vault.cli import failure

        def run(words):
            try:
                exec("os.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(9): pass", globals())
            except KeyboardInterrupt as error:
                return failure.report(error, as_json=False)

        vault.cli.run = run
        vault.cli.main()
        """)
    )
    ended = subprocess.run(
        [sys.executable, "-m", "probe"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130, ended.stderr
    assert "interrupted" in ended.stderr


def test_two_snapshots_at_once(fresh: Host) -> None:
    """The second waits for the first; both are whole."""
    processes = [fresh.start("snapshot", "photos", "--json") for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(fresh.ask("snapshots").items) == 2
    fresh.ask("verify", "--deep")


def test_an_empty_volume(tmp_path: Path) -> None:
    """Nothing to store is stored, deleted and restored like anything else."""
    host = make_host(tmp_path, enrolled=False)
    empty = tmp_path / "nothing"
    empty.mkdir(mode=0o750)
    host.ask("volume", "add", "nothing", empty)
    assert host.ask("snapshot", "nothing").item["files"] == 0
    host.ask("restore", "nothing", "--to", tmp_path / "back")
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o750
