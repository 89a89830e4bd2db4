"""A store with one damage: what comes back of it, what is named, and whether that is all there is.

All that no damaged byte is needed for must come back as it was; all else must be named, and no
path is both, but for folders whose own entries are lost: where something below them is read, they
are made anew, closed to others, and named as that, too. Who verifies must be told which object is
damaged.
"""

from __future__ import annotations

import ast
import io
import os
import re
import runpy
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pytest

from tests.damage.matrix import Damage, Objects
from tests.damage.reach import RESCUE, Held, keys_lost, lost, remade
from vault.errors import VaultError
from vault.library import Vault
from vault.operations.items import RestoreRequest
from vault.operations.render import meant
from vault.testing.trees import Tree, read_tree


@dataclass(frozen=True)
class Origin:
    """A vault as it should be: its objects, and what each snapshot holds, oldest first.

    `never` are the paths that this system cannot make: devices, where root does not run the tests.
    """

    objects: Objects
    trees: dict[str, Tree]
    held: dict[str, Held]
    kit: Path
    vault: str
    never: frozenset[bytes] = frozenset()

    @property
    def volume(self) -> str:
        """The name of the one volume."""
        return next(iter(self.held.values())).volume


class Place(Protocol):
    """A store whose objects the attacker lays down as he likes."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def profile(self) -> str | None:
        """The credential to read it with."""

    def put(self, key: str, data: bytes | None) -> None:
        """Let these bytes (None: nothing) be all that there is of a key."""


class Folder:
    """A directory store, with these objects beside those that it has."""

    profile: str | None = None

    def __init__(self, root: Path, objects: Objects = MappingProxyType({})) -> None:
        self.url = f"file://{root}?immutable=no"
        self._objects = root / "objects"
        (root / "incoming").mkdir(parents=True, exist_ok=True)
        (root / "vault-store").touch()
        for key, data in sorted(objects.items()):
            self.put(key, data)

    def put(self, key: str, data: bytes | None) -> None:
        """See Place."""
        path = self._objects / key
        path.unlink(missing_ok=True)
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@dataclass(frozen=True)
class Outcome:
    """What a restore said: an error, or the paths that it left out; and which snapshot it took.

    `remade` are the folders that it made anew.
    """

    error: str = ""
    named: frozenset[bytes] = frozenset()
    snapshot: str = ""
    remade: frozenset[bytes] = frozenset()
    beside: tuple[str, ...] = ()


Examine = Callable[[Damage], Iterable[str]]


def by_vault(origin: Origin, place: Place, asked: str, target: Path) -> Outcome:
    """Restore with the library, from store and kit alone."""
    try:
        with Vault.from_store(place.url, origin.kit, profile=place.profile) as vault:
            report = vault.restore(RestoreRequest(what=asked, to=target, kit=origin.kit))
    except VaultError as error:
        return Outcome(error=error.message)
    paths = list(origin.held[report.snapshot].pieces)
    named, made, others = set[bytes](), set[bytes](), []
    for found in report.findings:
        if found.what == "folder-lost":
            made.add(b"" if found.path == "." else meant(found.path))
        elif found.what != "not-restored":
            others.append(found.path)
        elif found.path:
            named.add(meant(found.path))
        elif "all entries " not in found.detail:  # and nothing can be read
            named.update(paths)
        else:
            for after, before in _GAP.findall(found.detail.partition("all entries ")[2]):
                start = paths.index(meant(after.removeprefix("."))) + 1 if after else 0
                named.update(paths[start : paths.index(meant(before)) if before else None])
    return Outcome("", frozenset(named), report.snapshot, frozenset(made), tuple(others))


_GAP = re.compile("(?:after “(.*?)”(?: and )?|(?=before)|everywhere)(?:before “(.*?)”)?")
_NOT_WHOLE = re.compile(
    r"not whole: (the entries (?:from|after) )?(b?(?:'.*?'|\".*?\"))(?: on)?: "
    r"(its own entry is lost)?"
)


def by_rescue(origin: Origin, place: Place, asked: str, target: Path) -> Outcome:
    """Restore with scripts/rescue.py, in this process to be quick."""
    words = ["--store", place.url, "--kit", str(origin.kit), "--snapshot", asked]
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said), redirect_stdout(said):
        patch.setattr("sys.argv", [str(RESCUE), *words, "--to", str(target)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(RESCUE), run_name="__main__")
    if end.value.code not in (0, 3):
        return Outcome(error=f"{said.getvalue()} {end.value.code}")
    told = list(filter(None, map(_NOT_WHOLE.match, said.getvalue().splitlines())))
    lines = [(line[1], os.fsencode(ast.literal_eval(line[2])), line[3]) for line in told]
    made = {path for _, path, lost_folder in lines if lost_folder}

    def is_missing(path: bytes) -> bool:
        return path in made or not os.path.lexists(os.path.join(os.fsencode(target), path))

    named, paths = set[bytes](), list(origin.held[asked].pieces)
    for gap, path, _ in lines:
        behind = paths[paths.index(path) + 1 :] if gap else []
        named |= {*takewhile(is_missing, behind)}
        named |= set() if gap and gap.endswith("after ") else {path}
    assert (end.value.code == 3) == bool(named), said.getvalue()
    return Outcome("", frozenset(named), asked, frozenset(made))


def judge(origin: Origin, damage: Damage, asked: str, outcome: Outcome, target: Path) -> str:
    """What is wrong with that, in words; the target is as the restore left it."""
    held = origin.held[asked]
    tree = read_tree(target) if target.exists() else Tree({}, [])
    found = tree.facts
    whole = origin.trees[asked].facts
    gone, made = (reckon(held, origin.objects, damage.changes) for reckon in (lost, remade))
    same = found.keys() - {b""} - made
    if wrong := sorted(path for path in same if whole.get(path) != found[path]):
        return f"{wrong[:3]!r} are not what they were, after {outcome}"
    if unreadable(origin, damage, held) or gone == held.pieces.keys():
        silent = not outcome.error and outcome.named != held.pieces.keys()
        return (
            f"nothing can be read, and it said {outcome}"
            if silent or found.keys() - made - {b""}
            else ""
        )
    if outcome.error:
        return f"it gave up: {outcome.error}"
    if outcome.named != gone | origin.never:
        return f"{sorted(gone)} are lost, {sorted(outcome.named)} are named"
    if outcome.remade != made or any(not _is_bare(found.get(path, {})) for path in made):
        return f"{sorted(made)} are made anew, and it said {sorted(outcome.remade)}"
    if found.keys() | {b""} != (whole.keys() - gone) | made | {b""}:
        return f"{sorted((whole.keys() - gone) ^ found.keys())} differ from what can be read"
    if b"" not in gone and found[b""] != whole[b""]:
        return f"its own directory is {found[b'']}"
    return "" if gone or tree == origin.trees[asked] else f"{tree.links} are linked"


def _is_bare(facts: dict[str, object]) -> bool:
    """Whether a folder is as those are that nothing is known of."""
    owner = os.geteuid(), os.getegid()
    told = [facts.get(name) for name in ("kind", "mode", "owner", "attributes")]
    return told == [stat.S_IFDIR, "0o700", owner, {}]


def unreadable(origin: Origin, damage: Damage, held: Held) -> bool:
    """Whether nothing of a snapshot can be read: without charter, record, or its keys."""
    changed = {key for key, data in damage.changes.items() if origin.objects.get(key, data) != data}
    charters = {key for key in origin.objects if key.startswith("charter/")}
    keys = keys_lost(held.session, origin.objects, damage.changes)
    return charters <= changed or keys or held.key in changed


def unnamed(origin: Origin, place: Place, damage: Damage) -> Iterator[str]:
    """Objects that are damaged, and that no verification names."""
    try:
        with Vault.from_store(place.url, origin.kit, profile=place.profile) as vault:
            findings = vault.verify(deep=True).findings + vault.oversight.audit_verify().findings
    except VaultError as error:
        if not names_a_cause(damage, error.message, ""):
            yield f"verifying gave up: {error.message}"
        return
    named = {finding.path for finding in findings}
    for key, data in damage.changes.items():
        if _is_told(origin.objects, key, data) and not {key, key[:-65]} & named:
            yield f"{key} is not named in {sorted(named)}"


def _is_told(objects: Objects, key: str, data: bytes | None) -> bool:
    """Whether store and charter alone tell that an object is not as it should be.

    They do not of what is gone and nothing refers to; nor of packs beside the others, which only
    the kit could judge; nor of true keys and indexes under another's name, which nobody asks for.
    """
    kind = key.partition("/")[0]
    if data is None:
        logged = any(other.startswith("audit/") for other in objects)
        return kind in ("keys", "packs") or (kind == "events" and logged)
    if key in objects:
        return data != objects[key]
    return kind != "packs" and not (kind in ("keys", "index") and data in objects.values())


def check(origin: Origin, place: Place, damage: Damage, folder: Path) -> Iterator[str]:
    """Restore each snapshot from a place, and the volume; verify. What is wrong, in words.

    scripts/rescue.py restores them, too, where no credential is needed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for snapshot in origin.trees:
        target = folder / snapshot
        outcome = by_vault(origin, place, snapshot, target)
        if wrong := judge(origin, damage, snapshot, outcome, target):
            yield f"{snapshot}: {wrong}"
        if outcome.error and not names_a_cause(damage, outcome.error, snapshot):
            yield f"{snapshot}: {outcome.error} names nothing that is damaged"
        if place.profile is None:
            target = folder / f"{snapshot}-rescued"
            outcome = by_rescue(origin, place, snapshot, target)
            if wrong := judge(origin, damage, snapshot, outcome, target):
                yield f"{snapshot}, by rescue.py: {wrong}"
    if wrong := _of_volume(origin, place, damage, folder / "volume"):
        yield f"{origin.volume}: {wrong}"
    yield from unnamed(origin, place, damage)


