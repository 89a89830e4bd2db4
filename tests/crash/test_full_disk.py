"""A disk full at every write of every verb: refused by name, nothing lost, completed with room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.accidents import fill_disk, refuse_names
from tests.crash.getting_back import Join, Rebuild, Restore, RestoreInPlace
from tests.crash.governing import Freeze
from tests.crash.keeping import Collect, Extend, Purge
from tests.crash.protecting import Delete, Hold, Init, Snapshot, Undelete
from tests.crash.small_disk import small_disk
from tests.crash.verb import Verb
from tests.crash.verbs import VERBS
from tests.crash.world import file_world

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
PLACES: dict[str, tuple[type[Verb], ...]] = {
    "home": (
        *(Snapshot, Delete, Undelete, Hold, Purge, Extend, Collect, RestoreInPlace, Rebuild),
        Freeze,
    ),
    "store": (Snapshot, Delete, Undelete, Hold, Purge, Extend, RestoreInPlace, Freeze),
    "srv": (Delete, RestoreInPlace),  # the others take no room but for names
    "target": (Restore,),
    "other": (Init, Join),
}
ALL = pytest.mark.parametrize(
    ("place", "verb"), [(place, verb) for place, verbs in PLACES.items() for verb in verbs]
)


@ALL
def test_with_a_few_pages_left(tmp_path: Path, place: str, verb: type[Verb]) -> None:
    with small_disk(tmp_path / "world" / place) as disk, file_world(tmp_path / "world") as world:
        assert fill_disk(verb(world), disk, (0, 1, 3, 8, 16, 10_000)) > 0


@pytest.mark.parametrize("verb", [Undelete, Purge])
def test_without_room_for_a_name(tmp_path: Path, verb: type[Verb]) -> None:
    """Where a folder must grow for it, a rename is refused as well."""
    with file_world(tmp_path / "world") as world:
        assert refuse_names(verb(world), (0, 1, 3, 10_000)) > 0


@pytest.mark.long
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb is not Rebuild])
def test_without_room_for_any_name(tmp_path: Path, verb: type[Verb]) -> None:
    with file_world(tmp_path / "world") as world:
        assert refuse_names(verb(world), range(10_000)) > 0


@pytest.mark.long
@pytest.mark.usefixtures("many_deletes")
@ALL
def test_at_every_page(tmp_path: Path, place: str, verb: type[Verb]) -> None:
    with small_disk(tmp_path / "world" / place) as disk, file_world(tmp_path / "world") as world:
        assert fill_disk(verb(world), disk, range(10_000)) > 0
