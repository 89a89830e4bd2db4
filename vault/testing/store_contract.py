"""The store's contract as clauses that any implementation has to pass; no pytest inside.

    for name, clause in clauses(fixture): clause()

A clause raises AssertionError where the store breaks it. Keys are fresh in every clause, so that
one store serves them all; none is left locked for longer than `StoreFixture.lock`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from vault.errors import LockRefused, ObjectMissing, VaultError
from vault.store.contract import LockMode, ObjectVersion, WholeStore
from vault.store.names import named


@dataclass(frozen=True)
class StoreFixture:
    """A store under test.

    `pass_time` lets the store's time pass for so long, None where it cannot. `lock` is how long
    the clauses lock, at most. `overlay` puts other bytes, and `mark` a delete marker, over a key
    as another credential could; None where the store knows no such thing. `versions` is how many
    versions the long clause lays over one key.
    """

    store: WholeStore
    pass_time: Callable[[timedelta], None] | None = None
    overlay: Callable[[str, bytes], None] | None = None
    mark: Callable[[str], None] | None = None
    lock: timedelta = timedelta(minutes=10)
    versions: int = 25
    without: Sequence[str] = field(default=())

    def until(self, share: float = 1.0) -> datetime:
        """A date that the store can lock until; `share` of the way to the farthest."""
        return (self.store.now() + self.lock * share).replace(microsecond=0)

    def fresh(self, data: bytes = b"", folder: str = "contract") -> tuple[str, bytes]:
        """A key that was never used, with content of its own."""
        data = data + secrets.token_bytes(8)
        return named(f"{folder}/{secrets.token_hex(4)}", data), data


Clause = Callable[[StoreFixture], None]


def clauses(fixture: StoreFixture) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every clause that this store can be held to, by name."""
    for clause in _CLAUSES:
        name = clause.__name__
        if name in fixture.without or not _can(fixture, name):
            continue
        yield name, partial(clause, fixture)


def clause_names() -> list[str]:
    """The names of all clauses, in order."""
    return [clause.__name__ for clause in _CLAUSES]


def _can(fixture: StoreFixture, name: str) -> bool:
    if name in _NEEDS_TIME:
        return fixture.pass_time is not None
    if name in _NEEDS_OVERLAY:
        return fixture.overlay is not None
    return fixture.mark is not None if name in _NEEDS_MARK else True


def what_was_put_is_read(fixture: StoreFixture) -> None:
    """The whole, by name and by version, and the empty object."""
    for content in (b"x" * 5000, b""):
        key, data = fixture.fresh(content)
        receipt = fixture.store.put(key, data, fixture.until())
        assert receipt.key == key
        assert fixture.store.get(key) == data
        assert fixture.store.get(key, version=receipt.version) == data


def an_empty_object_is_an_object(fixture: StoreFixture) -> None:
    """Nothing is something: zero bytes are stored, listed and read."""
    key = f"contract/{secrets.token_hex(8)}"
    fixture.store.put(key, b"", fixture.until())
    assert fixture.store.get(key) == b""
    assert [found.size for found in fixture.store.list(key)] == [0]


def ranges_are_exact(fixture: StoreFixture) -> None:
    """Ranges give their bytes: fewer only at the end, none past it."""
    key, data = fixture.fresh(b"0123456789")
    fixture.store.put(key, data, fixture.until())
    size = len(data)
    for start, length in ((0, 1), (3, 4), (5, None), (size - 1, 1), (size - 2, 50), (2, 0)):
        end = None if length is None else start + length
        assert fixture.store.get(key, start, length) == data[start:end], (start, length)
    assert fixture.store.get(key, size, 5) == b""
    assert fixture.store.get(key, size + 100, 5) == b""
    assert fixture.store.get(key, size + 100) == b""


