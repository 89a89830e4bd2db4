"""The clock that drives the daemon: APScheduler says when, never what; it stores no jobs.

It is run in a time zone of its own, whose present is the time since the host's boot: setting the
host's clock, back or forth, holds up no strike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from vault.clock import Clock


@contextmanager
def striking(clock: Clock, beats: dict[float, Callable[[], None]]) -> Iterator[None]:
    """Call each function at its interval in seconds, in a thread; late ones once, none twice."""
    scheduler = BackgroundScheduler(
        timezone=_SinceBoot(clock),
        executors={"default": ThreadPoolExecutor(len(beats))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for seconds, call in beats.items():
        scheduler.add_job(call, _Every(timedelta(seconds=seconds)))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown()


class _SinceBoot(tzinfo):
    """A zone in which it is as long after 1970 as it is since the boot; nobody can set that."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def fromutc(self, _time: datetime) -> datetime:
        seconds = timedelta(seconds=self._clock.boot_time().seconds)
        return datetime.fromtimestamp(0, UTC).replace(tzinfo=self) + seconds

    def utcoffset(self, _time: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _time: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _time: datetime | None) -> str:
        return "boot"


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """From now on at this interval. APScheduler's own one reckons by the wall clock."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return (previous or now) + self._interval
