"""Verbs that get back: restore to a new place and in place, rebuild, joining from another host."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.verb import Verb
from vault.errors import TargetNotEmpty
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.testing.trees import Tree, read_tree


class Restore(Verb):
    """Write a snapshot to a new place; what a broken one has left is never taken for it."""

    def prepare(self) -> None:
        """See Verb."""
        if not self.world.told:
            self.world.snapshot()
        self.snapshot, self.kept = list(self.world.told.items())[-1]
        self.target = self.world.root / "target" / str(self.world.number())
        self.target.parent.mkdir(exist_ok=True)

    def act(self) -> str:
        """See Verb."""
        self._restore(self.target)
        return "restored"

    def settle(self, told: str) -> None:
        """See Verb."""
        if told:
            assert read_tree(self.target) == self.kept
        if self.target.exists() and any(self.target.iterdir()):
            with pytest.raises(TargetNotEmpty):
                self._restore(self.target)
        again = self.target.with_name(f"{self.target.name}-again")
        self._restore(again)
        assert read_tree(again) == self.kept
        self.world.check()
        for place in self.target.parent.iterdir():
            shutil.rmtree(place)

    def _restore(self, to: Path) -> None:
        with self.world.opened() as vault:
            request = RestoreRequest(what=self.snapshot, to=to, kit=self.world.kit)
            assert vault.restore(request).findings == ()


class RestoreInPlace(Verb):
    """Bring the volume itself back to a former state; the present one is kept first.

    What a broken one left beside a file (`.vault-part-…`), the next one takes away.
    """

    def prepare(self) -> None:
        """See Verb."""
        self.snapshot = self.world.snapshot()
        self.kept = self.world.told[self.snapshot]
        self.world.change()
        self.world.change()
        self.present = read_tree(self.world.source)

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            request = RestoreRequest(what=self.snapshot, in_place=True, kit=self.world.kit)
            found = {finding.what for finding in vault.restore(request).findings}
        assert found <= {"extra"}
        return "restored"

    def settle(self, told: str) -> None:
        """See Verb."""
        now = read_tree(self.world.source)
        if told:
            assert self._is_back(now)
        if now != self.present:  # it has begun: the present state was saved first
            with self.world.opened() as vault:
                vault.rebuild()
                newest = vault.snapshots("db")[-1].id
            self.world.told[newest] = self.present
        self.world.check()
        assert self.act()
        assert self._is_back(read_tree(self.world.source))
        self.world.check()

    def _is_back(self, now: Tree) -> bool:
        kept = all(now.facts[path] == facts for path, facts in self.kept.facts.items())
        return kept and not list(self.world.source.rglob(".vault-part-*"))


class Rebuild(Verb):
    """Make the catalog anew, of which every second time nothing is left."""

    lost = True

    def prepare(self) -> None:
        """See Verb."""
        self.world.change()
        self.world.snapshot()
        self.lost = not self.lost
        if self.lost:
            for file in self.world.home().glob("catalog.db*"):
                file.unlink()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return f"{vault.rebuild().snapshots} snapshots"

    def settle(self, told: str) -> None:
        """See Verb."""
        assert told in ("", f"{len(self.world.told)} snapshots")
        with self.world.opened() as vault:
            assert set(self.world.told) == {item.id for item in vault.snapshots()}
        self.world.check()
        assert self.act() == f"{len(self.world.told)} snapshots"
        self.world.check()


class Join(Verb):
    """Make a home on another host for the vault that is in the store.

    Every fourth of them then works there: a store that grows faster has a longer way to its end.
    """

    joined = 0

    def prepare(self) -> None:
        """See Verb."""
        if not self.world.told:
            self.world.snapshot()
        self.home = self.world.root / "other" / f"home-{self.world.number()}"

    def act(self) -> str:
        """See Verb."""
        Vault.join(self.home, kit=self.world.kit, **self.world.joined())
        with Vault.open(self.home) as vault:
            return f"{vault.rebuild().snapshots} snapshots"

    def settle(self, told: str) -> None:
        """See Verb."""
        assert self.act() == f"{len(self.world.told)} snapshots"
        with Vault.open(self.home) as vault:
            assert set(self.world.told) == {item.id for item in vault.snapshots()}
            assert vault.verify().findings == ()
            if self.joined % 4 == 0:
                self._work(vault)
        self.joined += 1
        self.world.check()
        assert not list(self.home.rglob("*.new"))

    def _work(self, vault: Vault) -> None:
        """Protect something on the other host."""
        place = self.world.root / "other" / f"db-{self.home.name}"
        place.mkdir()
        (place / "file").write_bytes(b"of another host")
        vault.add_volume(Enrolment(name=place.name, path=str(place)))
        taken = vault.snapshot(place.name).id
        assert b"".join(vault.cat(taken, "file", kit=self.world.kit)) == b"of another host"
        self.world.told[taken] = read_tree(place)
