"""Entries and chunks find each other, in order, whenever packs are completed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.repository.scene import entry
from tests.unit.repository.test_manifest import ref
from vault.repository.assembly import Assembly, Span
from vault.repository.manifest import StoredEntry
from vault.repository.pipeline import Slot


@given(st.data())
def test_extents_cover_each_content_exactly(data: st.DataObject) -> None:
    """However contents, dead stretches, chunks and the completion of packs fall."""
    lengths = data.draw(st.lists(st.integers(0, 40), max_size=20))
    stream = sum(lengths)
    emitted: list[StoredEntry] = []
    assembly = Assembly(emitted.append)
    slots, at = [Slot() for _ in range(stream)], 0
    dead = data.draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths)))
    for number, length in enumerate(lengths):
        if not dead[number]:
            assembly.add(entry(b"%04d" % number, size=length), Span(at, length))
        at += length
        assembly.advance()
    given_out = 0
    while given_out < stream:
        size = data.draw(st.integers(1, 25))
        size = min(size, stream - given_out)
        slots[given_out].ref = ref(given_out)
        assembly.chunk(slots[given_out], size)
        given_out += size
        assembly.advance()
    assembly.advance()
    wanted = [n for n in range(len(lengths)) if not dead[n]]
    assert [int(stored.path) for stored in emitted] == wanted
    assert not len(assembly)
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    for stored in emitted:
        position = starts[int(stored.path)]
        assert sum(extent.length for extent in stored.extents) == stored.entry.size
        for extent in stored.extents:
            assert extent.chunk.place.number + extent.offset == position
            position += extent.length


def test_nothing_overtakes_an_entry_that_waits() -> None:
    """Kept entries wait behind one whose pack is open, and follow once it is closed."""
    emitted: list[StoredEntry] = []
    assembly = Assembly(emitted.append)
    slot = Slot()
    assembly.chunk(slot, 10)
    assembly.add(entry(b"a", size=4), Span(3, 4))
    assembly.add(entry(b"b"), Span(0, 0))
    assembly.then(lambda: emitted.append(StoredEntry(entry(b"c"))), 5)
    assembly.advance()
    assert emitted == []
    assert len(assembly) == 7
    slot.ref = ref(1)
    assembly.advance()
    assert [stored.path for stored in emitted] == [b"a", b"b", b"c"]
    assert emitted[0].extents[0].offset == 3
    assert not len(assembly)
    assembly.then(emitted.clear, 1)
    assert emitted == []
