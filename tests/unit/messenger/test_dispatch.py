"""Dispatch: bounded in time whatever receivers do, each in order, none in another's way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from vault.clock import SystemClock
from vault.errors import SettingsError
from vault.governance.notice import Notice, Topic
from vault.messenger.dispatch import Answer, Batch, Dispatch

AT: Final = datetime(2026, 4, 24, tzinfo=UTC)
SHORT: Final = 3.0


def notice(identifier: str) -> Notice:
    return Notice(id=identifier, event=Topic.PANIC, at=AT, title="t", text="x")


def batch(receiver: str, send: Callable[[Notice], str], *ids: str) -> Batch:
    return Batch(receiver, send, [notice(one) for one in ids])


def test_each_receiver_gets_its_own_in_order_up_to_what_it_does_not_take() -> None:
    dispatch, got = Dispatch(SystemClock()), []

    def takes(one: Notice) -> str:
        got.append(one.id)
        return ""

    def refuses(one: Notice) -> str:
        return "it answered 500" if one.id == "b" else ""

    found = list(
        dispatch.deliver([batch("x", takes, "a", "b", "c"), batch("y", refuses, "a", "b", "c")], 9)
    )
    assert got == ["a", "b", "c"]
    assert [one for one in found if one.receiver == "x"] == [Answer("x", i, "") for i in "abc"]
    assert [one for one in found if one.receiver == "y"] == [
        Answer("y", "a", ""),
        Answer("y", "b", "it answered 500"),
    ]


def test_a_slow_one_is_left_to_itself_and_what_it_took_late_is_known() -> None:
    """It is sent nothing more until it has answered, and the others wait for it no longer."""
    dispatch, gate = Dispatch(SystemClock()), threading.Event()
    sent: list[str] = []

    def slow(one: Notice) -> str:
        gate.wait(20)
        sent.append(one.id)
        return ""

    found = list(
        dispatch.deliver([batch("slow", slow, "a", "b"), batch("x", lambda _: "", "a")], SHORT)
    )
    assert set(found) == {
        Answer("x", "a", ""),
        Answer("slow", "", "it did not answer within 3 s"),
    }
    again = list(dispatch.deliver([batch("slow", slow, "a", "b")], SHORT))
    assert again == [Answer("slow", "", "it has not answered what it was sent before")]
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "notify slow":
            thread.join()
    assert sent == ["a"]  # nothing after the round was over
    assert list(dispatch.late()) == [Answer("slow", "a", "")]
    assert list(dispatch.late()) == []
    assert list(dispatch.deliver([batch("slow", slow, "b")], 9)) == [Answer("slow", "b", "")]


def test_what_breaks_in_a_receiver_is_its_fault_alone() -> None:
    dispatch = Dispatch(SystemClock())

    def breaks(_: Notice) -> str:
        raise ZeroDivisionError("odd")

    def unset(_: Notice) -> str:
        raise SettingsError("its key is gone")

    found = dispatch.deliver([batch("x", breaks, "a"), batch("y", unset, "a")], 9)
    assert sorted(found, key=lambda one: one.receiver) == [
        Answer("x", "a", "ZeroDivisionError: odd"),
        Answer("y", "a", "its key is gone"),
    ]
