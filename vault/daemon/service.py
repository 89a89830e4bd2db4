"""The daemon's life: start, ask what is due, do it, stop when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vault.clock import Clock, SystemClock
from vault.daemon.clockwork import striking
from vault.daemon.metrics import Metrics, serving
from vault.errors import NotIsolated, VaultError
from vault.process.instance import only_instance
from vault.process.logs import PolicyLog, facts, open_log
from vault.process.notify import Notifier, from_environment
from vault.process.stopping import Inbox, Word, signals_to

if TYPE_CHECKING:
    from vault.library import Vault

_SILENT_TICKS = 3
"""After so many ticks without an answer from the main thread, /healthz says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one duty: `outcome` is done or failed, `detail` says more."""

    task: str
    volume: str
    tombstone: str
    outcome: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Daemon:
    """All that a daemon works with. `open_vault` reads settings and keys anew."""

    open_vault: Callable[[], Vault]
    home: Path
    tick_seconds: float = 30.0
    listen: str = ""
    clock: Clock = field(default_factory=SystemClock)
    notifier: Notifier = field(default_factory=from_environment)
    log: Any = field(default_factory=lambda: open_log("daemon"))
    metrics: Metrics = field(default_factory=Metrics)
    inbox: Inbox = field(default_factory=Inbox)
    _policy: PolicyLog = field(init=False)
    _heard: float = 0.0
    _busy: bool = False

    def __post_init__(self) -> None:
        self._policy = PolicyLog(self.log)

    def once(self) -> list[Outcome]:
        """Finish what was half done, do what is due now, and return. Raises AlreadyRunning."""
        with self._alone(), self.open_vault() as vault:
            self._begin(vault)
            return self._round(vault)

    def serve(self) -> None:
        """Work until SIGTERM or SIGINT; SIGHUP reads the settings anew. Raises AlreadyRunning."""
        beats: dict[float, Callable[[], None]] = {self.tick_seconds: self._tick}
        if self.notifier.watchdog_seconds:
            beats[self.notifier.watchdog_seconds / 2] = self._feed
        self._heard = self._seconds()
        with (
            self._alone(),
            signals_to(self.inbox),
            serving(self.listen, self.metrics, self._healthy) as port,
        ):
            vault = self.open_vault()
            try:
                self._begin(vault)
                self.notifier.ready()
                self.log.info("started", tick_seconds=self.tick_seconds, port=port)
                self.inbox.tell(Word.TICK)
                with striking(self.clock, beats):
                    while (word := self.inbox.wait()) is not Word.STOP:
                        vault = self._reopened(vault) if word is Word.RELOAD else vault
                        self._round(vault)
            finally:
                self.notifier.stopping()
                vault.close()
        self.log.info("stopped")

    def _alone(self) -> Any:
        self.home.mkdir(parents=True, exist_ok=True)
        return only_instance(self.home / "daemon.lock")

    def _begin(self, vault: Vault) -> None:
        self._insist_on_isolation(vault)
        for line in vault.resume():
            self.log.info("resumed", what=line)

    def _insist_on_isolation(self, vault: Vault) -> None:
        report = vault.status()
        if report.isolated:
            return
        if not report.store.startswith("file:"):
            raise NotIsolated(
                "The daemon could load credentials of the purger, collector or bucket owner",
                safe="Nothing was started; what is stored is untouched.",
                hint="See which with: vault doctor. Give each process its own user and credentials"
                " file (docs/operations.md).",
            )
        self.log.warning("NOT ISOLATED", store=report.store)

    def _reopened(self, vault: Vault) -> Vault:
        try:
            fresh = self.open_vault()
            self._insist_on_isolation(fresh)
        except VaultError as error:
            self.log.error("reload_failed", **facts(error))
            return vault
        vault.close()
        self.log.info("reloaded")
        return fresh

    def _round(self, vault: Vault) -> list[Outcome]:
        self._busy = True
        outcomes = []
        try:
            self.metrics.ticked.set(self.clock.now().timestamp())
            for duty in vault.due():
                if self.inbox.stopping:
                    break
                outcomes.append(self._perform(vault, duty))
            self.metrics.show(vault.volumes())
        except VaultError as error:
            self.log.error("round_failed", **facts(error))
        finally:
            self._watch_policy(vault)
            self._tell(vault)
            self._busy = False
            self._heard = self._seconds()
        return outcomes

    def _watch_policy(self, vault: Vault) -> None:
        """Say once what is wrong with the home's own rules, and once that it is put right."""
        try:
            self._policy.say(vault.oversight.watch_policy())
        except VaultError as error:
            self.log.error("watch_failed", **facts(error))

    def _tell(self, vault: Vault) -> None:
        """Bring notices to their receivers, also where the store or a duty has failed."""
        if self.inbox.stopping:
            return
        try:
            for told in vault.tell():
                self.metrics.notices.labels("taken").inc(told.taken)
                if told.fault:
                    self.metrics.notices.labels("failed").inc()
                    self.log.warning("not_told", receiver=told.receiver, detail=told.fault)
        except VaultError as error:
            self.log.error("tell_failed", **facts(error))

    def _perform(self, vault: Vault, duty: Any) -> Outcome:
        task, names = str(duty.task), {"volume": duty.volume, "tombstone": duty.tombstone}
        begun = self._seconds()
        try:
            detail, outcome = vault.perform(duty), "done"
            say = self.log.info if detail else self.log.debug  # a look that saw nothing new
            say("duty_done", task=task, detail=detail, **names)
        except Exception as error:  # noqa: BLE001 - one volume's fault must not leave the others bare
            detail, outcome = str(error), "failed"
            self.log.error("duty_failed", task=task, **names, **facts(error))
        self.metrics.duties.labels(task, outcome).inc()
        self.metrics.seconds.labels(task).observe(self._seconds() - begun)
        return Outcome(task=task, outcome=outcome, detail=detail, **names)

    def _tick(self) -> None:
        if not self._busy:
            self.inbox.tell(Word.TICK)

    def _feed(self) -> None:
        if self._healthy():
            self.notifier.alive()

    def _healthy(self) -> bool:
        silent = self._seconds() - self._heard
        return self._busy or silent < _SILENT_TICKS * self.tick_seconds

    def _seconds(self) -> float:
        return self.clock.boot_time().seconds
