"""P9: what is in another environment is not forbidden, it is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.promises.doors import Door, open_door, serving
from tests.rgw import fresh_bucket
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
WORDS = {"Vault-Reason": "a credential mismatch", "Vault-Task": "OPS-1"}
PLACES = (
    ("GET", "/v1/volumes/{}"),
    ("DELETE", "/v1/volumes/{}"),
    ("POST", "/v1/volumes/{}/snapshots"),
    ("POST", "/v1/volumes/{}/undelete"),
    ("GET", "/v1/snapshots?volume={}"),
    ("GET", "/v1/tombstones/{}"),
    ("POST", "/v1/tombstones/{}/undelete"),
)


@pytest.fixture(scope="module")
def door(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(fresh_bucket(rgw), tmp_path_factory.mktemp("p09"), "db", "mail") as made:
        made.let("bot", "*")
        yield made


@pytest.mark.parametrize(("method", "place"), PLACES)
def test_what_is_elsewhere_answers_as_what_does_not_exist(
    door: Door, method: str, place: str
) -> None:
    """The incident's own shape: a token of staging, and the id of a production volume."""
    with door.scene.vault() as vault:
        target = vault.volume("db").id
        snapshot = vault.snapshot("db").id
        gone = vault.delete("mail", reason="to have a tombstone").id
    token = door.token("bot", "staging")
    with door.raw(token) as http:
        for real in ("db", target, target[:-3], snapshot, gone):
            made_up = real[:-4] + ("zzzz" if real != "db" else "")
            there = http.request(method, place.format(real), headers=WORDS)
            nowhere = http.request(method, place.format(made_up or "dx"), headers=WORDS)
            assert there.status_code in (400, 404)
            told = there.text.replace(real, "X")
            assert told == nowhere.text.replace(made_up or "dx", "X")
    with door.scene.vault() as vault:
        vault.undelete([gone])
    assert door.scene.source.exists()


def test_lists_show_one_environment_alone(door: Door) -> None:
    names = {}
    for environment in ("production", "staging", "preview"):
        with door.client(door.token("bot", environment)) as vault:
            names[environment] = {volume.name for volume in vault.volumes()}
    assert names == {"production": {"db", "mail"}, "staging": set(), "preview": {"branch"}}


def test_a_daemon_of_one_environment_knows_no_other(door: Door) -> None:
    foreign = door.token("bot", "production")
    own = door.token("bot", "staging")
    with serving(door.scene, "--environment", "staging") as url:
        other = Door(door.scene, url)
        with other.raw(foreign) as http:
            refused = http.get("/v1/volumes")
        with other.raw("vlt_garbage." + "0" * 64) as http:
            garbage = http.get("/v1/volumes")
        assert (refused.status_code, refused.text) == (garbage.status_code, garbage.text)
        assert refused.status_code == 401
        with other.raw(own) as http:
            assert http.get("/v1/volumes").json()["items"] == []


def test_a_protected_place_does_not_come_back_as_ephemeral(door: Door) -> None:
    with door.scene.vault() as vault:
        vault.oversight.add_identity("platform", "service")
    token = door.token("platform", "preview")
    with door.raw(token) as http:
        answer = http.put("/v1/volumes/mine", json={"path": str(door.scene.source)})
    assert (answer.status_code, answer.json()["code"]) == (409, "source_overlaps")
    assert "“db”" not in answer.text


@pytest.mark.parametrize(
    "name",
    [
        "../db",
        "..%2Fdb",
        "%2e%2e/db",
        "db%00",
        "DB",
        "ԁb",
        "db ",
        "db/",
        "vol_%25",
        "*",
        "d*",
        "{db}",
    ],
)
def test_names_that_only_look_like_one(door: Door, name: str) -> None:
    with door.raw(door.token("bot", "production")) as http:
        answer = http.delete(f"/v1/volumes/{name}", headers=WORDS)
    assert answer.status_code in (404, 405), answer.text
    assert door.scene.source.exists()
