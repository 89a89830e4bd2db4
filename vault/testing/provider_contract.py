"""The provider's contract as clauses that any adapter has to pass; no pytest inside.

    for name, clause in clauses(fixture): clause()

A clause raises AssertionError where the adapter breaks it. Which clauses apply follows from the
adapter's capabilities. Every clause makes volumes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from vault.errors import (
    PathUnsafe,
    PlaceTaken,
    SourceError,
    SourceReplaced,
    SourceVanished,
    TargetNotEmpty,
    VaultError,
)
from vault.ids import new_id
from vault.provider import (
    Capability,
    Entry,
    Finding,
    Kind,
    Provider,
    PurgePermit,
    Quarantine,
    Restoration,
    Whereabouts,
    order_key,
)


@dataclass(frozen=True)
class ProviderFixture:
    """A provider under test, and what the clauses need of its world.

    `volume` makes a fresh one and gives its location; `place` gives a location where nothing
    stands; `change` alters, adds and removes contents; `occupy` puts another source where nothing
    stands; `evict` moves a volume away, for good; `state` describes all that a volume holds, to
    be compared; `empties` says that a quarantined volume's location stays, with nothing in it.
    """

    provider: Provider
    volume: Callable[[], str]
    place: Callable[[], str]
    change: Callable[[str], None]
    occupy: Callable[[str], None]
    evict: Callable[[str], None]
    state: Callable[[str], object]
    empties: bool = False


Clause = Callable[[ProviderFixture], None]


def clauses(fixture: ProviderFixture) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every clause that this provider can be held to, by name."""
    for clause, needs in _CLAUSES.items():
        if needs <= fixture.provider.capabilities:
            if fixture.empties and clause in _WHERE_PLACES_EMPTY:
                continue
            yield clause.__name__, partial(clause, fixture)


def clause_names() -> list[str]:
    """The names of all clauses, in order."""
    return [clause.__name__ for clause in _CLAUSES]


# --- capture -------------------------------------------------------------------------------------


def identities_are_stable_and_unlike(fixture: ProviderFixture) -> None:
    """The same source says the same twice; another one says something else."""
    first, second = fixture.volume(), fixture.volume()
    identify = fixture.provider.identify
    assert identify(first) == identify(first)
    assert identify(first) != identify(second)
    assert all(isinstance(part, str) for term in identify(first).terms for part in term)


def what_is_not_there_has_vanished(fixture: ProviderFixture) -> None:
    """Nothing to identify, to capture, to set aside."""
    place, provider = fixture.place(), fixture.provider
    _refuses(lambda: provider.identify(place), SourceVanished)
    _refuses(lambda: provider.capture(place), SourceVanished)


def overlaps_are_seen(fixture: ProviderFixture) -> None:
    """A volume overlaps itself, and not another."""
    first, second = fixture.volume(), fixture.volume()
    assert fixture.provider.overlaps(first, first)
    assert not fixture.provider.overlaps(first, second)


def entries_come_in_order(fixture: ProviderFixture) -> None:
    """The root first, then by component, each path once, none of them absolute."""
    entries = list(fixture.provider.capture(fixture.volume()).entries())
    assert entries[0].path == b""
    assert entries[0].kind == Kind.DIRECTORY
    keys = [order_key(entry.path) for entry in entries]
    assert all(one < other for one, other in pairwise(keys))
    assert all(b"" not in entry.path.split(b"/") for entry in entries[1:])


def contents_are_whole_and_still(fixture: ProviderFixture) -> None:
    """A quiet file is stable, and gives as many bytes as its segments hold."""
    capture = fixture.provider.capture(fixture.volume())
    for entry in capture.entries():
        if entry.kind != Kind.FILE or entry.link is not None:
            continue
        with capture.open(entry) as content:
            assert content is not None
            size = sum(map(len, content.blocks()))
            assert content.stable
            held = content.entry.segments
            assert size == (entry.size if held is None else sum(length for _, length in held))


def capturing_changes_nothing(fixture: ProviderFixture) -> None:
    """Afterwards the volume is what it was, and a second capture sees the same."""
    location = fixture.volume()
    before = fixture.state(location)
    first, second = _capture(fixture, location), _capture(fixture, location)
    assert first == second
    assert fixture.state(location) == before


# --- restore -------------------------------------------------------------------------------------


def what_was_captured_is_restored(fixture: ProviderFixture) -> None:
    """Into a new place: everything, as it was."""
    location, place = fixture.volume(), fixture.place()
    findings = _restore(fixture, _capture(fixture, location), place, in_place=False)
    assert fixture.state(place) == fixture.state(location), findings
    assert not findings


def a_new_place_has_to_be_empty(fixture: ProviderFixture) -> None:
    """Nothing is written over by accident."""
    location = fixture.volume()
    before = fixture.state(location)
    _refuses(lambda: fixture.provider.restoration(location, in_place=False), TargetNotEmpty)
    assert fixture.state(location) == before


