"""Extend, then refer: what cannot be made sure of counts as absent."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.repository.founding import LOCK, STRANGER, lay_over
from tests.unit.repository.scene import Scene
from vault.errors import LockRefused, StoreDenied, StoreError, StoreUnreachable
from vault.repository.locks import Locks, LockTerms
from vault.repository.pack import PackHead

TREE = {b"a": b"alpha"}
LATER = LOCK + timedelta(days=20)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A vault with one snapshot."""
    made = Scene(tmp_path)
    made.record(TREE)
    return made


def heads(scene: Scene) -> list[PackHead]:
    """The packs of all entries."""
    found = {}
    for key in scene.keys("packs/"):
        digest = bytes.fromhex(key.rpartition("/")[2])
        session = scene.keys("keys/")[0].removeprefix("keys/")[:31]
        found[digest] = PackHead(digest, session, b"")
    return list(found.values())


def locks(scene: Scene, until: datetime = LATER, writer: str = "") -> Locks:
    """Locks for a recording until then."""
    return Locks(
        LockTerms(
            store=scene.store,
            index=scene.index,
            charter=scene.site.charter,
            writer=writer or scene.site.keys.signing.public_hex,
            needed=until,
            target=until,
        )
    )


def until(scene: Scene, key: str) -> datetime | None:
    """The lock of the oldest version."""
    oldest = [v for v in scene.store.list(key) if v.key == key and not v.marker][-1]
    return scene.store.retention(key, version=oldest.version).until


def test_packs_and_their_keys_are_extended(scene: Scene) -> None:
    """Both, and the next recording asks no more."""
    made = locks(scene)
    assert all(made.holds(head) for head in heads(scene))
    for key in (*scene.keys("packs/"), *scene.keys("keys/")):
        assert until(scene, key) == LATER
        scene.site.store.lose(key)
    again = locks(scene)
    assert all(again.holds(head) for head in heads(scene))


def test_the_authentic_versions_are_the_ones_that_move(scene: Scene) -> None:
    """Also where the local index has forgotten which those are."""
    keys = (*scene.keys("packs/"), *scene.keys("keys/"), *scene.keys("charter/"))
    for key in keys:
        lay_over(scene.site.store, key)
    for head in heads(scene):
        scene.index.forget_pack(head.digest)
    made = locks(scene)
    assert all(made.holds(head) for head in heads(scene))
    made.secure_charters()
    assert {until(scene, key) for key in keys} == {LATER}


def test_another_writers_sessions_are_not_relied_on(scene: Scene) -> None:
    """A bad writer cannot poison this one's snapshots."""
    made = locks(scene, writer=STRANGER.public_hex)
    assert not any(made.holds(head) for head in heads(scene))


@pytest.mark.parametrize("refusal", [LockRefused("ceiling"), StoreDenied("no right")])
def test_a_pack_that_cannot_be_extended_counts_as_absent(
    scene: Scene, refusal: StoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored anew rather than relied on."""

    def refuse(key: str, until: datetime, *, version: str) -> datetime:
        raise refusal

    monkeypatch.setattr(scene.store, "extend", refuse)
    assert not any(locks(scene).holds(head) for head in heads(scene))


def test_an_unknown_outcome_is_raised(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither held nor absent."""

    def fail(key: str, until: datetime, *, version: str) -> datetime:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(scene.store, "extend", fail)
    with pytest.raises(StoreUnreachable):
        locks(scene).holds(heads(scene)[0])


def test_a_lock_that_does_not_reach_far_enough_does_not_count(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store says that it locked is what holds."""

    def short(key: str, until: datetime, *, version: str) -> datetime:
        return until - timedelta(days=1)

    monkeypatch.setattr(scene.store, "extend", short)
    assert not any(locks(scene).holds(head) for head in heads(scene))
