"""Verbs of the purger, the daemon and the collector: purge, extend, collect."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from tests.crash.verb import Verb
from vault.errors import SourceVanished, TransitionRefused
from vault.lifecycle.due import Duty, Task
from vault.operations.history import AuditFilter
from vault.repository.snapshot import list_snapshots
from vault.store.names import pack_key
from vault.testing.trees import read_tree

WINDOW = timedelta(hours=49)
NEARLY_SHORT = timedelta(days=25)
LAPSED = timedelta(days=120)


class Purge(Verb):
    """Destroy what nothing speaks for any more; every second time it is undeleted first."""

    undo = False

    def prepare(self) -> None:
        """See Verb."""
        self.kept = read_tree(self.world.source)
        self.tombstone = self.world.delete()
        self.world.passes(timedelta(hours=1))
        self.world.daemon()
        self.world.passes(WINDOW)
        self.undo = not self.undo

    def act(self) -> str:
        """See Verb."""
        with self.world.opened("purger") as vault:
            (item,) = vault.purge().items
            assert item.verdict == "purged", item.reasons
            return item.verdict

    def settle(self, told: str) -> None:
        """See Verb."""
        back = self.undo and not told and self._undeleted()
        with self.world.opened("purger") as vault:
            verdicts = [item.verdict for item in vault.purge().items]
        with self.world.opened() as vault:
            vault.rebuild()
            item = next(t for t in vault.tombstones() if t.id == self.tombstone)
        assert verdicts in ([], ["purged"])
        assert verdicts == [] or not (told or back)
        # An undelete that came between the destruction and its record has found nothing there.
        ends = ("restored",) if back else ("purged", *(("store_only",) if self.undo else ()))
        assert item.state in ends
        assert self.world.source.exists() is back
        assert not (self.world.source.parent / ".vault-trash").exists()
        self.world.told[item.snapshot] = self.kept
        self.world.check()
        if item.state == "store_only":
            with self.world.opened() as vault:
                assert vault.acknowledge("db").state == "removed"
        if not back:
            self.world.enrol()

    def _undeleted(self) -> bool:
        with self.world.opened() as vault:
            try:
                vault.undelete([self.tombstone])
            except (TransitionRefused, SourceVanished):
                assert not list(self.world.source.parent.glob(".vault-trash/*/data"))
                return False
        assert read_tree(self.world.source) == self.kept
        return True


class Extend(Verb):
    """Lock longer what would lapse; a lock only ever grows."""

    def prepare(self) -> None:
        """See Verb."""
        if not self.world.told:
            self.world.snapshot()
        self.world.passes(NEARLY_SHORT)
        self.before = self._locks()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            said = vault.perform(Duty(Task.EXTEND, since=vault._local.clock.now()))
        assert "SHORT" not in said
        return said

    def settle(self, told: str) -> None:
        """See Verb."""
        now = self._locks()
        assert all(now[key] >= until for key, until in self.before.items())
        if told:
            self._check_long(now)
        self.world.check()
        assert self.act()
        self._check_long(self._locks())
        self.world.check()

    def _check_long(self, locks: dict[str, Any]) -> None:
        needed = self.world.reader().now() + timedelta(days=32)
        newest = list(self.world.told)[-1]
        with self.world.opened() as vault:
            records = list_snapshots(vault._reading.reader, vault._reading.charter, [])
        header = next(record.header for record in records if record.header.id == newest)
        packs = set(map(pack_key, header.packs))
        wanted = {key for key in locks if newest in key or key in packs}
        for session in header.sessions:
            wanted |= {key for key in locks if key.startswith(f"keys/{session}-")}
        assert packs
        assert packs < wanted, packs - wanted
        assert not {key for key in wanted if locks[key] < needed}

    def _locks(self) -> dict[str, Any]:
        reader = self.world.reader()
        keys = [found.key for found in reader.list("") if found.latest]
        return {key: reader.retention(key).until for key in keys}


class Collect(Verb):
    """Delete what lapsed and nobody wants; the rest is not touched."""

    def prepare(self) -> None:
        """See Verb."""
        for _ in range(3):
            self.world.change()
            self.world.snapshot()
        self.world.passes(LAPSED)
        self.world.daemon()
        self.world.change()
        self.world.snapshot()
        with self.world.opened("collector") as vault:
            plan = vault.collect(dry_run=True)
        assert plan.deleted > 0
        with self.world.opened() as vault:
            self.taken = {item.id: item.created_at for item in vault.snapshots()}
        self.before = self._keys()
        self.planned, self.begun = plan.deleted, self.world.reader().now()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened("collector") as vault:
            return f"deleted {vault.collect().deleted}"

    def settle(self, told: str) -> None:
        """See Verb."""
        assert told in ("", f"deleted {self.planned}")
        with self.world.opened("collector") as vault:
            left = vault.collect().deleted
            assert left == 0 if told else left <= self.planned
            assert vault.collect(dry_run=True).deleted == 0
        assert len(self.before - self._keys()) == self.planned
        self._check_entered(told)
        self._forget()
        self.world.check(whole=True)

    def _keys(self) -> set[tuple[str, str]]:
        return {(found.key, found.version) for found in self.world.reader().list("")}

    def _check_entered(self, told: str) -> None:
        """What went is in the log: all of it by one round, or by one that was cut short, too."""
        since = AuditFilter(kind="collected", since=self.begun)
        with self.world.opened() as vault:
            vault.resume()
            rounds = [entry.body for entry in vault.oversight.audit_show(since)]
        assert rounds[0]["versions"] == self.planned
        assert sum(one["deleted"] for one in rounds) == self.planned or not (
            told or rounds[0]["ended"]
        )

    def _forget(self) -> None:
        """What may be gone: not the last of its hour, or of an hour before the newest 24."""
        with self.world.opened() as vault:
            vault.rebuild()
            listed = {item.id for item in vault.snapshots()}
        hours: dict[str, list[str]] = {}
        for snapshot, at in sorted(self.taken.items(), key=lambda pair: pair[1]):
            hours.setdefault(at.astimezone(UTC).strftime("%Y-%m-%d %H"), []).append(snapshot)
        kept = {snapshots[-1] for snapshots in list(hours.values())[-24:]}
        assert kept <= listed
        self.world.told = {key: tree for key, tree in self.world.told.items() if key in listed}
