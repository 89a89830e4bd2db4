"""Whose records count."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.repository.founding import (
    LOCK,
    PURGER,
    ROOT,
    STRANGER,
    VAULT,
    WRITER,
    Site,
    charter,
)
from vault.codec.envelope import sign
from vault.codec.keyring import SigningKey
from vault.errors import Corrupt, FeatureUnknown, Unauthentic
from vault.repository.authentic import read_verified
from vault.repository.charter import Member
from vault.repository.records import Shelf, open_record, read_records
from vault.store.names import named
from vault.testing.clock import START


def put(site: Site, signer: SigningKey, **given: str) -> str:
    """Store a record of kind `thing`."""
    features = (given["feature"],) if "feature" in given else ()
    kind, vault = given.get("kind", "thing"), given.get("vault", VAULT)
    data = sign(kind, vault, b"body", signer, features=features)
    return site.store.put(named("things/x", data), data, LOCK).key


def test_only_what_the_charter_allows_is_read() -> None:
    """All else is noted by what is wrong with it."""
    site = Site()
    good = put(site, WRITER)
    bad = {
        (put(site, STRANGER), "unauthentic"),
        (put(site, ROOT), "unauthentic"),
        (put(site, PURGER), "unauthentic"),
        (put(site, STRANGER, feature="f"), "unauthentic"),
        (put(site, WRITER, kind="other"), "forged"),
        (put(site, WRITER, vault=VAULT[:-1]), "forged"),
        (put(site, WRITER, feature="f"), "feature-unknown"),
        (site.store.put(named("things/y", b"junk"), b"junk", LOCK).key, "forged"),
    }
    (record,) = read_records(site.store, site.charter, Shelf("thing", "things/"), site.tampering)
    assert (record.key, record.body, record.role) == (good, b"body", "writer")
    assert (record.signer_hex, record.stored_at) == (WRITER.public_hex, START)
    assert site.seen() == bad


def test_one_by_one_the_error_tells() -> None:
    """Unauthentic, Corrupt, FeatureUnknown."""
    site = Site()
    for key, error in (
        (put(site, STRANGER), Unauthentic),
        (put(site, WRITER, kind="other"), Corrupt),
        (put(site, WRITER, feature="f"), FeatureUnknown),
    ):
        with pytest.raises(error):
            open_record(site.charter, read_verified(site.store, key, []), "thing")


def test_a_revoked_key_counts_by_the_stores_date() -> None:
    """What came before stays; a copy laid on top later changes nothing; what comes after is not."""
    site = Site()
    before = put(site, WRITER)
    revoked = site.pass_time(days=1)
    after = put(site, WRITER, feature="later")
    site.store.put(before, site.store.get(before), LOCK)
    terms = charter(members=(Member(WRITER.public_hex, "writer", "host", START, revoked),))
    found = read_records(site.store, terms, Shelf("thing", "things/"), site.tampering)
    assert [record.key for record in found] == [before]
    assert site.seen() == {(after, "unauthentic")}
    assert terms.allows(WRITER.public_hex, "writer", revoked - timedelta(seconds=1))


def test_a_shelf_can_be_read_in_part() -> None:
    """What is known already is not fetched."""
    site = Site()
    known, fresh = put(site, WRITER), put(site, PURGER)
    roles = ("writer", "purger")
    shelf = Shelf("thing", "things/", roles, skip=lambda listed: listed.key == known)
    assert [r.key for r in read_records(site.store, site.charter, shelf, [])] == [fresh]