def _of_volume(origin: Origin, place: Place, damage: Damage, target: Path) -> str:
    """The newest snapshot that can be read is taken, and one that may be newer is named."""
    outcome = by_vault(origin, place, origin.volume, target)
    changes, keys = damage.changes, [held.key for held in origin.held.values()]
    there = [at for at, held in origin.held.items() if held.key not in changes]
    if not there or outcome.error:
        newest = list(origin.trees)[-1]
        return judge(origin, damage, there[-1] if there else newest, outcome, target)
    newer = [key for key in keys[list(origin.held).index(there[-1]) + 1 :] if changes[key]]
    if outcome.snapshot != there[-1] or any(
        changes[key] and key not in outcome.beside for key in newer
    ):
        return f"not {there[-1]} and {newer}, but {outcome}"
    return judge(origin, damage, there[-1], outcome, target)


def run(origin: Origin, place: Place, cases: Iterable[Damage], examine: Examine) -> list[str]:
    """One damage after the other, each put right again; all that went wrong at once."""
    wrong = []
    for damage in (Damage("", "none", "undamaged", {}), *cases):
        for key, data in damage.changes.items():
            place.put(key, data)
        wrong += [f"{damage.how}: {damage.what}: {line}" for line in examine(damage)]
        # Snapshots are told apart by when they were stored: all are put back, in their order.
        for key in sorted({*damage.changes, *(held.key for held in origin.held.values())}):
            place.put(key, origin.objects.get(key))
    return wrong


def names_a_cause(damage: Damage, error: str, snapshot: str) -> bool:
    """Whether an error tells what is damaged: an object, or the session whose keys it held.

    Of what is gone without a trace only what was asked for can be named.
    """
    gone = None in damage.changes.values()
    causes = {*damage.changes}
    causes |= {key.split("/")[1][:31] for key in causes if key.startswith("keys/")}
    causes |= {snapshot} if gone and damage.kind == "snapshots" else set()
    causes |= {"no vault with this root key"} if gone and damage.kind == "charter" else set()
    return any(cause in error for cause in causes)
