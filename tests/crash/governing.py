"""Verbs about who may do what: a freeze, whose acknowledgement is an entry of the audit log."""

from __future__ import annotations

from tests.crash.verb import Verb
from vault.library import Vault


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
