"""Accumulated boot time: never more than has passed."""

from __future__ import annotations

from vault.clock import BootTime
from vault.lifecycle.uptime import Uptime


def test_within_a_boot_the_difference_counts() -> None:
    uptime = Uptime.start(BootTime("a", 100.0))
    assert uptime.total == 0
    assert uptime.observe(BootTime("a", 160.0)).total == 60


def test_a_clock_that_steps_back_takes_nothing_away_and_adds_nothing() -> None:
    uptime = Uptime.start(BootTime("a", 100.0)).observe(BootTime("a", 160.0))
    assert uptime.observe(BootTime("a", 120.0)).total == 60
    assert uptime.observe(BootTime("a", 120.0)).observe(BootTime("a", 161.0)).total == 61


def test_a_later_boot_counts_from_its_beginning_and_the_time_off_does_not() -> None:
    uptime = Uptime.start(BootTime("a", 100.0)).observe(BootTime("a", 160.0))
    later = uptime.observe(BootTime("b", 5.0))
    assert later.total == 65
    assert later.observe(BootTime("b", 30.0)).total == 90
    assert later.observe(BootTime("c", 1.0)).total == 66
