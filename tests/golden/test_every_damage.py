"""Every kind of damage on every kind of stored object of each frozen repository.

Vault and scripts/rescue.py restore what no damaged byte is needed for, name the rest, and return
nothing else; whoever verifies with vault is told of the object.

The damage is drawn: VAULT_TEST_SEED repeats a run, and every failure names its seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.damage.homes import SEED
from tests.damage.judging import Folder, Origin, by_rescue, by_vault, judge, run, unnamed
from tests.damage.kinds import KINDS
from tests.damage.matrix import Damage, damages, of_kinds, one_of_each, some
from tests.damage.reach import survey
from tests.golden.make import VAULT, describe
from tests.golden.reading import VERSIONS, Golden, differences, expected, present
from vault.operations import auditing
from vault.testing.trees import read_tree

LATER = {"v1": {"audit", "stamps"}, "v2": {"stamps"}}
"""Kinds that came after a version was frozen."""


@pytest.fixture(scope="module", params=VERSIONS)
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Each of them, with what its newest snapshot holds."""
    golden = Golden(request.param, tmp_path_factory.mktemp(request.param))
    root = golden.folder / "store" / "objects"
    stored = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert of_kinds(stored).keys() == set(KINDS) - LATER.get(golden.version, set())
    newest = golden.snapshots()[-1]
    kit, target = golden.folder / "recovery.kit", golden.folder / "whole"
    held = {newest.header.id: survey(golden.url, kit)[newest.header.id]}
    origin = Origin(stored, {}, held, kit, VAULT)
    place = Folder(golden.folder / "place", stored)
    never = by_vault(origin, place, newest.header.id, target).named
    whole, unread = golden.read(newest)
    assert (describe(iter(whole.values())), unread) == (expected(golden.version, 3), [])
    devices = {path for path, (item, _) in whole.items() if item.rdev}
    assert never == (set() if os.geteuid() == 0 else devices)
    assert present(target) == whole.keys() - never
    assert differences(whole, target) == []
    return replace(origin, trees={newest.header.id: read_tree(target)}, never=never)


@pytest.mark.parametrize("most", [20, pytest.param(None, marks=pytest.mark.long)])
def test_what_is_not_damaged_comes_back(
    origin: Origin, tmp_path: Path, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the rest is named, by both."""
    monkeypatch.setattr(auditing, "_SETTLING", timedelta(0))
    place = Folder(tmp_path / "store", origin.objects)
    cases = list(damages(origin.objects, origin.vault, SEED))
    if most:
        cases = some(one_of_each(cases, SEED), SEED, most)
    number = iter(range(len(cases) * 2 + 2))

    def examine(damage: Damage) -> Iterator[str]:
        for restore in (by_vault, by_rescue):
            for asked in origin.trees:
                target = tmp_path / str(next(number))
                outcome = restore(origin, place, asked, target)
                if wrong := judge(origin, damage, asked, outcome, target):
                    yield f"{restore.__name__}: {wrong}"
        yield from unnamed(origin, place, damage)

    wrong = run(origin, place, cases, examine)
    assert not wrong, "\n".join([f"VAULT_TEST_SEED={SEED}", *wrong])
