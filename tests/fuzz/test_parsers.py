"""Every parser, given what is nearly valid: it answers, or raises one of vault's own errors.

Valid inputs are accepted, and what can be written again is read the same. `scripts/fuzz` does the
same for longer. What it has found stands below.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import corpus, governing, listed
from tests.fuzz.targets import TARGETS, Target, inputs
from vault.audit.entry import EntryKind

_SLOW = frozenset(
    (
        *("charter", "session", "events", "snapshot", "index object", "local index"),
        *("audit books", "audit segment", "rules", "tracker's answer", "daemon's answer"),
        *("listing", "agent's call"),
    )
)
_BY_NAME = {target.name: target for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_valid_inputs_are_accepted(target: Target) -> None:
    """And round-trip where they are ever written."""
    assert inputs(target)
    assert all(target.check(given) for given in inputs(target))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_nearly_valid(target: Target) -> None:
    """Nothing but an answer or an error of vault's."""

    @settings(
        max_examples=40 if target.name in _SLOW else 250, suppress_health_check=list(HealthCheck)
    )
    @given(st.randoms(use_true_random=False))
    def looks_for_finds(dice: Random) -> None:
        target.check(target.mutated(dice))

    looks_for_finds()


def _event(**details: str) -> list[Any]:
    """A volume's first event, with other details."""
    (added,) = corpus.events()[0]
    return [added | {"details": added["details"] | details}]


def _page(entry: list[Any]) -> list[Any]:
    """A page of one entry without content."""
    return [[], [], [[entry, [], 0, 1]]]


_NO_POINT = "430167772162b3e94994eada15dcc20d8aaa07b658fd3954eb8e0efb8bdca5de"
"""32 bytes, in hex, that are no Ed25519 public key."""

_FINDS = (
    (
        "charter",
        corpus.charters()[0]
        | {"environments": {"p": {"kind": "protected", "window_seconds": 2**62}}},
    ),
    ("charter", corpus.charters()[0] | {"max_lock_seconds": -1}),
    ("page, as a value", [[], [], [[[b"x", 0, 0, 0, 0, 0], [], 1, 0]]]),
    ("page, as a value", _page([b"x", 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, None, None, 0, [], [[0, 9]]])),
    ("page, as a value", _page([b"x", 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, None, None, 0, [], [[9, -5]]])),
    ("events", _event(schedule="every 99999999999d")),
    ("catalog", b"not a database"),
    ("boot time", b'{"before":0.0,"boot":"\xe9","first":0.0,"last":0.0}'),
    ("lock's name", "1777023000~0~12"),
    ("lock's name", "177702300023000~0"),
    ("lock's name", "9" * 40 + "~0"),
    ("recipient", "\udcff AAAA"),
    ("settings", '[store]\nurl = "file:///x"\n[daemon]\nverify_every = "99999999999999w"\n'),
    ("settings", '[store]\nurl = "file:///x"\n[daemon]\nlisten = ' + "9" * 5000 + "\n"),
    ("settings", "a = " + "[" * 50_000),
    ("schedule", "every 1w42949672962d"),
    ("schedule", "every 2500000d"),
    ("span", "9" * 5000 + "s"),
    ("span", "9" * 1_000_000),
    ("schedule", "every " + "9" * 1_000_000),
    ("schedule", "*/1," * 300_000 + "* * * * *"),
    ("time", "9999-12-31T23:59:59-14:00"),
    ("time", "0001-01-01T00:00:00+14:00"),
    ("id", "evt_16777216e06abrpyz9g20fytf4"),
    ("server's answer", ["NoSuchKey", 403, "Fri, 24 Apr 99999999999999999999 09:30:00 GMT"]),
    ("server's answer", ["NoSuchKey", 403, "Mon, 01 Jan 0001 00:00:00 +1400"]),
    ("audit segment", [10**12 - 1, governing.entries()[:1], 10**12, ""]),
    ("audit books", [governing.entries()[0] | {"at": "9999-12-31T23:59:59-01:00"}]),
    ("token", governing.tokens()[0].rpartition(".")[0] + f".{_NO_POINT}"),
    ("audit proof, as a value", json.loads(governing.proofs()[0]) | {"public": "no key"}),
    ("listing", listed.pages()[0].replace(b"main/events/", b"elsewhere/")),
    ("listing", listed.pages()[0].replace(b"<VersionId>first</VersionId>", b"")),
    ("listing", listed.pages()[0].replace(b"2026-", b"0001-")),
    ("listing", listed.pages()[0].replace(b"<Size>7</Size>", b"<Size>-7</Size>")),
    ("lock's headers", ["GOVERNANCE", "* 999"]),
    ("lock's headers", ["GOVERN", "2026-12-01T00:00:00Z"]),
    ("lock's headers", ["COMPLIANCE", "4611686018427387903"]),
    (
        "tracker's task",
        governing.bodies()[EntryKind.TASK_ADDED] | {"until": "0001-01-01T00:00:00+14:00"},
    ),
    ("mounts", b"srv/\rx"),
    ("agent's call", ["whoami", {}, "Bearer vlt_é"]),
    ("agent's call", ["take_snapshot", {"volume": "a" * 70_000}, None]),
    ("window", governing.bodies()[EntryKind.WINDOW_ADDED] | {"seconds": 2**62}),
    ("window", governing.bodies()[EntryKind.WINDOW_ADDED] | {"rule": f"FREQ=DAILY;BYHOUR={2**62}"}),
)


@pytest.mark.parametrize(
    ("name", "given"), _FINDS, ids=[f"{name} {number}" for number, (name, _) in enumerate(_FINDS)]
)
def test_what_was_found_once(name: str, given: Any) -> None:
    """Each left with an error of Python's own before."""
    _BY_NAME[name].check(given)
