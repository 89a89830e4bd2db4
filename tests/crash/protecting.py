"""Verbs that protect: init, snapshot, delete, undelete, hold."""

from __future__ import annotations

from tests.crash.verb import Verb
from vault.errors import AlreadyInitialised
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.testing.trees import read_tree


class Init(Verb):
    """Make another vault; its kit opens it, whoever says so."""

    def prepare(self) -> None:
        """See Verb."""
        self.home = self.world.root / "other" / f"home-{self.world.number()}"
        self.terms = self.world.fresh(self.home)

    def act(self) -> str:
        """See Verb."""
        return Vault.init(**self.terms).vault

    def settle(self, told: str) -> None:
        """See Verb."""
        try:
            made = Vault.init(**self.terms).vault
        except AlreadyInitialised:
            made = (self.home / "vault.id").read_text("ascii").strip()
        assert told in ("", made)
        place = self.home.with_name(f"db-{self.home.name}")
        place.mkdir()
        (place / "file").write_bytes(b"of the vault that took so long")
        with Vault.open(self.home) as vault:
            assert vault.key_check(None).opens
            vault.add_volume(Enrolment(name="db", path=str(place)))
            assert b"".join(vault.cat(vault.snapshot("db").id, "file")).startswith(b"of the vault")
        assert not list(self.home.rglob("*.new"))


class Snapshot(Verb):
    """Take a snapshot of what has changed."""

    def prepare(self) -> None:
        """See Verb."""
        self.world.change()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return vault.snapshot("db").id

    def settle(self, told: str) -> None:
        """See Verb."""
        if told:
            self.world.acknowledge(told)
        self.world.check()
        self.world.snapshot()
        self.world.check()
        assert len(list((self.world.home() / "baselines").iterdir())) == 1


class Delete(Verb):
    """Make a tombstone of the volume, which is undone in the end."""

    def prepare(self) -> None:
        """See Verb."""
        self.kept = read_tree(self.world.source)

    def act(self) -> str:
        """See Verb."""
        return self.world.delete()

    def settle(self, told: str) -> None:
        """See Verb."""
        self.world.check()
        with self.world.opened() as vault:
            state = vault.volume("db").state
            assert state == "tombstoned" or (state == "active" and not told)
            assert (state == "tombstoned") is not self.world.source.exists()
            gone = [t.id for t in vault.tombstones() if t.state == "tombstoned"]
            assert gone == ([told] if told else gone[-1:])
            gone = gone or [vault.delete("db", reason="test").id]
            assert [t.state for t in vault.undelete(gone)] == ["restored"]
        assert read_tree(self.world.source) == self.kept
        self.world.check()
        assert not (self.world.source.parent / ".vault-trash").exists()


class DeleteByKey(Verb):
    """Delete under an idempotency key; before it is sent again, somebody undoes it."""

    def prepare(self) -> None:
        """See Verb."""
        self.kept, self.key = read_tree(self.world.source), f"key {self.world.number()}"

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return vault.delete("db", reason="test", key=self.key).id

    def settle(self, told: str) -> None:
        """See Verb."""
        self.world.check()
        with self.world.opened() as vault:
            gone = [t.id for t in vault.tombstones() if t.state == "tombstoned"]
            vault.undelete(gone)
            made = vault.delete("db", reason="test", key=self.key)
            assert told in ("", made.id)
            assert (made.state, [made.id] if gone else []) == (
                "restored" if gone else "tombstoned",
                gone,
            )
            vault.undelete([made.id])
            assert vault.delete("db", reason="test", key=self.key).state == "restored"
        assert read_tree(self.world.source) == self.kept
        self.world.check()


class Undelete(Verb):
    """Bring the volume back."""

    def prepare(self) -> None:
        """See Verb."""
        self.kept = read_tree(self.world.source)
        self.tombstone = self.world.delete()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return vault.undelete([self.tombstone])[0].state

    def settle(self, told: str) -> None:
        """See Verb."""
        self.world.check()
        with self.world.opened() as vault:
            state = vault.volume("db").state
            assert state == "active" or (state == "tombstoned" and not told)
            assert (state == "tombstoned") is not self.world.source.exists()
            assert vault.undelete([self.tombstone])[0].state == "restored"
        assert read_tree(self.world.source) == self.kept
        self.world.check()
        assert not (self.world.source.parent / ".vault-trash").exists()


class Hold(Verb):
    """Put a hold on a tombstone."""

    def prepare(self) -> None:
        """See Verb."""
        self.tombstone = self.world.delete()

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return vault.hold(self.tombstone, "legal").held

    def settle(self, told: str) -> None:
        """See Verb."""
        self.world.check()
        with self.world.opened() as vault:
            assert self._held(vault) in ((told,) if told else ("", "legal"))
            vault.hold(self.tombstone, "legal")
            vault.rebuild()
            assert self._held(vault) == "legal"
            vault.undelete([self.tombstone])

    def _held(self, vault: Vault) -> str:
        return next(t.held for t in vault.tombstones() if t.id == self.tombstone)
