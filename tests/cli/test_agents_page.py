"""docs/agents.md is followed, word for word: every command in it, by whom it says, in order."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.agents import Agent
from tests.processes import VAULT, vault_api
from tests.signers import build_token
from tests.tidy.source import ROOT
from vault.library import Vault
from vault.operations.enroll import Enrolment

PAGE = (ROOT / "docs" / "agents.md").read_text("utf-8")
SERVE = "vault api --listen 127.0.0.1:9465"
WHO = re.compile(r"\*\*(Operator|Ann|Agent)\*\*")
STATUS = re.compile(r"#.*?status (\d+)")
ID = re.compile(r"\b(grant|tomb|ask)_[0-9a-z]{20,}")


@dataclass
class Follower:
    """Somebody at a shell; what one exports stays. All share a folder, as the page has it."""

    folder: Path
    environ: dict[str, str]
    seen: dict[str, str] = field(default_factory=dict)

    def run(self, line: str) -> None:
        """Run one line, with the ids that were last seen in the place of the page's."""
        wanted = int(found[1]) if (found := STATUS.search(line)) else 0
        line = re.sub(r"\b(grant|tomb|ask)_01k8…", lambda m: self.seen[m[1]], line)
        after = self.folder / "environ"
        shell = f"{line}\nstatus=$?\nenv -0 > {after}\nexit $status"
        done = subprocess.run(
            ["bash", "-c", shell],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == wanted, (line, done.stdout, done.stderr)
        pairs = (pair.partition("=") for pair in after.read_text().split("\0") if pair)
        self.environ.update({name: text for name, _, text in pairs})
        for match in ID.finditer(done.stdout + done.stderr):
            self.seen[match[1]] = match[0]


def blocks() -> Iterator[tuple[str, str]]:
    """Who runs which line, in the page's order."""
    who = ""
    for line in PAGE.splitlines():
        if named := WHO.fullmatch(line):
            who = named[1]
        elif line.startswith("    ") and who:
            yield who, line.strip()
        elif line and not line.startswith(" "):
            who = ""


def test_every_command_of_the_page_belongs_to_somebody() -> None:
    """So none is left out below."""
    prose, shown = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), list(blocks())
    lines = [line.strip() for line in prose.splitlines() if line.startswith("    ")]
    assert lines == [line for _, line in shown]
    assert len(lines) > 30
    assert sum(line.startswith(SERVE) for line in lines) == 1


@pytest.mark.timeout(900)
def test_the_page_is_followed(tmp_path: Path) -> None:
    home, volume = tmp_path / "home", tmp_path / "srv" / "preview-7"
    Vault.init(home, store=f"file://{tmp_path / 'store'}?immutable=no")
    volume.mkdir(parents=True)
    (volume / "data").write_text("of a preview")
    with Vault.open(home) as vault:
        vault.add_volume(Enrolment(name="preview-7", path=str(volume)))
        vault.snapshot("preview-7")
    shutil.copy(home / "recovery.kit", tmp_path / "recovery.kit")
    path = os.pathsep.join((str(Path(VAULT).parent), os.environ["PATH"]))
    plain = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    plain["SSH_SK_PROVIDER"] = str(build_token(tmp_path))
    seen: dict[str, str] = {}
    operator = Follower(tmp_path, {**plain, "VAULT_HOME": str(home)}, seen)
    people = {
        "Operator": operator,
        "Ann": Follower(tmp_path, dict(plain), seen),
        "Agent": Follower(tmp_path, dict(plain), seen),
    }
    with ExitStack() as running:
        address = ""
        for who, line in blocks():
            if line.startswith(SERVE):
                url = running.enter_context(vault_api(operator.environ))
                address = url.removeprefix("http://")
            else:
                people[who].run(line.replace("127.0.0.1:9465", address))
        snippet = json.loads(PAGE.partition("```json")[2].partition("```")[0])
        _tools_are_given(snippet["mcpServers"]["vault"], people["Agent"], address)
    assert (volume / "data").read_text() == "of a preview"
    with Vault.open(home) as vault:
        assert [t.state for t in vault.tombstones()] == ["restored", "restored"]
        (used,) = vault.oversight.approvals(everything=True)
        assert (used.state, used.approved_by) == ("used", ("ann",))


def _tools_are_given(snippet: dict[str, object], follower: Follower, address: str) -> None:
    """What the page tells a client to start is what answers, and the page names its tools."""
    assert (snippet["command"], snippet["args"]) == ("vault", ["mcp"])
    assert isinstance(snippet["env"], dict)
    assert snippet["env"].keys() == {"VAULTD_URL", "VAULTD_TOKEN"}
    agent = Agent(follower.environ["VAULTD_TOKEN"], f"http://{address}")
    assert '"name": "deploy-bot"' in agent.ask("whoami").text
    for tool in agent.tools():
        assert f"`{tool.name}`" in PAGE
