"""A process that does one thing over and over: the purger and the collector."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

from vault.errors import VaultError
from vault.process.instance import only_instance
from vault.process.logs import facts, open_log
from vault.process.notify import from_environment
from vault.process.stopping import Inbox, Word, signals_to


def keep_doing(
    name: str, home: Path, interval: float, work: Callable[[], dict[str, object]]
) -> None:
    """Call `work` at once and every `interval` seconds, until SIGTERM or SIGINT.

    `work` returns what its log line says. An error of ours is logged and the next round tries
    anew; any other ends the process. Raises AlreadyRunning.
    """
    log, notifier, inbox = open_log(name), from_environment(), Inbox()
    pause = min(interval, notifier.watchdog_seconds / 2 or interval)
    with only_instance(home / f"{name}.lock"), signals_to(inbox):
        log.info("started", interval_seconds=interval)
        notifier.ready()
        waited = interval
        while not inbox.stopping:
            if waited >= interval:
                waited = 0.0
                try:
                    log.info("round", **work())
                except VaultError as error:
                    log.error("round_failed", **facts(error))
                # What a round leaves in cycles, connections too, would wait for many more rounds.
                gc.collect()
            notifier.alive()
            if inbox.wait(pause) is Word.RELOAD:
                continue  # the next round reads the settings anyway
            waited += pause
        notifier.stopping()
        log.info("stopped")
