"""A teller that is killed at any moment: everything is told, some of it twice, under one id."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.unit.messenger.receiving import receiving
from vault.governance.principal import Principal, PrincipalKind
from vault.library import Vault
from vault.operations.enroll import Enrolment

_PROGRAM: Final = """
import sys
from pathlib import Path
from vault.library import Vault
from vault.operations import tell
from vault.testing.crash import CrashPoint

CrashPoint(int(sys.argv[2])).wrap(tell, "_write")
with Vault.open(Path(sys.argv[1])) as vault:
    vault.tell()
"""
PEOPLE: Final = Principal(PrincipalKind.HUMAN, "ann@host")


def told(home: Path, at: int) -> bool:
    """Let a process of its own tell, which dies before that step; whether it lived."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(home), str(at)], check=False, capture_output=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode == 0


@pytest.mark.long
def test_killed_at_any_step_a_teller_tells_everything_in_order(tmp_path: Path) -> None:
    """The next one goes on behind what was recorded: nothing is left out, all are in order."""
    home = tmp_path / "home"
    Vault.init(home, store=f"file://{home}/store?immutable=no")
    with Vault.open(home) as vault:
        for name in ("a", "b", "c"):
            source = tmp_path / name
            source.mkdir()
            vault.add_volume(Enrolment(name=name, path=str(source)))
            vault.delete(name, reason="test")
    (home / "hook.key").write_text("k" * 64)
    (home / "hook.key").chmod(0o600)
    settings = (home / "vault.toml").read_text()
    for step in range(100):
        with receiving() as inbox:
            fresh = tmp_path / f"home-{step}"
            shutil.copytree(home, fresh, symlinks=True, ignore=shutil.ignore_patterns("store"))
            hook = f'[[notify]]\nname = "ops"\nurl = "{inbox.url}"\nkey_file = "hook.key"\n'
            (fresh / "vault.toml").write_text(settings + hook)
            lived = told(fresh, step)
            first = list(inbox.ids)
            assert told(fresh, 10_000)
            then = inbox.ids[len(first) :]
            every = sorted(set(inbox.ids))
            assert [first, then] == [every[: len(first)], every[len(every) - len(then) :]]
            assert {one.notice["volume"] for one in inbox.got} == {"a", "b", "c"}
            assert len(every) == 3
        if lived:
            assert then == []
            break
    assert step > 4
