"""The command line as a daemon's client: every verb of the client's, with a token, from elsewhere.

The host that runs it has no vault at all, only $VAULTD_URL and $VAULTD_TOKEN.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.agents import Agent
from tests.cli.hosts import Host, make_host
from tests.processes import vault_api
from tests.signers import SoftKey
from vault import client, errors
from vault.client import Client
from vault.library import Vault
from vault.operations.tokens import TokenWish


@dataclass(frozen=True)
class Far:
    """The vault's own host, and one that knows its daemon alone."""

    vault: Host
    url: str
    nowhere: Host
    tokens: dict[tuple[str, str], str]

    def as_(self, name: str, environment: str = "production") -> Host:
        """Somebody elsewhere, with a token of their own."""
        token = self.tokens[name, environment]
        return self.nowhere.under(VAULTD_URL=self.url, VAULTD_TOKEN=token)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    root = tmp_path_factory.mktemp("afar")
    host = make_host(root / "vault", captured=True)
    with Vault.open(host.home) as vault:
        for name, kind in (("ann", "human"), ("bot", "agent")):
            vault.oversight.add_identity(name, kind)
        tokens = {
            (name, place): vault.oversight.make_token(
                TokenWish(name=name, environment=place)
            ).secret
            for name in ("ann", "bot")
            for place in ("production", "staging")
        }
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "VAULT_HOME": str(host.home)}
    with vault_api(environ, "--rate", "10000") as url:
        nowhere = root / "elsewhere"
        nowhere.mkdir()
        yield Far(host, url, Host(nowhere / "home", host.url, host.volume), tokens)


def test_deleted_held_listed_and_undone(far: Far) -> None:
    ann = far.as_("ann")
    assert [v["name"] for v in ann.ask("volume", "list").items] == ["photos"]
    assert ann.ask("volume", "show", "photos").item["state"] == "active"
    taken = ann.ask("snapshot", "photos").item
    assert taken["id"] in [s["id"] for s in ann.ask("snapshots", "photos").items]
    tomb = ann.ask("delete", "photos", "--reason", "größer\nund neu", "--task", "OPS-1").item
    assert (tomb["state"], tomb["deleted_by"]) == ("tombstoned", "ann")
    assert tomb["reason"] == "größer und neu"
    assert not far.vault.volume.exists()
    assert [t["id"] for t in ann.ask("tombstones").items] == [tomb["id"]]
    assert ann.ask("hold", tomb["id"], "--reason", "asked by auditors").item["held"]
    told = ann.run("status").out
    assert "photos (production): tombstoned" in told
    assert f"vault undelete {tomb['id']}" in told
    assert "NOT ISOLATED" not in told
    assert ann.ask("status").item["isolated"] is None
    (back,) = ann.ask("undelete", tomb["id"]).items
    assert back["state"] == "restored"
    assert far.vault.volume.exists()
    assert not ann.home.exists()


@pytest.mark.parametrize("wide", [("--by", "ann"), ("--all",)], ids=" ".join)
def test_all_of_the_last_minutes_is_undone_in_one_command(far: Far, wide: tuple[str, ...]) -> None:
    ann = far.as_("ann")
    ann.ask("delete", "photos", "--reason", "tidy")
    assert ann.ask("undelete", "--by", "bot", "--since", "10m").items == []
    (back,) = ann.ask("undelete", *wide, "--since", "10m").items
    assert (back["volume"], back["state"]) == ("photos", "restored")
    assert far.vault.volume.exists()


def test_a_volume_is_registered_from_afar(far: Far, tmp_path: Path) -> None:
    ann, place = far.as_("ann"), far.vault.home.parent / "more"
    place.mkdir()
    added = ann.ask("volume", "add", "more", place, "--keep", "daily=3").item
    assert (added["path"], added["environment"]) == (str(place), "production")
    assert "daily=3" in added["keep"]
    assert "daily=9" in ann.ask("volume", "keep", "more", "daily=9").item["keep"]
    ann.refused(errors.Denied, "volume", "keep", "more", "daily=1", "--reason", "x", says="keeps")
    ann.refused(errors.UsageError, "volume", "move", "more", "--environment", "y", "--reason", "x")
    ann.refused(errors.VolumeExists, "volume", "add", "more", place)
    ann.refused(errors.SourceVanished, "volume", "add", "gone", tmp_path / "gone")


