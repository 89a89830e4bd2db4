"""Entries as OCSF events: what the classes ask for is there, and nothing of an entry is lost."""

from __future__ import annotations

import json

import pytest

from tests.unit.audit.lines import entry
from vault.audit.entry import ADMINISTRATIVE, EntryKind
from vault.audit.ocsf import ocsf_event, ocsf_line

REQUIRED = {
    *("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"),
    *("actor", "status_id"),
}


@pytest.mark.parametrize("kind", EntryKind)
def test_every_kind_has_what_its_class_requires(kind: EntryKind) -> None:
    """One line of JSON, with the entry's own body in it."""
    line = ocsf_line(entry(1, kind, verb="delete", reason="two\nlines"), "ab" * 8, 7)
    assert "\n" not in line
    event = json.loads(line)
    assert event.keys() >= REQUIRED
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["unmapped"]["body"] == {"verb": "delete", "reason": "two\nlines"}
    assert event["metadata"]["sequence"] == 7
    more = {"entity"} if kind in ADMINISTRATIVE else {"api", "src_endpoint"}
    assert event.keys() >= more


def test_a_refused_delete_is_a_failure_of_a_delete() -> None:
    """And an allowed one is none."""
    refused = ocsf_event(entry(1, EntryKind.REQUEST, verb="delete", decision="deny"), "", -1)
    assert (refused["class_uid"], refused["activity_id"], refused["status_id"]) == (6003, 4, 2)
    allowed = ocsf_event(entry(1, EntryKind.REQUEST, verb="delete", decision="allow"), "", -1)
    assert allowed["status_id"] == 1


@pytest.mark.parametrize(
    ("origin", "told"), [("192.0.2.7", "192.0.2.7"), ("::1", "::1"), ("", None), ("uid:7", None)]
)
def test_an_address_that_a_request_came_from_is_told(origin: str, told: str | None) -> None:
    """What is none stays in the body alone."""
    event = ocsf_event(entry(1, EntryKind.REQUEST, verb="delete", origin=origin), "", -1)
    assert event["src_endpoint"].get("ip") == told
    assert event["unmapped"]["body"]["origin"] == origin


def test_times_are_milliseconds() -> None:
    """Since 1970."""
    assert ocsf_event(entry(0), "", 0)["time"] == 1777023000000
