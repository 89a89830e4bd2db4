"""A site that tells receivers on loopback, through the real door."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from vault.audit.entry import EntryKind
from vault.clock import SystemClock
from vault.messenger.dispatch import Dispatch
from vault.operations import tell
from vault.operations.ledger import enter
from vault.operations.tell import ToldItem
from vault.operations.unit import WriteUnit
from vault.settings import ReceiverSettings

SOON = timedelta(hours=1)


@dataclass
class Teller:
    """The daemon's part of it. `unit` knows the receivers that were added."""

    site: Site
    receivers: list[ReceiverSettings] = field(default_factory=list)
    dispatch: Dispatch = field(default_factory=lambda: Dispatch(SystemClock()))

    @property
    def unit(self) -> WriteUnit:
        """The site's, with receivers."""
        settings = replace(self.site.write.settings, notify=tuple(self.receivers))
        return replace(self.site.write, settings=settings)

    @property
    def key(self) -> Path:
        """The key that webhooks are signed with."""
        path = self.site.home / "hook.key"
        if not path.exists():
            path.write_text("k" * 64)
            path.chmod(0o600)
        return path

    def add(self, url: str, name: str = "ops", **terms: Any) -> None:
        """One more webhook."""
        wish = ReceiverSettings(name=name, url=url, key_file=self.key.name, **terms)
        self.receivers.append(wish)

    def round(self) -> tuple[ToldItem, ...]:
        """What one round comes to."""
        return tell.tell(self.unit, self.dispatch)

    def panics(self, *reasons: str) -> list[str]:
        """Enter something that people are told of; the entries' ids."""
        return [enter(self.unit, EntryKind.PANIC, {"reason": why}).id for why in reasons]

    def passes(self, span: timedelta) -> None:
        """Time passes."""
        self.site.clock.advance(span)