def what_is_not_there_is_missing(fixture: StoreFixture) -> None:
    """A key or version that never was raises ObjectMissing, whatever is asked of it."""
    key, data = fixture.fresh()
    _refused(ObjectMissing, lambda: fixture.store.get(key))
    _refused(ObjectMissing, lambda: fixture.store.get(key, 0, 0))
    _refused(ObjectMissing, lambda: fixture.store.retention(key))
    receipt = fixture.store.put(key, data, fixture.until())
    other = "0" * len(receipt.version) if set(receipt.version) != {"0"} else "77"
    _refused(ObjectMissing, lambda: fixture.store.get(key, version=other))
    _refused(ObjectMissing, lambda: fixture.store.extend(key, fixture.until(), version=other))
    assert list(fixture.store.list(key + "x")) == []


def a_put_is_locked(fixture: StoreFixture) -> None:
    """The receipt, the store's answer and the date asked for agree, in COMPLIANCE mode."""
    key, data = fixture.fresh()
    asked = fixture.until(0.5) + timedelta(milliseconds=300)
    receipt = fixture.store.put(key, data, asked)
    assert asked <= receipt.locked_until <= asked + timedelta(seconds=1)
    lock = fixture.store.retention(key, version=receipt.version)
    assert lock.mode is LockMode.COMPLIANCE
    assert lock.until == receipt.locked_until
    assert fixture.store.retention(key).until == receipt.locked_until


def a_lock_in_the_past_is_refused(fixture: StoreFixture) -> None:
    """Neither a put nor an extension may set a lock that is over already; nothing is stored."""
    key, data = fixture.fresh()
    past = fixture.store.now() - timedelta(days=1)
    _refused(LockRefused, lambda: fixture.store.put(key, data, past))
    assert list(fixture.store.list(key)) == []


def putting_again_is_harmless(fixture: StoreFixture) -> None:
    """The same bytes again: readable as before, and locked as long as asked for."""
    key, data = fixture.fresh()
    first = fixture.store.put(key, data, fixture.until(0.5))
    again = fixture.store.put(key, data, fixture.until())
    assert fixture.store.get(key) == data
    assert fixture.store.get(key, version=first.version) == data
    assert again.locked_until > first.locked_until
    assert fixture.store.retention(key, version=again.version).until == again.locked_until


def other_bytes_never_replace(fixture: StoreFixture) -> None:
    """Bytes laid over a key are one more version; the first is read by its name as before."""
    key, data = fixture.fresh()
    first = fixture.store.put(key, data, fixture.until())
    second = fixture.store.put(key, b"forged", fixture.until())
    assert second.version != first.version
    assert fixture.store.get(key, version=first.version) == data
    assert fixture.store.get(key, version=second.version) == b"forged"
    found = list(fixture.store.list(key))
    assert [version.version for version in found] == [second.version, first.version]
    assert [version.latest for version in found] == [True, False]


def another_credentials_overlay_hides_nothing(fixture: StoreFixture) -> None:
    """Whatever somebody else puts over a key, the authentic version is listed and read."""
    assert fixture.overlay is not None
    key, data = fixture.fresh()
    receipt = fixture.store.put(key, data, fixture.until())
    fixture.overlay(key, b"somebody else's")
    assert fixture.store.get(key, version=receipt.version) == data
    assert receipt.version in [found.version for found in fixture.store.list(key)]


def a_marker_hides_a_plain_get_only(fixture: StoreFixture) -> None:
    """A delete marker is listed as one, on top; the version beneath is read by name."""
    assert fixture.mark is not None
    key, data = fixture.fresh()
    receipt = fixture.store.put(key, data, fixture.until())
    fixture.mark(key)
    _refused(ObjectMissing, lambda: fixture.store.get(key))
    assert fixture.store.get(key, version=receipt.version) == data
    found = list(fixture.store.list(key))
    assert [(version.marker, version.latest) for version in found] == [(True, True), (False, False)]
    assert found[1].version == receipt.version
    longer = fixture.store.extend(key, fixture.until(), version=receipt.version)
    assert longer >= receipt.locked_until
    _refused(ObjectMissing, lambda: fixture.store.get(key, version=found[0].version))


