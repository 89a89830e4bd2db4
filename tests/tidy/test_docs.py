"""Documents are tests: every command and every error is in docs/cli.md, as the program has it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.tidy.source import ROOT
from vault.cli.app import FAMILIES, load

SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that writes the generated parts."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_code_and_no_status_is_used_twice(reference: ModuleType) -> None:
    """Programs and shells can tell every error from every other."""
    assert reference.duplicates() == []


def test_the_command_page_is_what_the_program_says(reference: ModuleType) -> None:
    """`scripts/errors --write` has been run."""
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert reference.filled(page) == page


def test_every_command_is_documented_with_an_example(reference: ModuleType) -> None:
    """A section, a sentence and a call to copy for each."""
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name, command in reference.commands():
        assert f"\n### vault {name}\n" in page
        assert command.epilog.startswith(f"Example: vault {name}"), name
        assert command.help, name
        assert all(part.help for part in command.params), name


def test_the_table_of_commands_tells_what_the_commands_tell() -> None:
    """The lines of `vault --help`, which loads no command, are the commands' first lines."""
    for family in FAMILIES:
        for name, summary in family.commands.items():
            assert (load(name).help or "").strip().startswith(summary), name


_HEAVY = {
    *("apscheduler", "boto3", "botocore", "cryptography", "pydantic", "pyrage"),
    *("sqlite_utils", "structlog"),
}


_SPARED = {"dateutil", "platformdirs", "zoneinfo"}
"""What a command that does not need it would wait for."""

_FOR_IDS = {"csv", "email", "importlib.metadata", "importlib.resources", "socket", "zipfile"}
"""What the library of ids loads: only what makes one waits for it."""

_DATACLASSES = {
    # pydantic reads them for the HTTP interface
    "vault.operations.approve.ApprovalItem",
    *(f"vault.operations.items.{kind}Item" for kind in ("Finding", "Snapshot", "Tombstone")),
    "vault.operations.items.VolumeItem",
    # their texts leave the keys out
    *(f"vault.codec.keyring.{name}" for name in ("RecoveryKit", "SessionKeys", "WriterKeys")),
    # `vault --help` loads no msgspec
    *("vault.cli.app.Family", "vault.cli.parameters._Plain"),
}
"""All other values are msgspec's: each dataclass costs a millisecond whenever it is loaded."""

_PROGRAM = """
import json, sys
from vault.cli.app import run

status = run(sys.argv[1:])
made = [
    f"{name}.{value.__qualname__}"
    for name, module in sys.modules.items()
    if name.startswith(("vault.", "adapters."))
    for value in vars(module).values()
    if getattr(value, "__module__", "") == name
    and "__dataclass_fields__" in getattr(value, "__dict__", ())
]
print(json.dumps([sorted(sys.modules), made]))
sys.exit(status)
"""


def _begun(home: Path, *words: str) -> tuple[set[str], set[str]]:
    """The modules that a command line has loaded when it ends, and our dataclasses in them."""
    environment = dict(os.environ, VAULT_HOME=str(home))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment,
    )
    modules, made = json.loads(done.stdout.splitlines()[-1])
    return set(modules), set(made)


def _loaded(home: Path, *words: str) -> set[str]:
    """The modules that a command line has loaded when it ends."""
    return _begun(home, *words)[0]


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """`vault --help` starts quickly: no command, no library of the work is imported for it."""
    loaded = _loaded(tmp_path, "--help")
    assert not loaded & (_HEAVY | {"msgspec", "rich", "vault.library", "vault.cli.output"})


def test_status_loads_nothing_heavy(tmp_path: Path) -> None:
    """Who asks at 2 a.m. waits for nothing that the catalog's answer does not need."""
    _loaded(tmp_path, "init", "--store", f"file://{tmp_path}/store?immutable=no")
    _loaded(tmp_path, "status")  # a catalog that knows nothing yet asks the store
    for words in (["status", "--json"], ["status"]):
        loaded = _loaded(tmp_path, *words)
        assert "vault.operations.status" in loaded
        assert not loaded & (_HEAVY | {"email", "rich", "vault.operations.capture"})


def test_a_snapshot_loads_nothing_that_writes_or_draws(tmp_path: Path) -> None:
    """What every hour begins with: no restore, no key files, no colours for a pipe."""
    volume = tmp_path / "volume"
    volume.mkdir()
    store = f"file://{tmp_path}/store?immutable=no"
    for words in (["init", "--store", store], ["volume", "add", "v", str(volume)]):
        _loaded(tmp_path / "home", *words)
    loaded = _loaded(tmp_path / "home", "snapshot", "v")
    assert "adapters.directory.scan" in loaded
    writes = {"adapters.directory.restoration", "adapters.directory.quarantine"}
    keys = "cryptography.hazmat.primitives.serialization"
    assert not loaded & ({"boto3", "pydantic", "rich", keys} | writes)


def test_short_commands_begin_with_what_they_need(tmp_path: Path) -> None:
    """Whoever deletes, undoes, looks or protects waits for no library that does not help."""
    home, volume = tmp_path / "home", tmp_path / "volume"
    volume.mkdir()
    (volume / "notes").write_text("of today\n")
    store = f"file://{tmp_path}/store?immutable=no"
    for words in (["init", "--store", store], ["volume", "add", "v", str(volume)]):
        _loaded(home, *words)
    for words in (
        ["snapshot", "v"],
        ["cat", "v@latest", "notes"],
        ["delete", "v", "--reason", "no longer used"],
        ["status"],
        ["undelete", "--all", "--since", "10m"],
    ):
        modules, made = _begun(home, *words)
        reads = words[0] == "status"
        assert modules & (_SPARED | _FOR_IDS if reads else _SPARED) == set(), words
        assert ("vault.repository.writer" in modules) == (words[0] == "snapshot"), words
        assert made - _DATACLASSES == set(), words


def test_every_extra_that_is_told_of_is_there() -> None:
    """What hints and documents say to install, pyproject.toml has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = {f"{project['name']}[{extra}]" for extra in project["optional-dependencies"]}
    texts = [*(ROOT / "vault").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    texts += [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    told = {
        (path.relative_to(ROOT), name)
        for path in texts
        for name in re.findall(r"[\w-]*vault[\w-]*\[[a-z]+\]", path.read_text("utf-8"))
    }
    assert len({name for _, name in told}) > 5
    assert sorted(f"{path}: {name}" for path, name in told if name not in known) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_run_and_say_how(script: Path) -> None:
    """Executable where there is no ending, with a call to copy near the top."""
    assert script.name in "\n".join(script.read_text("utf-8").splitlines()[:12])
    assert script.suffix or script.stat().st_mode & 0o111
