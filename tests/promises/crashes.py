"""Operations that are killed at a step, taken up again, and checked against what they had told.

A step is whatever changes a file system or the catalog for good, or a call to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.steps import arm
from tests.promises.embedded import Embedded
from tests.promises.scenes import Scene
from vault.library import Vault
from vault.testing.crash import CrashPoint, killed_at
from vault.testing.trees import read_tree


class Crashes:
    """One vault, worked on by processes that die; `kit` opens it."""

    def __init__(self, opened: Callable[[], Vault], source: Path, kit: Path) -> None:
        self.opened = opened
        self.source = source
        self.kit = kit
        self.told: dict[str, bytes] = {}

    def run(self, number: int, work: Callable[[Vault], str]) -> tuple[bool, str]:
        """Do it in a process that dies at this step."""

        def crashing(point: CrashPoint) -> str:
            arm(point)
            with self.opened() as vault:
                return work(vault)

        died, told = killed_at(number, crashing)
        assert not told.startswith("error:"), told
        assert died is (told == "")
        return died, told

    def state(self) -> str:
        """The volume's state, which is never at odds with the file system."""
        with self.opened() as vault:
            vault.resume()
            state = vault.volume("db").state
        assert (state == "tombstoned") is not self.source.exists()
        assert state in ("active", "tombstoned")
        return state

    def check(self, *, whole: bool) -> None:
        """All that was told is listed, here and by the store alone, and gives back its bytes."""
        with self.opened() as vault:
            vault.resume()
            listed = [item.id for item in vault.snapshots("db")]
            assert set(self.told) <= set(listed)
            if whole:
                vault.rebuild()
                assert set(self.told) <= {item.id for item in vault.snapshots("db")}
                assert vault.verify(deep=True).findings == ()
            for snapshot in self.told if whole else listed[-1:]:
                data = b"".join(vault.cat(snapshot, "state", kit=self.kit))
                assert data == self.told.get(snapshot, data)
                assert data.startswith(b"state ")


def of_embedded(site: Embedded) -> Crashes:
    """One in a folder of this host."""
    fill(site.source)
    return Crashes(site.vault, site.source, site.home / "recovery.kit")


def of_scene(scene: Scene) -> Crashes:
    """One on a server."""
    fill(scene.source)
    return Crashes(scene.vault, scene.source, scene.kit)


def fill(source: Path) -> None:
    """A few files."""
    (source / "folder").mkdir()
    (source / "folder" / "inner").write_bytes(b"inner" * 1000)
    (source / "link").symlink_to("folder/inner")


def snapshots(crashes: Crashes, steps: Iterator[int]) -> int:
    """Snapshots killed at these steps, until one is not; returns how often it died."""
    deaths = 0
    for number in steps:
        data = b"state %d" % number * 3000
        (crashes.source / "state").write_bytes(data)
        died, told = crashes.run(number, lambda vault: vault.snapshot("db").id)
        if told:
            crashes.told[told] = data
        crashes.check(whole=False)
        if not died:
            break
        deaths += 1
        if number % 10 == 0:  # and now and then one that is not killed
            with crashes.opened() as vault:
                crashes.told[vault.snapshot("db").id] = data
    crashes.check(whole=True)
    return deaths


def deletes(crashes: Crashes, steps: Iterator[int]) -> int:
    """Deletes killed at these steps, each undone, until one is not."""
    kept = read_tree(crashes.source)
    for deaths, number in enumerate(steps):
        died, told = crashes.run(number, lambda vault: vault.delete("db", reason="test").id)
        state = crashes.state()
        assert state == "tombstoned" or not told
        with crashes.opened() as vault:
            gone = [t.id for t in vault.tombstones() if t.state == "tombstoned"]
            assert gone == ([told] if told else gone[-1:])
            vault.undelete(gone)
        assert read_tree(crashes.source) == kept
        if not died:
            return deaths
    return -1


def undeletes(crashes: Crashes, steps: Iterator[int]) -> int:
    """Undeletes killed at these steps, each finished, until one is not."""
    kept = read_tree(crashes.source)
    for deaths, number in enumerate(steps):
        with crashes.opened() as vault:
            tombstone = vault.delete("db", reason="test").id
        died, told = crashes.run(
            number,
            lambda vault, it=tombstone: vault.undelete([it])[0].state,  # type: ignore[misc]
        )
        assert crashes.state() == "active" or not told
        with crashes.opened() as vault:
            assert vault.undelete([tombstone])[0].state == "restored"
        assert read_tree(crashes.source) == kept
        if not died:
            return deaths
    return -1


def holds(crashes: Crashes, steps: Iterator[int]) -> int:
    """Holds killed at these steps; one that was told stands in the store."""
    with crashes.opened() as vault:
        tombstone = vault.delete("db", reason="test").id
    for deaths, number in enumerate(steps):
        died, told = crashes.run(
            number,
            lambda vault, it=tombstone: vault.hold(it, "legal").held,  # type: ignore[misc]
        )
        with crashes.opened() as vault:
            vault.rebuild()
            item = vault.tombstone(tombstone)
            assert item.held in ((told,) if told else ("", "legal"))
            vault.undelete([tombstone])
            tombstone = vault.delete("db", reason="test").id
        if not died:
            return deaths
    return -1


OPERATIONS = pytest.mark.parametrize("operation", [snapshots, deletes, undeletes, holds])