def test_the_log_is_read_from_afar_page_by_page(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bot = far.as_("ann"), far.as_("bot")
    bot.refused(errors.Denied, "delete", "photos", "--reason", "merged")
    shown = ann.ask("audit", "show").items
    assert [e["id"] for e in shown] == sorted({e["id"] for e in shown})
    mine = ann.ask("audit", "show", "--by", "bot", "--kind", "request", "--since", "1h").items
    assert mine == [e for e in shown if (e["by"], e["kind"]) == ("bot", "request")] != []
    bot.refused(errors.Denied, "audit", "show")
    monkeypatch.setattr(client, "_PAGE", 2)
    with Client(far.url, far.tokens["ann", "production"]) as vault:
        assert [entry.id for entry in vault.audit_show()] == [e["id"] for e in shown]
        assert len(shown) > 4


def test_a_grant_is_asked_for_given_and_taken_back(far: Far) -> None:
    ann, bot = far.as_("ann"), far.as_("bot")
    bot.refused(errors.Denied, "delete", "photos", "--reason", "merged", says="needs-grant")
    words = ("--volume", "photos", "--task", "OPS-9", "--reason", "merged")
    asked = bot.ask(
        "grant", "request", *words, "--for", "30m", "--uses", "2", "--bytes", "9000000"
    ).item
    assert asked["bytes"] == 9_000_000
    assert (asked["state"], asked["uses"], asked["principal"]) == ("asked", 2, "bot")
    bot.refused(errors.Denied, "grant", "give", asked["id"])
    assert ann.ask("grant", "give", asked["id"]).item["given_by"] == "ann"
    assert [g["state"] for g in bot.ask("grant", "list").items] == ["given"]
    assert ann.ask("grant", "revoke", asked["id"]).item["state"] == "revoked"


def test_what_is_done_at_the_vault_alone_says_so(far: Far) -> None:
    ann = far.as_("ann")
    for line in ("verify", "freeze bot --reason x", "token make bot --environment production"):
        ann.refused(errors.UsageError, *line.split(), says="at the vault itself")
    for line in ("restore photos --in-place", "volume remove photos", "release tomb_0000000"):
        ann.refused(errors.UsageError, *line.split(), says="at the vault itself")


def test_without_a_token_that_counts_nothing_is_told(far: Far) -> None:
    for token in ("", "vlt_nonsense"):
        host = far.nowhere.under(VAULTD_URL=far.url, VAULTD_TOKEN=token)
        host.refused(errors.TokenInvalid, "volume", "list")
    staging = far.as_("ann", "staging")
    assert staging.ask("volume", "list").items == []
    staging.refused(errors.VolumeUnknown, "delete", "photos", "--reason", "x")


def test_processes_serve_their_own_vault_whatever_daemon_is_named(far: Far) -> None:
    """Whoever has the client's variables in their profile may still start what it speaks to."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/", "VAULT_HOME": str(far.vault.home)}
    environ |= {"VAULTD_URL": "http://127.0.0.1:9", "VAULTD_TOKEN": "vlt_nonsense"}
    with vault_api(environ) as url:
        token = far.as_("ann").environment["VAULTD_TOKEN"]
        host = far.nowhere.under(VAULTD_URL=url, VAULTD_TOKEN=token)
        assert host.ask("volume", "show", "photos").item["name"] == "photos"


def test_what_people_agree_to_is_carried_from_afar(far: Far, tmp_path: Path) -> None:
    """Asked for by an agent, read, signed, brought, refused; last, since from then on all waits."""
    key, ann, bot = SoftKey(), far.as_("ann"), far.as_("bot")
    far.vault.ask("task", "add", "OPS-1", "--assignee", "bot", "--volume", "photos")
    grant = ("--to", "bot", "--volume", "photos", "--task", "OPS-1", "--reason", "x", "--uses", "9")
    far.vault.ask("grant", "give", *grant)
    with Vault.open(far.vault.home) as vault:
        vault.oversight.add_approver("eve", key.line, kit=far.vault.kit)
    delete = ("delete", "photos", "--reason", "merged", "--task", "OPS-1")
    bot.refused(errors.ApprovalNeeded, *delete)
    (waits,) = ann.ask("approvals").items
    text = ann.run("approve", waits["id"], "--text").out
    assert text == ann.ask("approve", waits["id"]).item["text"]
    signature = tmp_path / "sig"
    signature.write_text(SoftKey().sign(text))
    ann.refused(errors.SignatureRefused, "approve", waits["id"], "--signature", signature)
    signature.write_text(key.sign(text))
    assert ann.ask("approve", waits["id"], "--signature", signature).item["state"] == "given"
    assert bot.ask(*delete).item["state"] == "tombstoned"
    (back,) = bot.ask("undelete", "--by", "bot", "--since", "10m").items
    assert back["state"] == "restored"
    bot.refused(errors.ApprovalNeeded, *delete)
    (waits,) = ann.ask("approvals").items
    rejected = ann.ask("reject", waits["id"], "--reason", "in use").item
    assert rejected["rejected_for"] == "in use"
    assert len(ann.ask("approvals", "--all").items) == 2


# --- another product's name ----------------------------------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    """Answers everything with an empty list, and keeps what it was sent."""

    def _keep(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(f"{self.path}\n{self.headers}\n{body!r}")  # type: ignore[attr-defined]
        told = b'{"version": 1, "kind": "x", "items": [], "next": null}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_DELETE = _keep  # noqa: N815 - as the library calls them

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def recorders() -> Iterator[list[ThreadingHTTPServer]]:
    """A daemon of ours, and a server of the other product's."""
    made = [ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) for _ in range(2)]
    for server in made:
        server.seen = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    for server in made:
        server.shutdown()
        server.server_close()


