"""P9: one environment's library, command line and home tell nothing of another, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.processes import VAULT
from tests.promises.embedded import Embedded, embed
from tests.promises.users import open_ground, run_as, skip_unless_others_can_run, tried_as
from vault.errors import SourceOverlaps, UsageError, VaultError
from vault.library import Vault
from vault.lifecycle.due import Task
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest

OTHER = 65534
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Foreign:
    """A site that serves staging alone, and what is in production: names and ids of each kind."""

    site: Embedded
    names: tuple[str, ...]

    def served(self) -> Vault:
        """The vault as whatever runs from this home has it."""
        return self.site.vault()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """A production volume with a snapshot, a deleted one, and one of staging's own."""
    site = embed(tmp_path_factory.mktemp("p09"))
    with site.vault() as vault:
        for name, environment in (("mail", "production"), ("own", "staging")):
            place = site.root / "srv" / name
            place.mkdir()
            (place / "file").write_bytes(name.encode())
            vault.add_volume(Enrolment(name=name, path=str(place), environment=environment))
            vault.snapshot(name)
        snapshot = vault.snapshot("db").id
        gone = vault.delete("mail", reason="to have a tombstone").id
        names = ("db", "mail", vault.volume("db").id, snapshot, gone)
    settings = site.home / "vault.toml"
    before = settings.read_text("utf-8")
    serve(site.home, "staging")
    yield Foreign(site, (*names, *(name[:-3] for name in names[2:])))
    settings.write_text(before, "utf-8")


def serve(home: Path, environment: str) -> None:
    """Let a home serve one environment alone."""
    with (home / "vault.toml").open("a") as file:
        file.write(f'\n[serves]\nenvironment = "{environment}"\n')


def made_up(name: str) -> str:
    """What looks alike and is nowhere."""
    if "_" not in name:
        return "x" * len(name)
    kind, _, bare = name.partition("_")
    return f"{kind}_{bare[::-1]}"


CALLS: dict[str, Callable[[Vault, str], Any]] = {
    "volume": lambda vault, name: vault.volume(name),
    "snapshot": lambda vault, name: vault.snapshot(name),
    "snapshots": lambda vault, name: vault.snapshots(name),
    "pause": lambda vault, name: vault.pause(name),
    "resume": lambda vault, name: vault.pause(name, resume=True),
    "acknowledge": lambda vault, name: vault.acknowledge(name),
    "remove": lambda vault, name: vault.remove_volume(name),
    "delete": lambda vault, name: vault.delete(name, reason="a mismatch", task="OPS-1"),
    "made before": lambda vault, name: vault.deleted_by_caller(name, reason="a mismatch"),
    "tombstone": lambda vault, name: vault.tombstone(name),
    "undelete": lambda vault, name: vault.undelete([name]),
    "hold": lambda vault, name: vault.hold(name, "looking"),
    "release": lambda vault, name: vault.release(name),
    "purge early": lambda vault, name: vault.purge_early(name, reason="a mismatch"),
    "keep": lambda vault, name: vault.keep(name, "daily=9", reason="a mismatch"),
    "move": lambda vault, name: vault.move_volume(name, "production", reason="a mismatch"),
    "ls": lambda vault, name: list(vault.ls(name)),
    "cat": lambda vault, name: list(vault.cat(name, "file")),
    "diff": lambda vault, name: list(vault.diff(name)),
    "rehearse": lambda vault, name: vault.rehearse(name),
    "restore": lambda vault, name: vault.restore(
        RestoreRequest(what=name, to=Path("/nowhere/at/all"), dry_run=True)
    ),
    "restore in place": lambda vault, name: vault.restore(RestoreRequest(what=name, in_place=True)),
    "copy": lambda vault, name: vault.restore(
        RestoreRequest(what=name, to=Path("/nowhere/at/all"), environment="staging")
    ),
}


def told(vault: Vault, call: Callable[[Vault, str], Any], name: str) -> tuple[Any, list[str]]:
    """The whole answer with the name taken out, and the queries that led to it."""
    queries: list[str] = []
    handle = vault._local.catalog.connection._handle
    handle.set_trace_callback(queries.append)
    try:
        answer: Any = call(vault, name)
    except VaultError as error:
        parts = (error.code, error.message, error.safe, error.hint, error.retryable)
        answer = (type(error), *parts)
    finally:
        handle.set_trace_callback(None)
    return without(name, repr(answer)), [without(name, query) for query in queries]


