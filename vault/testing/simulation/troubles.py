"""What goes wrong, and who makes it so: power, clocks, networks, and an attacker.

The attacker holds the daemon's store credential (lays versions and markers over anything, and adds
what it likes), is root of the host's clock and disk, and has no key of the vault's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from vault.codec.envelope import sign
from vault.codec.signing import SigningKey
from vault.lifecycle.event import Actor, Event, EventType, encode_event
from vault.store.names import named
from vault.testing.simulation.actors import DaemonLife, Task
from vault.testing.simulation.world import World

_CACHES: Final = ("catalog.db*", "index.db*", "baselines/*", "uptime.json")


@dataclass(slots=True)
class Troubles:
    """Things that happen between two steps, or, those of the store, in the midst of one."""

    world: World
    daemon: DaemonLife

    def strike(self) -> None:
        """Let something happen, as this world's climate has it."""
        dice, climate = self.world.dice, self.world.climate
        self.world.cut = dice.random() < climate.outages / 4
        if dice.random() < climate.deaths / 5:
            self._reboot()
        if dice.random() < climate.lies:
            self._lie()
        elif dice.random() < 0.5:
            self.world.lie(timedelta(0))
        if dice.random() < climate.attacks / 2:
            self._attack(self._on_the_host())

    def intruder(self) -> Task:
        """The attacker at the store, while others work with it."""
        world = self.world
        process = world.process("intruder")

        def work() -> None:
            for _ in range(world.dice.randint(1, 3)):
                self._attack(self._on_the_store())
                world.scheduler.reach(process)

        return process, work

    def _reboot(self) -> None:
        off = timedelta(minutes=self.world.dice.choice([1, 30, 60 * 10, 60 * 50]))
        self.daemon.end()
        self.world.host.shut_down()
        self.world.pass_time(off)
        self.world.host.start()
        self.world.disk.mounts += 1
        self.world.counts["power cuts"] += 1
        self.world.note("power was gone for a while")

    def _lie(self) -> None:
        minutes = self.world.dice.choice([-3, 6, -20, 60 * 24 * 3, -60 * 24 * 3, 60 * 24 * 60])
        self.world.lie(timedelta(minutes=minutes, seconds=self.world.dice.random()))
        self.world.note(f"the host's clock is {minutes} minutes off")

    def _attack(self, deeds: dict[str, Callable[[], str]]) -> None:
        """One of these deeds, which says what it was done to: to nothing, it is not counted."""
        name, attack = self.world.dice.choice(list(deeds.items()))
        what = attack()
        self.world.counts[f"attacker {name}"] += bool(what)
        self.world.note(f"attacker: {name}: {what or 'nothing there'}")

    # --- on the host -----------------------------------------------------------------------------

    def _on_the_host(self) -> dict[str, Callable[[], str]]:
        return {
            "destroys a volume": self._destroy,
            "moves a volume away": self._evict,
            "brings it back": self._return,
            "puts another in its place": self._replace,
            "takes what is quarantined": self._loot,
            "clears the caches": self._clear,
            "edits the settings": self._edit,
        }

    def _somewhere(self) -> str:
        return self.world.dice.choice(
            [v.location for v in self.world.oracle.volumes.values()] or ["/srv/nothing"]
        )

    def _destroy(self) -> str:
        place = self._somewhere()
        return place if self.world.disk.places.pop(place, None) else ""

    def _evict(self) -> str:
        place = self._somewhere()
        return place if self._evict_from(place) else ""

    def _return(self) -> str:
        disk, back = self.world.disk, ""
        for away in [name for name in disk.places if name.startswith("/away")]:
            place = away.removeprefix("/away")
            if place not in disk.places:
                disk.places[place], back = disk.places.pop(away), place
        return back

    def _replace(self) -> str:
        place, disk = self._somewhere(), self.world.disk
        self._evict_from(place)
        if place in disk.places:
            return ""
        disk.put(disk.make(place), b"another", b"another's")
        return place

    def _evict_from(self, place: str) -> bool:
        disk, away = self.world.disk, f"/away{place}"
        can = place in disk.places and away not in disk.places
        if can:
            disk.places[away] = disk.places.pop(place)
        return can

    def _loot(self) -> str:
        places = [place for place in self.world.disk.places if place.endswith("/data")]
        if not places:
            return ""
        place = self.world.dice.choice(places)
        del self.world.disk.places[place]
        return place.rpartition("/.trash")[0]

    def _clear(self) -> str:
        pattern = self.world.dice.choice(_CACHES)
        self.daemon.end()
        found = list(self.world.home("writer").glob(pattern))
        for path in found:
            path.unlink()
        if pattern.startswith("uptime"):
            self.world.record_lost = self.world.time.at
        return pattern if found else ""

    def _edit(self) -> str:
        """Ask for no more than the charter's window."""
        path = self.world.home("writer") / "vault.toml"
        text = path.read_text("utf-8")
        longer, shorter = 'window = "72h"', 'window = "48h"'
        path.write_text(text.replace(longer, shorter), "utf-8")
        self.world.window = timedelta(hours=48)
        return shorter if longer in text else ""

    # --- on the store ----------------------------------------------------------------------------

    def _on_the_store(self) -> dict[str, Callable[[], str]]:
        return {
            "lays a marker": self._marker,
            "lays another version": self._overwrite,
            "lays a twin": self._twin,
            "forges an event": self._forge,
            "replays a record": self._replay,
            "leaves something behind": self._stray,
        }

    def _some_key(self, prefix: str = "") -> str:
        """Some key; empty where there is none."""
        keys = sorted({version.key for version in self.world.server.list(prefix)})
        return self.world.dice.choice(keys) if keys else ""

    def _marker(self) -> str:
        key = self._some_key()
        if key:
            self.world.server.lay_marker(key)
            self.world.reports.tampered.add(key)
        return key

    def _overwrite(self) -> str:
        key, dice = self._some_key(), self.world.dice
        if key:
            size = next(self.world.server.list(key)).size
            data = dice.randbytes(dice.choice([0, size, size + 1]))
            self._lay(key, data, timedelta(days=9))
        return key

    def _twin(self) -> str:
        """The same bytes once more, with a later date."""
        key = self._some_key()
        oldest = [v for v in self.world.server.list(key or "none/") if not v.marker][-1:]
        for version in oldest:
            data = self.world.server.get(version.key, version=version.version)
            self.world.server.lay_version(version.key, data, self.world.server.now())
        return key if oldest else ""

    def _forge(self) -> str:
        world, graves = self.world, list(self.world.oracle.graves.values())
        if not graves:
            return ""
        grave = world.dice.choice(graves)
        kind = world.dice.choice(
            [EventType.RELEASED, EventType.PURGED, EventType.UNDELETED, EventType.QUARANTINED]
        )
        event = Event(
            id=f"evt_{'6' * 26}",
            vault=world.vault_id,
            type=kind,
            volume=grave.volume,
            tombstone=grave.id,
            at=world.server.now() - timedelta(days=30),
            actor=Actor("human", "operator"),
        )
        stranger = SigningKey(world.dice.randbytes(32))
        data = sign("event", world.vault_id, encode_event(event), stranger)
        self._lay(named(f"events/{grave.volume}/{event.id}", data), data)
        return str(kind)

    def _replay(self) -> str:
        """An authentic record, under a name that says something else."""
        key = self._some_key("events/")
        data = next(iter(self._bytes(key)), None) if key else None
        if data is None:
            return ""
        stem = key.rpartition("/")[0]
        self._lay(named(f"{stem}/evt_{'5' * 26}", data), data)
        return key

    def _bytes(self, key: str) -> list[bytes]:
        server = self.world.server
        return [
            server.get(key, version=version.version)
            for version in server.list(key)
            if not version.marker
        ]

    def _stray(self) -> str:
        prefix = self.world.dice.choice(["snapshots/", "events/", "packs/", "index/", "keys/"])
        self._lay(f"{prefix}left-behind-{len(self.world.trace)}", b"something")
        return prefix

    def _lay(self, key: str, data: bytes, lock: timedelta = timedelta(days=50)) -> None:
        self.world.server.lay_version(key, data, self.world.server.now() + lock)
        self.world.reports.tampered.add(key)