def paths_that_leave_the_target_are_refused(fixture: ProviderFixture) -> None:
    """One by one: what is sound besides them is restored."""
    for path in (b"../x", b"/x", b"a/../../x", b"a//x", b"./x", b"a/.", b"x\0y", b".."):
        restoration = fixture.provider.restoration(fixture.place(), in_place=False)
        restoration.write(_folder(b""), ())
        entry = Entry(path, Kind.FILE, 0o644, 0, 0, 0, 1)
        _refuses(partial(restoration.write, entry, [b"x"]), PathUnsafe)
        restoration.finish()


def what_differs_is_brought_back_in_place(fixture: ProviderFixture) -> None:
    """Changed contents return, what is the same is left alone, what is new is kept."""
    location = fixture.volume()
    former, copy = _capture(fixture, location), fixture.place()
    _restore(fixture, former, copy, in_place=False)
    assert not _differing(fixture, former, copy)
    fixture.change(copy)
    assert _differing(fixture, former, copy)
    findings = _restore(fixture, former, copy, in_place=True)
    assert not _differing(fixture, former, copy)
    assert {finding.what for finding in findings} <= {"extra", "displaced"}


# --- quarantine ----------------------------------------------------------------------------------


def planning_changes_nothing(fixture: ProviderFixture) -> None:
    """A plan is a value: it names the volume, and the volume stays."""
    location = fixture.volume()
    before = fixture.state(location)
    place = _plan(fixture, location)
    assert place.identity == fixture.provider.identify(location)
    assert fixture.provider.whereabouts(place) is Whereabouts.IN_PLACE
    assert fixture.state(location) == before


def quarantine_sets_aside_and_undelete_brings_back(fixture: ProviderFixture) -> None:
    """Each is done once when it is asked for twice; what returns is what went."""
    location, provider = fixture.volume(), fixture.provider
    before = fixture.state(location)
    place = _plan(fixture, location)
    for _ in range(2):
        provider.quarantine(place)
        assert provider.whereabouts(place) is Whereabouts.QUARANTINED
    for _ in range(2):
        provider.undelete(place)
        assert provider.whereabouts(place) is Whereabouts.IN_PLACE
    assert fixture.state(location) == before
    assert provider.identify(location) == place.identity


def what_waits_can_be_captured(fixture: ProviderFixture) -> None:
    """The quarantined data are the volume still: its identity, its contents."""
    location, provider = fixture.volume(), fixture.provider
    before = _capture(fixture, location)
    place = _plan(fixture, location)
    provider.quarantine(place)
    assert provider.identify(place.held_at) == place.identity
    assert provider.capture(place.held_at).identity == place.identity
    assert _facts(_capture(fixture, place.held_at)) == _facts(before)


def the_location_is_empty_in_quarantine(fixture: ProviderFixture) -> None:
    """Nothing is found where the volume was."""
    location = fixture.volume()
    fixture.provider.quarantine(_plan(fixture, location))
    _refuses(lambda: fixture.provider.identify(location), SourceVanished)


def a_taken_place_is_not_overwritten(fixture: ProviderFixture) -> None:
    """Undelete is refused, both stay as they are, and it can be done when the place is free."""
    location, provider = fixture.volume(), fixture.provider
    before = fixture.state(location)
    place = _plan(fixture, location)
    provider.quarantine(place)
    fixture.occupy(location)
    error = _refuses(lambda: provider.undelete(place), PlaceTaken)
    assert error.hint
    assert provider.whereabouts(place) is Whereabouts.QUARANTINED
    fixture.evict(location)
    provider.undelete(place)
    assert fixture.state(location) == before


def another_source_is_not_set_aside(fixture: ProviderFixture) -> None:
    """Between plan and quarantine another one has taken the place."""
    location, provider = fixture.volume(), fixture.provider
    place = _plan(fixture, location)
    fixture.evict(location)
    _refuses(lambda: provider.quarantine(place), SourceVanished)
    assert provider.whereabouts(place) is Whereabouts.GONE
    fixture.occupy(location)
    before = fixture.state(location)
    _refuses(lambda: provider.quarantine(place), SourceReplaced)
    assert fixture.state(location) == before


def a_foreign_plan_moves_nothing(fixture: ProviderFixture) -> None:
    """A Quarantine whose two places do not belong together is refused."""
    location = fixture.volume()
    before = fixture.state(location)
    place = replace(_plan(fixture, location), held_at=fixture.place())
    _refuses(lambda: fixture.provider.quarantine(place), SourceError)
    assert fixture.state(location) == before


# --- purge ---------------------------------------------------------------------------------------


