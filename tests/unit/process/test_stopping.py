"""Signals as facts to look at."""

from __future__ import annotations

import os
import signal

import pytest

from vault.process.stopping import Inbox, Word, signals_to


def test_a_signal_becomes_a_word() -> None:
    """SIGHUP asks to reload; SIGTERM to stop, whatever else waits; handlers go back afterwards."""
    inbox, former = Inbox(), signal.getsignal(signal.SIGTERM)
    with signals_to(inbox):
        os.kill(os.getpid(), signal.SIGHUP)
        assert inbox.wait(5) is Word.RELOAD
        inbox.tell(Word.TICK)
        os.kill(os.getpid(), signal.SIGTERM)
        assert inbox.wait(5) is Word.STOP
        assert inbox.wait(5) is Word.STOP
    assert signal.getsignal(signal.SIGTERM) is former


def test_a_second_signal_ends_at_once() -> None:
    """For whoever cannot wait for the present step."""
    inbox = Inbox()
    with signals_to(inbox):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_waiting_has_an_end() -> None:
    """None when nothing came."""
    assert Inbox().wait(0) is None
