"""Volumes and tombstones over HTTP: delete, undo, repeat, and what is not there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.signers import SoftKey
from tests.unit.api.conftest import Door, entrust
from vault.clock import parse_time

FLOOR = timedelta(hours=48)
WHY = {"Vault-Reason": "moved to the new host"}


def delete(door: Door, name: str = "db", who: str = "ann", **headers: str) -> Any:
    """Delete a volume of production."""
    return door.ask(who, "DELETE", f"/volumes/{name}", headers=WHY | headers)


def state(door: Door, name: str = "db", place: str = "production") -> str:
    """What state a volume is in."""
    return str(door.ask("ann", "GET", f"/volumes/{name}", place).json()["state"])


def test_a_delete_is_a_tombstone_with_the_way_back(door: Door) -> None:
    answer = delete(door)
    told = answer.json()
    assert answer.status_code == 202, told
    assert told["state"] == "tombstoned"
    assert answer.headers["location"] == told["links"]["self"]
    tombstone = door.client.get(
        told["links"]["self"], headers=door.headers("ann", "production", {})
    ).json()
    lasts = parse_time(told["undo_until"]) - parse_time(tombstone["created_at"])
    assert lasts >= FLOOR
    assert tombstone["reason"] == "moved to the new host"
    assert not (door.root / "srv" / "production" / "db").exists()

    back = door.client.post(
        told["links"]["undelete"], headers=door.headers("ann", "production", {})
    )
    assert back.json()["state"] == "restored"
    assert (door.root / "srv" / "production" / "db" / "orders").read_text() == "production db"


def test_an_agent_undoes_its_own_delete_with_the_same_token(door: Door) -> None:
    entrust(door)
    assert delete(door, who="bot", **{"Vault-Task": "OPS-1"}).status_code == 202
    assert door.ask("bot", "POST", "/volumes/db/undelete").json()["state"] == "restored"


def test_all_that_one_identity_deleted_comes_back_at_once(door: Door) -> None:
    entrust(door)
    delete(door, who="bot", **{"Vault-Task": "OPS-1"})
    delete(door, "ledger")
    back = door.ask("ann", "POST", "/undelete", json={"by": "bot", "since": "10m"})
    assert [item["volume"] for item in back.json()["items"]] == ["db"]
    assert (state(door), state(door, "ledger")) == ("active", "tombstoned")


def test_an_agent_without_grant_and_task_changes_nothing(door: Door) -> None:
    answer = delete(door, who="bot")
    assert answer.status_code == 403
    assert answer.json()["code"] == "denied"
    assert "needs-grant" in answer.json()["detail"]
    assert state(door) == "active"


def test_a_service_deletes_nothing(door: Door) -> None:
    assert delete(door, who="platform").status_code == 403
    assert state(door) == "active"


def test_without_a_reason_nothing_is_deleted(door: Door) -> None:
    answer = door.ask("ann", "DELETE", "/volumes/db")
    assert answer.status_code == 403
    assert "needs-reason" in answer.json()["detail"]
    assert state(door) == "active"


# --- nothing in a request shortens the window ----------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "force=1",
        "force=true&now=1",
        "window=0s",
        "skip_quarantine=yes&undo_until=0",
        "environment=",
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Vault-Window": "0s", "Vault-Version": "2020-01-01"},
        {"Content-Type": "application/x-force", "X-HTTP-Method-Override": "PURGE"},
        {"Content-Type": "multipart/form-data", "Vault-Force": "1"},
    ],
    ids=["version", "override", "multipart"],
)
def test_odd_requests_have_the_same_window(door: Door, query: str, headers: dict[str, str]) -> None:
    path = f"/volumes/db?{query}"
    answer = door.ask(
        "ann", "DELETE", path, headers=WHY | headers, content=b'{"force":true,"window":"0s"}'
    )
    assert answer.status_code == 202
    tombstone = door.ask("ann", "GET", f"/tombstones/{answer.json()['tombstone']}").json()
    assert parse_time(tombstone["undo_until"]) - parse_time(tombstone["created_at"]) >= FLOOR


@pytest.mark.parametrize("version", ["v0", "v2", "V1", "api/v1", ""])
def test_there_is_no_other_version(door: Door, version: str) -> None:
    headers = door.headers("ann", "production", WHY)
    answer = door.client.delete(f"/{version}/volumes/db", headers=headers)
    assert answer.status_code == 404
    assert state(door) == "active"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/tombstones/{}"),
        ("PUT", "/tombstones/{}"),
        ("PATCH", "/tombstones/{}"),
        ("POST", "/tombstones/{}/purge"),
        ("POST", "/tombstones/{}/release"),
    ],
)
def test_a_tombstone_cannot_be_cut_short(door: Door, method: str, path: str) -> None:
    made = delete(door).json()["tombstone"]
    answer = door.ask("ann", method, path.format(made))
    assert answer.status_code in (404, 405)
    assert door.ask("ann", "GET", f"/tombstones/{made}").json()["state"] == "tombstoned"


# --- sent twice ----------------------------------------------------------------------------------


def test_the_same_request_again_has_the_same_tombstone(door: Door) -> None:
    first = delete(door)
    again = delete(door)
    assert again.status_code == 202
    assert again.json() == first.json()


def test_another_request_for_a_deleted_volume_is_a_conflict(door: Door) -> None:
    delete(door)
    answer = door.ask("ann", "DELETE", "/volumes/db", headers={"Vault-Reason": "another"})
    assert (answer.status_code, answer.json()["code"]) == (409, "volume_tombstoned")


def test_a_key_that_is_sent_late_does_not_delete_again(door: Door) -> None:
    first = delete(door, **{"Idempotency-Key": "k-1"})
    door.ask("ann", "POST", "/volumes/db/undelete")
    late = delete(door, **{"Idempotency-Key": "k-1"})
    assert late.json() == first.json()
    assert state(door) == "active"


def test_a_key_with_another_request_is_refused(door: Door) -> None:
    delete(door, **{"Idempotency-Key": "k-1"})
    answer = delete(door, "ledger", **{"Idempotency-Key": "k-1"})
    assert answer.status_code == 422
    assert state(door, "ledger") == "active"


def test_keys_of_two_identities_are_two_keys(door: Door) -> None:
    entrust(door, "ledger")
    delete(door, **{"Idempotency-Key": "k-1"})
    answer = delete(door, "ledger", "bot", **{"Idempotency-Key": "k-1", "Vault-Task": "OPS-1"})
    assert (answer.status_code, answer.json()["volume"]) == (202, "ledger")


def test_keys_in_two_environments_are_two_keys(door: Door) -> None:
    """The volumes are called alike, and so are the words: what was done there is not done here."""
    headers = WHY | {"Idempotency-Key": "k-1"}
    there = door.ask("ann", "DELETE", "/volumes/db", "staging", headers=headers)
    here = door.ask("ann", "DELETE", "/volumes/db", headers=headers)
    assert (there.status_code, here.status_code, state(door)) == (202, 202, "tombstoned")
    assert there.json()["tombstone"] != here.json()["tombstone"]


def test_a_crowd_of_deletes_makes_one_tombstone(door: Door) -> None:
    with ThreadPoolExecutor(16) as crowd:
        answers = list(crowd.map(lambda _: delete(door), range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["tombstone"] for answer in answers}) == 1
    items = door.ask("ann", "GET", "/tombstones").json()["items"]
    assert [item["state"] for item in items if item["state"] != "denied"] == ["tombstoned"]


# --- what is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/volumes/{}", None),
        ("DELETE", "/volumes/{}", None),
        ("POST", "/volumes/{}/undelete", None),
        ("POST", "/volumes/{}/keep", {"keep": "daily=9", "reason": "keep"}),
        ("POST", "/volumes/{}/snapshots", None),
        ("GET", "/snapshots?volume={}", None),
        ("GET", "/tombstones/{}", None),
        ("POST", "/tombstones/{}/undelete", None),
        ("POST", "/tombstones/{}/hold", {"reason": "keep"}),
    ],
)
def test_what_is_elsewhere_answers_as_what_is_nowhere(
    door: Door, method: str, path: str, body: dict[str, str] | None
) -> None:
    made = delete(door, "ledger").json()["tombstone"]
    there = door.ask("ann", "GET", "/volumes/ledger").json()["id"]
    tried = [made] if "tombstones" in path else ["ledger", there]
    for name in tried:
        nobody = "x" * len(name)
        answers = [
            door.ask("ann", method, path.format(word), "staging", json=body, headers=WHY)
            for word in (name, nobody)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(name, nobody) == answers[1].text
    assert door.ask("ann", "GET", "/tombstones", "staging").json()["items"] == []


@pytest.mark.parametrize(
    "name",
    [
        "DB",
        "Db",
        "ｄｂ",
        "db%00",
        "db%20",
        "%64b%2F",
        "..%2Fdb",
        "..%2f..%2fetc",
        "db%ff",
        "dЬ",
        "*",
    ],
)
def test_a_name_that_is_nearly_right_is_not_there(door: Door, name: str) -> None:
    assert delete(door, name).status_code == 404
    assert state(door) == "active"


def test_pages_follow_one_another(door: Door) -> None:
    first = door.ask("ann", "GET", "/volumes?limit=1").json()
    second = door.ask("ann", "GET", f"/volumes?limit=1&after={first['next']}").json()
    assert [item["name"] for item in first["items"] + second["items"]] == ["db", "ledger"]
    assert second["next"] is None


# --- registering, snapshots, holds ---------------------------------------------------------------


def test_a_platform_registers_a_volume_and_takes_a_snapshot(door: Door) -> None:
    place = door.root / "srv" / "new"
    place.mkdir()
    body = {"path": str(place)}
    made = door.ask("platform", "PUT", "/volumes/new", json=body)
    assert (made.status_code, made.json()["environment"]) == (200, "production")
    taken = door.ask("platform", "POST", "/volumes/new/snapshots")
    assert taken.json()["state"] == "stored"
    listed = door.ask("platform", "GET", "/snapshots?volume=new").json()["items"]
    assert [item["id"] for item in listed] == [taken.json()["id"]]


def test_nothing_is_registered_in_another_environment(door: Door) -> None:
    place = door.root / "srv" / "new"
    place.mkdir()
    for environment in ("production", "nowhere"):
        body = {"path": str(place), "environment": environment}
        answer = door.ask("platform", "PUT", "/volumes/new", "staging", json=body)
        assert answer.status_code == 400
        assert answer.json()["detail"] == f"there is no environment “{environment}”"
    assert door.ask("ann", "GET", "/volumes/new").status_code == 404


def test_a_place_of_another_environment_is_not_named(door: Door) -> None:
    body = {"path": str(door.root / "srv" / "production" / "ledger")}
    answer = door.ask("platform", "PUT", "/volumes/mine", "staging", json=body)
    assert answer.status_code == 409
    assert "another volume" in answer.json()["detail"]


def test_a_hold_is_kept_with_the_tombstone(door: Door) -> None:
    made = delete(door).json()["tombstone"]
    held = door.ask("ann", "POST", f"/tombstones/{made}/hold", json={"reason": "auditors"})
    assert held.json()["held"]


def keeps(door: Door, terms: str, who: str = "ann", **more: str) -> Any:
    """Ask for other terms of what is kept."""
    return door.ask(who, "POST", "/volumes/db/keep", json={"keep": terms, **more})


def test_more_is_kept_at_once_and_less_when_people_have_agreed(door: Door) -> None:
    """Read, signed by another, brought, asked for again with the same words; then once."""
    more, less = "hourly=48,daily=7,weekly=5,monthly=12", "hourly=0,daily=7,weekly=0,monthly=0"
    assert keeps(door, more).json()["keep"] == more
    refused = keeps(door, "daily=7", reason="a cache").json()
    assert (refused["code"], "no-approver" in refused["detail"]) == ("denied", True)
    keys = {name: SoftKey() for name in ("ann", "eve")}
    with door.vault() as vault:
        for name, key in keys.items():
            vault.oversight.add_approver(name, key.line, kit=door.home / "recovery.kit")
    answer = keeps(door, "daily=7", reason="a cache")
    assert (answer.status_code, answer.json()["code"]) == (403, "approval_needed")
    waits = answer.headers["location"].removeprefix("/v1")
    text = door.ask("ann", "GET", waits).json()["text"]
    assert f"keeps {less} of new snapshots, not {more}" in text
    for name, status in (("ann", 403), ("eve", 403)):
        body = {"signature": keys[name].sign(text)}
        assert door.ask("ann", "POST", f"{waits}/signatures", json=body).status_code == status
    with door.vault() as vault:
        vault.oversight.approve(waits.rpartition("/")[2], keys["eve"].sign(text))
    assert keeps(door, "daily=7", reason="another").status_code == 403
    assert keeps(door, "daily=7", reason="a cache").json()["keep"] == less


def test_agents_and_services_keep_nothing_else(door: Door) -> None:
    """And what says nothing is refused."""
    for who in ("bot", "platform"):
        assert keeps(door, "daily=99", who, reason="a cache").status_code == 403
    for terms in ("", "daily=0", "for ever"):
        assert keeps(door, terms).status_code == 400


def test_a_reason_is_kept_in_the_language_that_it_was_given_in(door: Door) -> None:
    """UTF-8, as clients send it; and what is none, as it came."""
    for sent, kept in (("größer, 更大".encode(), "größer, 更大"), (b"gr\xf6\xdfer", "größer")):
        made = door.ask("ann", "DELETE", "/volumes/db", headers={b"Vault-Reason": sent}).json()
        path = f"/tombstones/{made['tombstone']}"
        assert door.ask("ann", "GET", path).json()["reason"] == kept
        assert door.ask("ann", "POST", f"{path}/undelete").status_code == 200