def what_is_purged_is_gone(fixture: ProviderFixture) -> None:
    """For good: undelete finds nothing; purging again finds it done; others are untouched."""
    location, provider = fixture.volume(), fixture.provider
    other = fixture.volume()
    before = fixture.state(other)
    place = _plan(fixture, location)
    provider.quarantine(place)
    for _ in range(2):
        provider.purge(_permit(place))
        assert provider.whereabouts(place) is Whereabouts.GONE
    _refuses(lambda: provider.undelete(place), SourceVanished)
    assert fixture.state(other) == before


def what_was_undeleted_is_not_purged(fixture: ProviderFixture) -> None:
    """Undelete was faster: the permit has nothing to destroy."""
    location, provider = fixture.volume(), fixture.provider
    before = fixture.state(location)
    place = _plan(fixture, location)
    provider.quarantine(place)
    provider.undelete(place)
    _refuses(lambda: provider.purge(_permit(place)), SourceVanished)
    assert fixture.state(location) == before


# --- what the clauses share ----------------------------------------------------------------------

Stored = list[tuple[Entry, list[bytes]]]


def _capture(fixture: ProviderFixture, location: str) -> Stored:
    capture = fixture.provider.capture(location)
    stored: Stored = []
    for entry in capture.entries():
        if entry.kind == Kind.FILE and entry.link is None:
            with capture.open(entry) as content:
                assert content is not None
                blocks = list(content.blocks())
                stored.append((content.entry, blocks))
        else:
            complete = capture.complete(entry)
            assert complete is not None
            stored.append((complete, []))
    assert not capture.findings
    return stored


def _facts(stored: Stored) -> list[object]:
    """What stays the same when a volume moves: all but the root's change time and place."""
    return [
        (msgspec.structs.replace(entry, ctime_ns=0, inode=entry.inode if entry.path else 0), blocks)
        for entry, blocks in stored
    ]


def _restore(
    fixture: ProviderFixture, stored: Stored, target: str, *, in_place: bool
) -> list[Finding]:
    restoration: Restoration = fixture.provider.restoration(target, in_place=in_place)
    for entry, blocks in stored:
        if restoration.differs(entry, partial(iter, blocks)):
            restoration.write(entry, iter(blocks))
    restoration.finish()
    return restoration.findings


def _differing(fixture: ProviderFixture, stored: Stored, target: str) -> list[bytes]:
    restoration = fixture.provider.restoration(target, in_place=True)
    return [
        entry.path for entry, blocks in stored if restoration.differs(entry, partial(iter, blocks))
    ]


def _plan(fixture: ProviderFixture, location: str) -> Quarantine:
    return fixture.provider.plan_quarantine(location, new_id("tomb", _AT))


def _permit(place: Quarantine) -> PurgePermit:
    return PurgePermit(place, new_id("snap", _AT), _AT, "a clause of the contract")


def _folder(path: bytes) -> Entry:
    return Entry(path, Kind.DIRECTORY, 0o755, 0, 0, 0)


def _refuses(call: Callable[[], object], *errors: type[VaultError]) -> VaultError:
    try:
        call()
    except errors as error:
        return error
    raise AssertionError(f"{' or '.join(error.__name__ for error in errors)} was not raised")


Needs = frozenset[Capability]
_AT: Final = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)

_CAPTURE: Final = frozenset({Capability.CAPTURE})
_RESTORE: Final = _CAPTURE | {Capability.RESTORE}
_QUARANTINE: Final = _CAPTURE | {Capability.QUARANTINE}

_CLAUSES: Final[dict[Clause, Needs]] = {
    identities_are_stable_and_unlike: _CAPTURE,
    what_is_not_there_has_vanished: _CAPTURE,
    overlaps_are_seen: _CAPTURE,
    entries_come_in_order: _CAPTURE,
    contents_are_whole_and_still: _CAPTURE,
    capturing_changes_nothing: _CAPTURE,
    what_was_captured_is_restored: _RESTORE,
    a_new_place_has_to_be_empty: _RESTORE,
    paths_that_leave_the_target_are_refused: _RESTORE,
    what_differs_is_brought_back_in_place: _RESTORE | {Capability.RESTORE_IN_PLACE},
    planning_changes_nothing: _QUARANTINE,
    quarantine_sets_aside_and_undelete_brings_back: _QUARANTINE,
    what_waits_can_be_captured: _QUARANTINE,
    the_location_is_empty_in_quarantine: _QUARANTINE,
    a_taken_place_is_not_overwritten: _QUARANTINE,
    another_source_is_not_set_aside: _QUARANTINE,
    a_foreign_plan_moves_nothing: _QUARANTINE,
    what_is_purged_is_gone: _QUARANTINE | {Capability.PURGE},
    what_was_undeleted_is_not_purged: _QUARANTINE | {Capability.PURGE},
}
_WHERE_PLACES_EMPTY: Final = frozenset(
    {the_location_is_empty_in_quarantine, another_source_is_not_set_aside}
)