def listing_is_by_key_in_byte_order(fixture: StoreFixture) -> None:
    """Keys come in byte order whatever the place of slashes, and only those under the prefix."""
    root = f"contract/{secrets.token_hex(4)}"
    keys = [f"{root}/{name}" for name in ("a-b", "a/b", "a/c", "a.b", "aa", "B", "a0", "a/b-/c")]
    for key in keys:
        fixture.store.put(key, key.encode(), fixture.until())
    assert [found.key for found in fixture.store.list(root)] == sorted(keys)
    below = sorted(key for key in keys if key.startswith(f"{root}/a/"))
    assert [found.key for found in fixture.store.list(f"{root}/a/")] == below
    assert [found.key for found in fixture.store.list(f"{root}/aa")] == [f"{root}/aa"]
    assert list(fixture.store.list(f"{root}/nothing")) == []


def what_was_put_is_listed_at_once(fixture: StoreFixture) -> None:
    """Each listing has all that was put before it began, whichever thread put it."""
    root = f"contract/{secrets.token_hex(4)}"
    keys = [f"{root}/{number}" for number in range(8)]
    with ThreadPoolExecutor(1) as elsewhere:
        for number, key in enumerate(keys):
            elsewhere.submit(fixture.store.put, key, b"x", fixture.until()).result()
            assert [found.key for found in fixture.store.list(root)] == keys[: number + 1]


def listing_tells_size_and_time(fixture: StoreFixture) -> None:
    """Sizes in bytes; times are the store's, aware and in UTC."""
    key, data = fixture.fresh(b"y" * 1234)
    before = fixture.store.now() - timedelta(seconds=2)
    receipt = fixture.store.put(key, data, fixture.until())
    (found,) = _listed(fixture, key)
    assert (found.key, found.version, found.size) == (key, receipt.version, len(data))
    assert (found.marker, found.latest) == (False, True)
    assert found.modified.tzinfo is UTC
    assert before <= found.modified <= fixture.store.now() + timedelta(seconds=2)


def many_versions_are_listed(fixture: StoreFixture) -> None:
    """However many lie over a key, all are listed, the oldest last, and it is read."""
    key, data = fixture.fresh()
    first = fixture.store.put(key, data, fixture.until())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(_overlay, fixture, key), range(fixture.versions)))
    last, count, newest = None, 0, 0
    for last in fixture.store.list(key):
        count += 1
        newest += last.latest
    assert (count, newest) == (fixture.versions + 1, 1)
    assert last is not None
    assert last.version == first.version
    assert fixture.store.get(key, version=last.version) == data


def extending_goes_forward_only(fixture: StoreFixture) -> None:
    """A later date holds; an earlier one changes nothing and the present lock is told."""
    key, data = fixture.fresh()
    receipt = fixture.store.put(key, data, fixture.until(0.5))
    later = fixture.until()
    assert fixture.store.extend(key, later, version=receipt.version) >= later
    held = fixture.store.retention(key, version=receipt.version).until
    assert fixture.store.extend(key, fixture.until(0.2), version=receipt.version) == held
    assert fixture.store.extend(key, later, version=receipt.version) == held
    assert fixture.store.retention(key, version=receipt.version).until == held


def extending_names_the_version(fixture: StoreFixture) -> None:
    """The lock of the version named moves, not that of one laid on top."""
    key, data = fixture.fresh()
    first = fixture.store.put(key, data, fixture.until(0.3))
    second = fixture.store.put(key, b"forged", fixture.until(0.3))
    longer = fixture.store.extend(key, fixture.until(), version=first.version)
    assert longer > first.locked_until
    assert fixture.store.retention(key, version=second.version).until == second.locked_until


def what_is_locked_is_not_deleted(fixture: StoreFixture) -> None:
    """Deleting a locked version is refused and leaves it as it was."""
    key, data = fixture.fresh()
    receipt = fixture.store.put(key, data, fixture.until())
    _refused(LockRefused, lambda: fixture.store.delete(key, version=receipt.version))
    assert fixture.store.get(key, version=receipt.version) == data


