"""The audit log from the command line: shown, verified, proved, checked, exported."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.hosts import Host
from vault.errors import Corrupt, UsageError

ENTRY = {
    *("id", "at", "kind", "by", "by_kind", "environment", "volume", "about", "log", "index"),
    "body",
}


def test_what_was_done_is_shown(captured: Host) -> None:
    """To people in a table, to programs with every field; chosen by kind, caller, volume, time."""
    told = captured.ask("audit", "show")
    assert told.kind == "audit"
    assert all(item.keys() == ENTRY for item in told.items)
    kinds = {item["kind"] for item in told.items}
    assert "transition" in kinds
    ours = captured.ask("audit", "show", "--kind", "transition", "--since", "1h").items
    assert ours
    assert {item["kind"] for item in ours} == {"transition"}
    assert captured.ask("audit", "show", "--by", "nobody").items == []
    assert "volume_added" in captured.run("audit", "show").out
    assert "no such entry" in captured.run("audit", "show", "--by", "nobody").out
    captured.refused(UsageError, "audit", "show", "--kind", "of-later", says="of-later")


def test_verify_tells_by_its_status(captured: Host) -> None:
    """Here and on a machine that has the store and the kit alone."""
    away = ("--store", captured.url, "--kit", captured.kit)
    for place in ((), away):
        report = captured.ask("audit", "verify", *place).item
        assert report["findings"] == []
        assert report["entries"] == sum(log["entries"] for log in report["logs"])
        assert "as they were written" in captured.run("audit", "verify", *place).out
    segment = next(path for path in captured.store.glob("objects/audit/*/*") if path.is_file())
    data = segment.read_bytes()
    segment.unlink()
    segment.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    for place in ((), away):
        report = captured.ask("audit", "verify", *place, status=3).item
        assert "unreadable" in {finding["what"] for finding in report["findings"]}
        assert "! unreadable" in captured.run("audit", "verify", *place, status=3).out


def test_a_proof_is_checked_by_whoever_has_it(captured: Host, tmp_path: Path) -> None:
    """One file; changed, it proves nothing."""
    entry = captured.ask("audit", "show").items[0]["id"]
    proof = tmp_path / "proof.json"
    proof.write_text(captured.run("audit", "prove", entry, "--former", "1").out)
    assert captured.ask("audit", "check", proof).item["entry"] == entry
    assert "in this log" in captured.run("audit", "check", proof).out
    assert captured.ask("audit", "prove", entry).item["index"] == 0
    proof.write_text(proof.read_text().replace("photos", "videos"))
    captured.refused(Corrupt, "audit", "check", proof)
    captured.refused(UsageError, "audit", "check", tmp_path / "nowhere", says="nowhere")
    captured.refused(UsageError, "audit", "prove", "aud_zz", says="aud_zz")


def test_the_export_is_a_line_each(captured: Host) -> None:
    """As many as are shown."""
    lines = captured.run("audit", "export").out.splitlines()
    shown = captured.ask("audit", "show").items
    assert [json.loads(line)["metadata"]["uid"] for line in lines] == [i["id"] for i in shown]
