"""Verbs about who may do what: their acknowledgement is an entry of the audit log."""

from __future__ import annotations

from datetime import timedelta

from tests.crash.verb import Verb
from vault.library import Vault
from vault.operations.history import AuditFilter


class Freeze(Verb):
    """Let an identity wait for a person; said to be so, it is so on every host, once."""

    def prepare(self) -> None:
        """See Verb."""
        self.name = f"bot-{self.world.number()}"

    def act(self) -> str:
        """See Verb."""
        with self.world.opened() as vault:
            return vault.oversight.freeze(self.name, reason="test").reason

    def settle(self, told: str) -> None:
        """See Verb."""
        assert told in ("", "test")
        self.world.check()
        with self.world.opened() as vault:
            assert self._is_frozen(vault) or not told
            assert vault.oversight.freeze(self.name, reason="test").frozen
            vault.rebuild()
            assert self._is_frozen(vault)
            assert not vault.oversight.unfreeze(self.name).frozen
        self.world.check()

    def _is_frozen(self, vault: Vault) -> bool:
        return self.name in {item.name for item in vault.oversight.frozen()}


class AddEnvironment(Verb):
    """Sign a change into the charter; what took effect is entered, once, and nothing else is."""

    def prepare(self) -> None:
        """See Verb."""
        self.name = f"preview-{self.world.number()}"

    def act(self) -> str:
        """See Verb."""
        window, kit = timedelta(hours=1), self.world.kit
        with self.world.opened() as vault:
            return vault.add_environment(self.name, ephemeral=True, window=window, kit=kit).name

    def settle(self, told: str) -> None:
        """See Verb."""
        assert told in ("", self.name)
        self.world.check()
        if not self._check_entered():
            assert not told
            assert self.act() == self.name
            assert self._check_entered()
        self.world.check()

    def _check_entered(self) -> bool:
        """Whether it is there; then exactly one entry tells of it."""
        with self.world.opened() as vault:
            there = self.name in {item.name for item in vault.environments()}
            entries = vault.oversight.audit_show(AuditFilter(kind="environment_added"))
            assert [e.body["name"] for e in entries].count(self.name) == there
        return there