def what_has_lapsed_is_deleted(fixture: StoreFixture) -> None:
    """Not a second early; afterwards for good, that version alone; again is no error."""
    assert fixture.pass_time is not None
    key, data = fixture.fresh()
    short = fixture.store.now() + timedelta(seconds=15)
    first = fixture.store.put(key, data, short)
    second = fixture.store.put(key, b"forged", fixture.until())
    _refused(LockRefused, lambda: fixture.store.delete(key, version=first.version))
    fixture.pass_time(timedelta(seconds=17))
    fixture.store.delete(key, version=first.version)
    fixture.store.delete(key, version=first.version)
    assert [found.version for found in fixture.store.list(key)] == [second.version]
    _refused(ObjectMissing, lambda: fixture.store.get(key, version=first.version))
    _refused(LockRefused, lambda: fixture.store.delete(key, version=second.version))


def what_has_lapsed_can_be_locked_again(fixture: StoreFixture) -> None:
    """A lapsed version that is still there is extended like any other."""
    assert fixture.pass_time is not None
    key, data = fixture.fresh()
    receipt = fixture.store.put(key, data, fixture.store.now() + timedelta(seconds=10))
    fixture.pass_time(timedelta(seconds=12))
    assert fixture.store.extend(key, fixture.until(), version=receipt.version) >= fixture.until(0.9)
    _refused(LockRefused, lambda: fixture.store.delete(key, version=receipt.version))


def time_passes_in_the_store(fixture: StoreFixture) -> None:
    """Its clock is aware, in UTC, and moves on."""
    assert fixture.pass_time is not None
    before = fixture.store.now()
    fixture.pass_time(timedelta(seconds=2))
    assert before.utcoffset() == timedelta(0)
    assert timedelta(seconds=1) <= fixture.store.now() - before < timedelta(minutes=1)


def threads_may_share_it(fixture: StoreFixture) -> None:
    """Many threads put, read and list at once; the same key too."""
    key, data = fixture.fresh()
    pairs = [fixture.fresh(b"%d" % n) for n in range(12)] + [(key, data)] * 4

    def work(pair: tuple[str, bytes]) -> bytes:
        fixture.store.put(*pair, fixture.until())
        return fixture.store.get(pair[0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, pairs)) == [content for _, content in pairs]
    for name, content in pairs:
        assert {fixture.store.get(name, version=v.version) for v in _listed(fixture, name)} == {
            content
        }


def names_outside_the_contract_are_refused(fixture: StoreFixture) -> None:
    """No name leaves the store's own place."""
    for key in ("", "/etc/x", "../x", "a/../b", "a//b", "a/", "a\0b", "ü", "a~1"):
        _refused(VaultError, partial(fixture.store.put, key, b"x", fixture.until()))


_CLAUSES: Final[tuple[Clause, ...]] = (
    what_was_put_is_read,
    an_empty_object_is_an_object,
    ranges_are_exact,
    what_is_not_there_is_missing,
    a_put_is_locked,
    a_lock_in_the_past_is_refused,
    putting_again_is_harmless,
    other_bytes_never_replace,
    another_credentials_overlay_hides_nothing,
    a_marker_hides_a_plain_get_only,
    listing_is_by_key_in_byte_order,
    what_was_put_is_listed_at_once,
    listing_tells_size_and_time,
    many_versions_are_listed,
    extending_goes_forward_only,
    extending_names_the_version,
    what_is_locked_is_not_deleted,
    what_has_lapsed_is_deleted,
    what_has_lapsed_can_be_locked_again,
    time_passes_in_the_store,
    threads_may_share_it,
    names_outside_the_contract_are_refused,
)
_NEEDS_TIME: Final = frozenset(
    {
        "what_has_lapsed_is_deleted",
        "what_has_lapsed_can_be_locked_again",
        "time_passes_in_the_store",
    }
)
_NEEDS_OVERLAY: Final = frozenset({"another_credentials_overlay_hides_nothing"})
_NEEDS_MARK: Final = frozenset({"a_marker_hides_a_plain_get_only"})


def _listed(fixture: StoreFixture, key: str) -> list[ObjectVersion]:
    return [found for found in fixture.store.list(key) if found.key == key]


def _refused(kind: type[VaultError], call: Callable[[], object]) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def _overlay(fixture: StoreFixture, key: str, number: int) -> None:
    content = b"version %d" % number
    if fixture.overlay is None:
        fixture.store.put(key, content, fixture.until())
    else:
        fixture.overlay(key, content)
