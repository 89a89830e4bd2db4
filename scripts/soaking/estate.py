"""The volumes and what must be true of them: an independent record of everything acknowledged."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from soaking import trees
from soaking.audit import Auditor
from soaking.world import World
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import HALF_DONE, fold
from vault.testing.trees import Tree, read_tree

_PATIENCE = 900


@dataclass
class Volume:
    """One volume: every state its tree was ever in, and what became of it as far as is known.

    `status` is active, deleted, purged, or unsure: a killed command leaves it so until a look.
    """

    name: str
    path: Path
    id: str = ""
    states: list[Tree] = field(default_factory=list)
    status: str = "active"
    tombstone: str = ""
    held: bool = False

    def note(self) -> None:
        """Its tree stands still now."""
        state = read_tree(self.path)
        if not self.states or self.states[-1] != state:
            self.states.append(state)


@dataclass
class Estate:
    """All volumes, and the operator who works on them with the command line."""

    world: World
    auditor: Auditor
    rng: random.Random
    complain: Callable[[str], None]
    tell: Callable[..., None]
    volumes: list[Volume] = field(default_factory=list)
    exact: dict[str, Tree] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, by: int = 1) -> None:
        """One more of these."""
        self.counts[what] = self.counts.get(what, 0) + by

    def pick(self, *status: str) -> Volume | None:
        """Any volume that stands so."""
        found = [volume for volume in self.volumes if volume.status in status]
        return self.rng.choice(found) if found else None

    # --- the operator's words

    def run(self, *words: str, may_die: bool = True) -> list[dict[str, Any]] | None:
        """What the command answered; None where it failed or was killed, now and then, halfway."""
        process = subprocess.Popen(
            self.world.words(*words, "--json"),
            env=self.world.environ("operator"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        dying = may_die and self.rng.random() < 0.12
        try:
            out, err = process.communicate(timeout=self.rng.uniform(0.3, 2) if dying else _PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        if dying and process.returncode == -9:
            self.count("operator killed")
            return None
        if process.returncode not in (0, 3):
            self.count("refused or failed")
            lines = err.decode(errors="replace").strip().splitlines()
            self.tell("failed", words=list(words), status=process.returncode, why=lines[-1:])
            return None
        items: list[dict[str, Any]] = json.loads(out)["items"]
        return items

    def add(self) -> None:
        """A new volume."""
        self.count("volumes tried")
        name = f"v{self.counts['volumes tried']:03d}"
        volume = Volume(name, self.world.scene.source.parent / name)
        trees.fill(volume.path, self.rng)
        volume.note()
        if self.run("volume", "add", name, str(volume.path), may_die=False) is not None:
            self.volumes.append(volume)
            self.count("volumes")

    def change(self, volume: Volume) -> None:
        """Its tree changes."""
        trees.change(volume.path, self.rng)
        volume.note()
        self.count("changes")

    def snapshot(self, volume: Volume) -> None:
        """One by hand: it holds what stands there now."""
        items = self.run("snapshot", volume.name)
        if items:
            self.exact[items[0]["id"]] = volume.states[-1]
            until = datetime.fromisoformat(items[0]["locked_until"])
            self.auditor.acknowledged[items[0]["id"]] = until
            self.count("snapshots by hand")

    def delete(self, volume: Volume) -> None:
        """It becomes a tombstone, or the command dies."""
        items = self.run("delete", volume.name, "--reason", "soak")
        volume.status, volume.held = "unsure", False
        if items:
            volume.tombstone = items[0]["id"]
            self.acknowledged(volume, "deleted")
            self.count("deletes")

    def undelete(self, volume: Volume) -> None:
        """It comes back, the same; or the purger was first."""
        items = self.run("undelete", volume.tombstone)
        volume.status = "unsure"
        if items and items[0]["state"] == "restored":
            self.acknowledged(volume, "active")
            self.count("undeletes")

    def hold(self, volume: Volume) -> None:
        """On, once; people would have to agree that it is taken off."""
        words = ("hold", volume.tombstone, "--reason", "soak")
        if not volume.held and self.run(*words, may_die=False) is not None:
            volume.held = True
            self.count("holds")

    def acknowledged(self, volume: Volume, status: str) -> None:
        """A command said so: the disk says the same."""
        volume.status = status
        there = volume.path.exists()
        if there is not (status == "active"):
            self.complain(f"{volume.name} is said to be {status}, and its place exists: {there}")
        elif there:
            self.same(volume, volume.path)

    def same(self, volume: Volume, place: Path) -> None:
        """Nobody but this changes it: every byte is as it was left."""
        if read_tree(place) != volume.states[-1]:
            self.complain(f"{volume.name} at {place} is not what it was")
        self.count("trees compared")

    # --- looking

    def settle(self) -> None:
        """What the store says of each volume, against the disk and what was acknowledged."""
        sight = self.auditor.last
        assert sight is not None
        for volume in self.volumes:
            history = [s for s in sight.events if s.event.details.get("name") == volume.name]
            volume.id = history[0].event.volume if history else volume.id
            mine = sorted(t for t, v in sight.tombstones().items() if v == volume.id)
            if not mine or volume.status == "purged":
                if volume.status == "unsure":
                    self._resolve(volume, None, {})
                continue
            if volume.status == "deleted" and volume.tombstone not in mine:
                self.complain(f"acknowledged and not in the store: {volume.tombstone}")
            at = sight.of_tombstone(mine[-1])
            if EventType.PURGED in at:
                self._purged(volume, mine[-1])
            elif volume.status == "unsure":
                self._resolve(volume, mine[-1], at)
            elif volume.status == "deleted":
                self._quarantined(volume)

    def _purged(self, volume: Volume, tombstone: str) -> None:
        if volume.status == "active":
            self.complain(f"purged after it was undeleted: {volume.name}")
        if volume.held:
            self.complain(f"purged while held: {volume.name}")
        if volume.path.exists() or self._places(tombstone):
            self.complain(f"purged and still there: {volume.name}")
        volume.status, volume.tombstone = "purged", tombstone
        self.count("purges")

    def _resolve(
        self, volume: Volume, tombstone: str | None, at: dict[EventType, datetime]
    ) -> None:
        """After a killed command: in its place, or in quarantine; the daemon finishes the rest."""
        places = self._places(tombstone) if tombstone else []
        if volume.path.exists():
            if EventType.UNDELETED in at or EventType.QUARANTINE_ABANDONED in at or not at:
                self.same(volume, volume.path)
                volume.status, volume.held = "active", False
        elif EventType.QUARANTINED in at and len(places) == 1 and not self._half_done(tombstone):
            volume.status, volume.tombstone = "deleted", tombstone or ""
            self._same_unless_purged(volume, places[0])
        elif EventType.PURGE_STARTED not in at and not places:
            self.complain(f"{volume.name} is neither in its place nor in quarantine")

    def _half_done(self, tombstone: str | None) -> bool:
        """Whether the daemon has to finish it first."""
        sight = self.auditor.last
        assert sight is not None
        mine = [(s.event, s.stored_at) for s in sight.events if s.event.tombstone == tombstone]
        return fold(mine).state in HALF_DONE

    def _quarantined(self, volume: Volume) -> None:
        """The data of a tombstone, now and then."""
        places = self._places(volume.tombstone)
        sight = self.auditor.last
        assert sight is not None
        begun = EventType.PURGE_STARTED in sight.of_tombstone(volume.tombstone)
        if begun:
            return
        if len(places) == 1:
            if self.rng.random() < 0.3:
                self._same_unless_purged(volume, places[0])
        elif not self._purge_began(volume):
            self.complain(f"{volume.tombstone} is not in quarantine: {places}")

    def _same_unless_purged(self, volume: Volume, place: Path) -> None:
        try:
            found = read_tree(place)
        except OSError:
            found = None
        if found != volume.states[-1] and not self._purge_began(volume):
            self.complain(f"{volume.name} in quarantine is not what it was")
        self.count("trees compared")

    def _purge_began(self, volume: Volume) -> bool:
        """Whether the purger began meanwhile, asked of the store anew."""
        return EventType.PURGE_STARTED in self.auditor.look().of_tombstone(volume.tombstone)

    def _places(self, tombstone: str) -> list[Path]:
        found = self.world.scene.source.parent.glob(f".vault-trash/{tombstone}*/data")
        return [place for place in found if place.is_dir()]

    def restore(self, snapshot: str, scratch: Path) -> None:
        """A stored snapshot gives back a state that its volume was in."""
        sight = self.auditor.last
        assert sight is not None
        header = sight.snapshots[snapshot].header
        volume = next((v for v in self.volumes if v.id == header.volume), None)
        kit = str(self.world.scene.kit)
        items = self.run("restore", snapshot, "--to", str(scratch), "--kit", kit, may_die=False)
        if items is None:
            self.count("restores not possible just then")
        elif volume is not None:
            self._compare(volume, snapshot, read_tree(scratch))
            if items[0]["findings"] or items[0].get("skipped"):
                self.complain(f"{snapshot} was restored with findings: {items[0]}")
        trees.remove(scratch)

    def _compare(self, volume: Volume, snapshot: str, found: Tree) -> None:
        exact = self.exact.get(snapshot)
        good = found == exact if exact else trees.is_state(found, volume.states)
        self.count("restores compared")
        if not good:
            self.complain(f"{snapshot} of {volume.name} is no state that it was ever in")
