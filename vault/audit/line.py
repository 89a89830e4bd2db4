"""A log as a whole: whether its segments follow each other, and checkpoints fit their entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vault.audit.entry import Entry, decode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import Segment
from vault.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as one writer's log is; `what` is a stable word.

    gap (entries are missing), fork (two segments for one place), altered (a checkpoint's root or
    size is not that of the entries before it), reordered (an entry is not newer than the one before
    it), undecodable (an entry that this version does not understand).
    """

    what: str
    key: str
    detail: str


@dataclass(slots=True)
class Line:
    """One log, read from its begin. `size` is the index behind its last entry, gaps counted.

    `note` is the newest checkpoint. Where there are forks it follows the segment that was stored
    first. A gap takes no memory: its writer says how wide it is.
    """

    log: str
    size: int = 0
    faults: list[Fault] = field(default_factory=list)
    note: str = ""
    _whole: list[bytes] = field(default_factory=list)
    _behind_a_gap: dict[int, bytes] = field(default_factory=dict)
    _tree: Frontier | None = field(default_factory=Frontier)
    _last: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether no entry is missing, so that its tree can be made anew."""
        return self._tree is not None

    def add(self, key: str, segment: Segment) -> Iterable[Entry]:
        """Look at the next segment; they come by index, at one index the first stored first.

        Answers with its entries, those of forks, too.
        """
        entries = self._entries(key, segment, ordered=segment.first >= self.size)
        if segment.first < self.size:
            self._fault("fork", key, f"the log has entry {segment.first} from another segment")
            return entries
        if segment.first > self.size:
            missing = f"{self.size} to {segment.first - 1}"
            self._fault("gap", key, f"the entries before it are gone: {missing}")
            self._tree = None
        hashes = list(segment.hashes())
        if self.is_whole:
            self._whole += hashes
        else:
            self._behind_a_gap.update(enumerate(hashes, start=segment.first))
        self.size = segment.end
        self.note = segment.note
        self._check(key, segment, hashes)
        return entries

    def root_at(self, size: int) -> bytes | None:
        """The root of the tree over the first so many entries; None where some are missing."""
        if size > len(self._whole):
            return None
        return Frontier().grown(self._whole[:size]).root()

    def hash_at(self, index: int) -> bytes:
        """The hash of the leaf at an index; empty where it is missing."""
        if index < len(self._whole):
            return self._whole[index]
        return self._behind_a_gap.get(index, b"")

    def _check(self, key: str, segment: Segment, hashes: list[bytes]) -> None:
        told = segment.checkpoint
        if told.size != segment.end:
            self._fault("altered", key, f"it ends at {segment.end}, its checkpoint at {told.size}")
        if self._tree is None:
            return
        self._tree = self._tree.grown(hashes)
        if told.root != self._tree.root():
            self._fault("altered", key, "its checkpoint is of other entries than are stored")

    def _entries(self, key: str, segment: Segment, *, ordered: bool) -> list[Entry]:
        entries = []
        for index, leaf in enumerate(segment.leaves, start=segment.first):
            try:
                entry = decode_entry(leaf)
            except Corrupt as error:
                self._fault("undecodable", key, f"entry {index}: {error.message}")
                continue
            if ordered and entry.id <= self._last:
                self._fault("reordered", key, f"entry {index} is not newer than the one before it")
            self._last = max(self._last, entry.id) if ordered else self._last
            entries.append(entry)
        return entries

    def _fault(self, what: str, key: str, detail: str) -> None:
        self.faults.append(Fault(what, key, detail))
