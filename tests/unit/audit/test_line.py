"""A log is judged: whatever was removed, changed, reordered or forked is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.audit.lines import SIGNER, STRANGER, VAULT, judged, leaves, segment, segments, words
from vault.audit.entry import decode_entry, encode_entry
from vault.audit.merkle import Frontier, leaf_hash, root_hash
from vault.audit.segment import Segment, read_segment, write_segment
from vault.errors import Corrupt

ENTRIES = leaves(40)


def cut(widths: list[int]) -> list[Segment]:
    """A log with segments of these widths."""
    parts, begin = [], 0
    for width in widths:
        parts.append(ENTRIES[begin : begin + width])
        begin += width
    return segments(*parts)


some_widths = st.lists(st.integers(1, 5), min_size=1, max_size=8)


@given(some_widths)
def test_an_untouched_log_is_sound(widths: list[int]) -> None:
    """However its entries came into segments."""
    line = judged(cut(widths))
    assert not line.faults
    assert line.size == sum(widths)
    assert line.root_at(line.size) == root_hash([leaf_hash(e) for e in ENTRIES[: line.size]])


@given(some_widths, st.data())
def test_a_missing_segment_is_a_gap(widths: list[int], data: st.DataObject) -> None:
    """Wherever but at the end, where only who has seen more can tell."""
    log = cut(widths)
    gone = data.draw(st.integers(0, len(log) - 1))
    line = judged(log[:gone] + log[gone + 1 :])
    assert words(line) == (["gap"] if gone < len(log) - 1 else [])
    assert line.is_whole == (gone == len(log) - 1)


@given(some_widths, st.data())
def test_a_changed_entry_is_found(widths: list[int], data: st.DataObject) -> None:
    """Even where whoever changed it has sealed the segment anew, with its old checkpoint."""
    log = cut(widths)
    place = data.draw(st.integers(0, len(log) - 1))
    spoilt = data.draw(st.integers(0, len(log[place].leaves) - 1))
    parts = list(log[place].leaves)
    changed = replace(decode_entry(parts[spoilt]), body={"name": "nobody"})
    parts[spoilt] = encode_entry(changed)
    log[place] = replace(log[place], leaves=tuple(parts))
    assert "altered" in words(judged(log))


@given(some_widths, st.data())
def test_a_second_segment_at_a_place_is_a_fork(widths: list[int], data: st.DataObject) -> None:
    """By the same key, with other entries, over any range that is taken."""
    log = cut(widths)
    place = data.draw(st.integers(0, len(log) - 1))
    tree = Frontier().grown(leaf_hash(e) for e in ENTRIES[: log[place].first])
    assert words(judged([*log, segment(tree, leaves(3)[2:])])) == ["fork"]


def test_entries_in_another_order_are_found() -> None:
    """With a checkpoint over the order as it is: only the key's owner could do that."""
    assert words(judged(segments([ENTRIES[1], ENTRIES[0]], ENTRIES[2:4]))) == ["reordered"]
    assert words(judged(segments(ENTRIES[2:4], ENTRIES[:1]))) == ["reordered"]


def test_what_cannot_be_understood_counts_as_a_leaf_and_is_said() -> None:
    """A newer version's entry does not make the tree another."""
    line = judged(segments([ENTRIES[0], b'{"kind":"of_later"}'], ENTRIES[1:2]))
    assert words(line) == ["undecodable"]
    assert line.size == 3


def test_a_checkpoint_of_another_size_is_found() -> None:
    """It must end where its segment ends."""
    first, second = segments(ENTRIES[:2], ENTRIES[2:3])
    line = judged([first, replace(second, checkpoint=first.checkpoint)])
    assert words(line) == ["altered", "altered"]


def test_segments_are_read_as_they_were_written() -> None:
    """Byte for byte, and only with the log's own key."""
    body = write_segment(VAULT, Frontier(), ENTRIES[:3], SIGNER)
    read = read_segment(body, VAULT, SIGNER.key_id, SIGNER.public_hex)
    assert read.leaves == tuple(ENTRIES[:3])
    assert body == write_segment(VAULT, Frontier(), ENTRIES[:3], SIGNER)
    for vault, log, key in (
        (VAULT[:-1] + "1", SIGNER.key_id, SIGNER.public_hex),
        (VAULT, STRANGER.key_id, SIGNER.public_hex),
        (VAULT, SIGNER.key_id, STRANGER.public_hex),
    ):
        with pytest.raises(Corrupt):
            read_segment(body, vault, log, key)
    for data in (b"", b"{}", body[:-1], b'{"first":0,"entries":[],"checkpoint":""}'):
        with pytest.raises(Corrupt):
            read_segment(data, VAULT, SIGNER.key_id, SIGNER.public_hex)
