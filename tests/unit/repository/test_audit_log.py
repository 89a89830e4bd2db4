"""Segments in the store: believed from the log's own key, in their place, and from no one else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.audit.lines import leaves
from tests.unit.repository.founding import LOCK, PURGER, STRANGER, VAULT, WRITER, Site
from vault.audit.merkle import Frontier, leaf_hash
from vault.audit.segment import write_segment
from vault.codec.signing import SigningKey
from vault.repository.audit_log import (
    place_of,
    put_segment,
    read_frontier,
    read_line,
    read_segments,
    seal_segment,
    stem,
    unseal_segment,
)
from vault.store.names import named

ENTRIES = leaves(9)
HASHES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture
def site() -> Site:
    """A vault with a charter and nothing else."""
    return Site()


def sealed(first: int, last: int, signer: SigningKey = WRITER) -> bytes:
    """The record of the entries from `first` up to `last`."""
    body = write_segment(VAULT, Frontier().grown(HASHES[:first]), ENTRIES[first:last], signer)
    return seal_segment(VAULT, body, signer)


def put(site: Site, first: int, last: int, signer: SigningKey = WRITER) -> str:
    """Store such a segment where it belongs; returns its key."""
    record = sealed(first, last, signer)
    return put_segment(site.store, signer.key_id, first, record, LOCK).key


def places(site: Site) -> list[tuple[str, int, int]]:
    """Log, first index and end of all that is believed."""
    found = read_segments(site.store, site.charter, site.tampering)
    return [(stored.log, stored.segment.first, stored.segment.end) for stored in found]


def words(site: Site) -> list[str]:
    """What was noticed."""
    return [note.what for note in site.tampering]


def test_every_member_has_a_log(site: Site) -> None:
    """Segments come by log, in order."""
    for first, last, signer in ((0, 2, WRITER), (2, 5, WRITER), (0, 1, PURGER)):
        put(site, first, last, signer)
    assert sorted(places(site)) == sorted(
        [(WRITER.key_id, 0, 2), (WRITER.key_id, 2, 5), (PURGER.key_id, 0, 1)]
    )
    assert not site.tampering
    tree = read_frontier(site.store, site.charter, [], WRITER.key_id)
    assert tree == Frontier().grown(HASHES[:5])


def test_a_strangers_segment_is_noted_and_left_out(site: Site) -> None:
    """In a log of its own, and in the writer's."""
    put(site, 0, 1, STRANGER)
    record = sealed(0, 1, STRANGER)
    site.store.put(named(stem(WRITER.key_id, 0), record), record, LOCK)
    assert places(site) == []
    assert words(site) == ["unauthentic", "unauthentic"]


@pytest.mark.parametrize(
    "place", [stem(WRITER.key_id, 1), stem(PURGER.key_id, 0), "audit/elsewhere", "audit/x/y"]
)
def test_a_true_segment_in_another_place_is_forged(site: Site, place: str) -> None:
    """Its index and its log are in its name."""
    record = sealed(0, 1)
    site.store.put(named(place, record), record, LOCK)
    assert places(site) == []
    assert words(site) == ["forged"]


def test_the_line_leaves_forks_and_what_follows_a_gap_out(site: Site) -> None:
    """Of two at a place the one that was stored first counts."""
    put(site, 0, 2)
    site.clock.advance(timedelta(seconds=3))
    put(site, 0, 3)
    put(site, 2, 4)
    put(site, 6, 8)
    line = read_line(site.store, site.charter, [], WRITER.key_id)
    assert [stored.segment.end for stored in line] == [2, 4]


def test_what_is_known_is_not_read(site: Site) -> None:
    """Only listed."""
    first, second = put(site, 0, 2), put(site, 2, 3)
    found = read_segments(
        site.store, site.charter, site.tampering, skip=lambda listed: listed.key == first
    )
    assert [stored.key for stored in found] == [second]


def test_names_say_their_place() -> None:
    """And others say none."""
    assert place_of(f"{stem('ab' * 8, 7)}-{'0' * 64}") == ("ab" * 8, 7)
    assert place_of("audit/ab/7") == ("", -1)
    assert unseal_segment(sealed(3, 5), VAULT).first == 3
