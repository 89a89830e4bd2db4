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
            name, attack = dice.choice(list(self._on_the_host().items()))
            self.world.note(f"attacker: {name}: {attack() or 'done'}")

    def intruder(self) -> Task:
        """The attacker at the store, while others work with it."""
        world = self.world
        process = world.process("intruder")

        def work() -> None:
            for _ in range(world.dice.randint(1, 3)):
                name, attack = world.dice.choice(list(self._on_the_store().items()))
                world.note(f"attacker: {name}: {attack() or 'done'}")
                world.scheduler.reach(process)

        return process, work

    def _reboot(self) -> None:
        off = timedelta(minutes=self.world.dice.choice([1, 30, 60 * 10, 60 * 50]))
        self.daemon.end()
        self.world.host.shut_down()
        self.world.pass_time(off)
        self.world.host.start()
        self.world.disk.mounts += 1
        self.world.note("power was gone for a while")

    def _lie(self) -> None:
        minutes = self.world.dice.choice([-3, 6, -20, 60 * 24 * 3, -60 * 24 * 3, 60 * 24 * 60])
        self.world.lie(timedelta(minutes=minutes, seconds=self.world.dice.random()))
        self.world.note(f"the host's clock is {minutes} minutes off")

    # --- on the host -----------------------------------------------------------------------------

    def _on_the_host(self) -> dict[str, Callable[[], str | None]]:
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

    def _destroy(self) -> str | None:
        place = self._somewhere()
        self.world.disk.places.pop(place, None)
        return place

    def _evict(self) -> str | None:
        place = self._somewhere()
        self._evict_from(place)
        return place

    def _return(self) -> str | None:
        disk = self.world.disk
        for away in [name for name in disk.places if name.startswith("/away")]:
            place = away.removeprefix("/away")
            if place not in disk.places:
                disk.places[place] = disk.places.pop(away)
        return None

    def _replace(self) -> str | None:
        place, disk = self._somewhere(), self.world.disk
        self._evict_from(place)
        if place not in disk.places:
            disk.put(disk.make(place), b"another", b"another's")
        return place

    def _evict_from(self, place: str) -> None:
        disk, away = self.world.disk, f"/away{place}"
        if place in disk.places and away not in disk.places:
            disk.places[away] = disk.places.pop(place)

    def _loot(self) -> str | None:
        places = [place for place in self.world.disk.places if place.endswith("/data")]
        if not places:
            return "nothing there"
        place = self.world.dice.choice(places)
        del self.world.disk.places[place]
        return place.rpartition("/.trash")[0]

    def _clear(self) -> str | None:
        pattern = self.world.dice.choice(_CACHES)
        self.daemon.end()
        for path in self.world.home("writer").glob(pattern):
            path.unlink()
        if pattern.startswith("uptime"):
            self.world.record_lost = self.world.time.at
        return pattern

    def _edit(self) -> str | None:
        """Ask for no more than the charter's window."""
        path = self.world.home("writer") / "vault.toml"
        text = path.read_text("utf-8")
        path.write_text(text.replace('window = "72h"', 'window = "48h"'), "utf-8")
        self.world.window = timedelta(hours=48)
        return None

    # --- on the store ----------------------------------------------------------------------------

    def _on_the_store(self) -> dict[str, Callable[[], str | None]]:
        return {
            "lays a marker": self._marker,
            "lays another version": self._overwrite,
            "lays a twin": self._twin,
            "forges an event": self._forge,
            "replays a record": self._replay,
            "leaves something behind": self._stray,
        }

    def _some_key(self, prefix: str = "") -> str | None:
        keys = sorted({version.key for version in self.world.server.list(prefix)})
        return self.world.dice.choice(keys) if keys else None

    def _marker(self) -> str | None:
        key = self._some_key()
        if key is not None:
            self.world.server.lay_marker(key)
            self.world.reports.tampered.add(key)
        return None

    def _overwrite(self) -> str | None:
        key, dice = self._some_key(), self.world.dice
        if key is not None:
            size = next(self.world.server.list(key)).size
            data = dice.randbytes(dice.choice([0, size, size + 1]))
            self.world.server.lay_version(key, data, self.world.server.now() + timedelta(days=9))
            self.world.reports.tampered.add(key)
        return None

    def _twin(self) -> str | None:
        """The same bytes once more, with a later date."""
        key = self._some_key()
        oldest = [v for v in self.world.server.list(key or "none/") if not v.marker][-1:]
        for version in oldest:
            data = self.world.server.get(version.key, version=version.version)
            self.world.server.lay_version(version.key, data, self.world.server.now())
        return None

    def _forge(self) -> str | None:
        world, graves = self.world, list(self.world.oracle.graves.values())
        if not graves:
            return "nothing to forge"
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

    def _replay(self) -> str | None:
        """An authentic record, under a name that says something else."""
        key = self._some_key("events/")
        if key is None:
            return None
        data = next(iter(self._bytes(key)), None)
        if data is not None:
            stem = key.rpartition("/")[0]
            self._lay(named(f"{stem}/evt_{'5' * 26}", data), data)
        return None

    def _bytes(self, key: str) -> list[bytes]:
        server = self.world.server
        return [
            server.get(key, version=version.version)
            for version in server.list(key)
            if not version.marker
        ]

    def _stray(self) -> str | None:
        prefix = self.world.dice.choice(["snapshots/", "events/", "packs/", "index/", "keys/"])
        self._lay(f"{prefix}left-behind-{len(self.world.trace)}", b"something")
        return None

    def _lay(self, key: str, data: bytes) -> None:
        self.world.server.lay_version(key, data, self.world.server.now() + timedelta(days=50))
        self.world.reports.tampered.add(key)