def test_another_products_token_is_never_sent(
    far: Far, recorders: list[ThreadingHTTPServer]
) -> None:
    """Nor ours to them: HashiCorp Vault's variables are set, and neither read nor followed."""
    ours, theirs = recorders
    url, other = (f"http://127.0.0.1:{server.server_port}" for server in recorders)
    hers = {"VAULT_TOKEN": "hvs.SECRETOFANOTHER", "VAULT_ADDR": other, "VAULT_NAMESPACE": "team-x"}
    own = far.nowhere.under(VAULTD_URL=url, VAULTD_TOKEN="vlt_mine", **hers)
    for words in (("tombstones",), ("volume", "list"), ("undelete", "--all", "--since", "1m")):
        own.ask(*words)
    own.run("delete", "photos", "--reason", "x", status=1)  # an empty list is no answer to that
    far.nowhere.under(VAULTD_URL=url, **hers).ask("tombstones")
    Agent("vlt_mine", url, extra=hers).call(("list_volumes", {}), ("list_tombstones", {}))
    seen = ours.seen  # type: ignore[attr-defined]
    assert len(seen) >= 6
    assert sum("Authorization: Bearer vlt_mine" in text for text in seen) >= 5
    foreign = re.compile("hvs|SECRET|X-Vault|team-x", re.IGNORECASE)
    assert not [text for text in seen if foreign.search(text)]
    assert theirs.seen == []  # type: ignore[attr-defined]


def test_doctor_warns_of_another_program_of_that_name(captured: Host, tmp_path: Path) -> None:
    """The one that stands first is the one that is run."""
    other = tmp_path / "bin" / "vault"
    other.parent.mkdir()
    other.write_bytes(b"\x7fELF\x02\x01\x01 another vault, of Go\n" * 50)
    other.chmod(0o755)
    ours = str(Path(os.environ["PATH"].split(os.pathsep)[0]))
    own = make_script(tmp_path / "own" / "vault")

    def command(*folders: Path | str) -> tuple[bool, str]:
        path = os.pathsep.join(map(str, folders))
        checks = captured.under(PATH=path).ask("doctor", status=3).items
        (found,) = (check for check in checks if check["name"] == "command")
        return found["ok"], found["detail"]

    assert command(other.parent, own.parent, ours) == (False, f"“vault” on PATH is {other}")
    ok, detail = command(own.parent, other.parent, "/usr/bin")
    assert ok
    assert detail.startswith(f"“vault” on PATH is {own}; another program of that name stands")
    assert detail.endswith(str(other))
    assert command(own.parent, "/usr/bin") == (True, f"“vault” on PATH is {own}")
    assert command(tmp_path) == (True, "“vault” on PATH is not there")


def make_script(path: Path) -> Path:
    """A console script of ours, as pip writes it where the interpreter's path is long."""
    path.parent.mkdir()
    path.write_text(
        "#!/bin/sh\n'''exec' /very/long/path \"$0\" \"$@\"\n' '''\nfrom vault.cli import main\n"
    )
    path.chmod(0o755)
    return path