def without(name: str, text: str) -> str:
    """The text, in which a name, whole or as the beginning of an id, is X."""
    bare = name.partition("_")[2]
    return text.replace(name, "X").replace(bare, "X") if bare else text.replace(name, "X")


@pytest.mark.parametrize("verb", CALLS)
def test_the_library_answers_as_of_what_does_not_exist_by_the_same_queries(
    foreign: Foreign, verb: str
) -> None:
    asked = 0
    with foreign.served() as vault:
        told(vault, CALLS[verb], "warm-up")
        for name in foreign.names:
            real, nothing = (told(vault, CALLS[verb], n) for n in (name, made_up(name)))
            assert real[0] == nothing[0], name
            assert real[1] == nothing[1], name
            asked += len(real[1])
            assert "Unknown" in real[0]
    assert asked
    assert foreign.site.source.exists()


COMMANDS = (
    *(("volume", verb, "{}") for verb in ("show", "pause", "acknowledge", "remove")),
    ("snapshot", "{}"),
    ("snapshots", "{}"),
    ("delete", "{}", "--reason", "a mismatch"),
    ("undelete", "{}"),
    ("hold", "{}", "--reason", "looking"),
    ("release", "{}"),
    ("purge-early", "{}", "--reason", "a mismatch"),
    ("volume", "keep", "{}", "daily=9"),
    ("volume", "move", "{}", "--environment", "production", "--reason", "a mismatch"),
    ("ls", "{}"),
    ("cat", "{}", "file"),
    ("diff", "{}"),
    ("rehearse", "{}"),
    ("restore", "{}", "--to", "/nowhere/at/all", "--dry-run"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_command_line_answers_as_of_what_does_not_exist(
    foreign: Foreign, words: tuple[str, ...]
) -> None:
    """The incident's own shape: whoever works in staging, with a production volume's id."""
    target = foreign.names[2]
    answers = []
    for name in (target, made_up(target)):
        done = foreign.site.run(*(word.format(name) for word in words), "--json")
        assert done.returncode not in (0, 1), done.stdout + done.stderr
        answers.append(
            (done.returncode, *(without(name, text) for text in (done.stdout, done.stderr)))
        )
    assert answers[0] == answers[1]


def test_lists_and_processes_of_one_environment_show_no_other(foreign: Foreign) -> None:
    with foreign.served() as vault:
        assert {volume.name for volume in vault.volumes()} == {"own"}
        assert {snapshot.volume for snapshot in vault.snapshots()} == {"own"}
        assert vault.tombstones() == ()
        assert [item.name for item in vault.environments()] == ["staging"]
        assert {volume.name for volume in vault.status().volumes} == {"own"}
        assert vault.status().recent == ()
        assert vault.verify().snapshots == 1
        assert {duty.volume for duty in vault.due() if duty.volume} <= {vault.volume("own").id}
        extend = next(duty for duty in vault.due() if duty.task is Task.EXTEND)
        assert vault.perform(extend) == "1 snapshots stay locked"
        assert not any("“db”" in str(check) for check in vault.doctor())
    listed = [foreign.site.run(*words).stdout for words in (("volume", "list"), ("snapshots",))]
    assert not any(name in text for name in ("db", "mail") for text in listed)


def test_a_home_that_serves_one_environment_opens_no_other(foreign: Foreign) -> None:
    with pytest.raises(UsageError, match="serves “staging” alone"):
        Vault.open(foreign.site.home, environment="production").close()
    done = foreign.site.run("daemon", "--once", "--environment", "production")
    assert done.returncode == 2
    assert "serves “staging” alone" in done.stderr


# --- sources: unique across environments ---------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Embedded:
    """A production volume with a snapshot, and an ephemeral environment."""
    site = embed(tmp_path)
    with site.vault() as vault:
        vault.add_environment("preview", ephemeral=True, window=HOUR)
        vault.snapshot("db")
    return site


def by_a_link(site: Embedded) -> Path:
    """The same folder, called otherwise."""
    (site.root / "link").symlink_to(site.source)
    return site.root / "link"


def moved(site: Embedded) -> Path:
    """The very folder, somewhere else."""
    site.source.rename(site.root / "moved")
    return site.root / "moved"


def once_removed(site: Embedded) -> Path:
    """Where it is, after its protection was taken off."""
    with site.vault() as vault:
        vault.remove_volume("db")
    return site.source


WAYS: dict[str, Callable[[Embedded], Path]] = {
    "as it is": lambda site: site.source,
    "a folder in it": lambda site: next(p for p in site.source.iterdir() if p.is_dir()),
    "the folder around it": lambda site: site.source.parent,
    "by a link": by_a_link,
    "moved": moved,
    "once removed": once_removed,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_production_source_does_not_come_back_as_ephemeral(site: Embedded, way: str) -> None:
    path = WAYS[way](site)
    with site.vault() as vault, pytest.raises(SourceOverlaps):
        vault.add_volume(Enrolment(name="mine", path=str(path), environment="preview"))


# --- a copy to work on ---------------------------------------------------------------------------


def test_a_copy_is_worked_on_and_deleted_instead_of_the_original(
    site: Embedded, tmp_path: Path
) -> None:
    copy = tmp_path / "preview" / "db"
    words = ("restore", "db", "--environment", "preview", "--to", str(copy), "--name", "work")
    done = site.run(*words)
    assert done.returncode == 0, done.stderr
    assert "vol_" in done.stdout
    with site.vault() as vault:
        of_both = {v.name: (v.id, v.environment) for v in vault.volumes()}
        assert (of_both["db"][1], of_both["work"][1]) == ("production", "preview")
    serve(site.home, "preview")
    with site.vault() as vault:
        assert [volume.name for volume in vault.volumes()] == ["work"]
        vault.snapshot("work")
        gone = vault.delete("work", reason="done with it")
        assert not copy.exists()
        assert gone.undo_until is not None
        assert gone.created_at is not None
        assert gone.undo_until - gone.created_at < timedelta(hours=2)
    assert site.source.exists()


# --- a home for each environment -----------------------------------------------------------------


@pytest.fixture
def ground() -> Iterator[Path]:
    """Homes of two users: production is root's, staging another's."""
    with open_ground() as ground:
        skip_unless_others_can_run(OTHER, {"PATH": os.environ["PATH"]}, ground)
        yield ground


def environ(home: Path) -> dict[str, str]:
    """What a process of that home is started with."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "VAULT_HOME": str(home / "vault"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_CONFIG_FILE": os.devnull,
    }


def test_each_environment_is_a_home_of_its_own_user(ground: Path) -> None:
    """Own file, uid, catalog, credentials and store: neither knows anything of the other."""
    production, staging = ground / "production", ground / "staging"
    for home, uid in ((production, 0), (staging, OTHER)):
        home.mkdir(mode=0o700)
        (home / "credentials").write_text(f"[{home.name}]\naws_access_key_id = {home.name}\n")
        os.chmod(home / "credentials", 0o600)
        (home / "data").mkdir()
        (home / "data" / "file").write_text(home.name)
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid)
        vaulted(home, uid, "init", "--environment", home.name)
        vaulted(home, uid, "volume", "add", "db", str(home / "data"))
        vaulted(home, uid, "snapshot", "db")
        vaulted(home, uid, "daemon", "--once", "--environment", home.name, "--listen", "")
    ours, theirs = (Vault.open(home / "vault") for home in (production, staging))
    with ours, theirs:
        assert [volume.environment for volume in ours.volumes()] == ["production"]
        assert [volume.environment for volume in theirs.volumes()] == ["staging"]
        assert [item.name for item in theirs.environments()] == ["staging"]
        target = ours.volume("db").id
        assert theirs.volume("db").id != target
    refused = vaulted(staging, OTHER, "volume", "show", target, "--json", status=None)
    nothing = vaulted(staging, OTHER, "volume", "show", made_up(target), "--json", status=None)
    assert without(target, refused) == without(made_up(target), nothing)
    secrets = [path for path in production.rglob("*") if path.is_file()]
    assert len(secrets) > 8
    found = tried_as(
        OTHER,
        production / "vault",
        production / "vault" / "vault.toml",
        secrets=secrets,
        env={"PATH": os.environ["PATH"]},
    )
    assert set(found.values()) <= {"Permission denied", "Operation not permitted"}, found
    pointed = environ(staging) | {"VAULT_HOME": str(production / "vault")}
    done = run_as(OTHER, [VAULT, "status"], pointed, staging)
    assert done.returncode not in (0, 1)
    assert "Traceback" not in done.stderr


def vaulted(home: Path, uid: int, *words: str, status: int | None = 0) -> str:
    """Run `vault WORDS…` as the user of a home; all that it said."""
    done = run_as(uid, [VAULT, *words], environ(home), home)
    assert done.returncode == status or (status is None and done.returncode not in (0, 1)), (
        done.stdout + done.stderr
    )
    return done.stdout + done.stderr
