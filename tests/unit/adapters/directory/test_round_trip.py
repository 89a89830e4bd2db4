"""Any small tree that is captured and restored is equal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.adapters.directory.passing import put, taken
from vault.testing.trees import differences, read_tree

NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
TIMES = st.integers(min_value=-(10**18), max_value=2 * 10**18)
MODES = st.integers(min_value=0o600, max_value=0o7777).map(lambda mode: mode | 0o600)
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=40), MODES, TIMES),
    st.tuples(st.just("sparse"), st.lists(st.integers(0, 40), max_size=3), MODES, TIMES),
    st.tuples(st.just("link"), NAMES, MODES, TIMES),
    st.tuples(st.just("fifo"), st.none(), MODES, TIMES),
    st.tuples(st.just("again"), st.none(), MODES, TIMES),
)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(LEAVES, inner), max_size=4),
    max_leaves=20,
)


def make(folder: bytes, tree: dict[bytes, object], first: list[bytes], odd: int = 0) -> None:
    """Make what a drawn tree says, with times that are all even or all odd."""
    os.mkdir(folder)
    for name, what in tree.items():
        path = os.path.join(folder, name)
        if isinstance(what, dict):
            make(path, what, first, odd)
            continue
        assert isinstance(what, tuple)
        kind, content, mode, at = what
        make_leaf(path, kind, content, first)
        if kind != "link":
            os.chmod(path, mode)
        os.utime(path, ns=(at, 2 * at + odd), follow_symlinks=False)
    os.utime(folder, ns=(7, len(folder) * 10**9 + 7))


def make_leaf(path: bytes, kind: str, content: object, first: list[bytes]) -> None:
    """Make one thing that is no folder."""
    if kind == "link":
        assert isinstance(content, bytes)
        os.symlink(content, path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "again" and first:
        os.link(first[0], path)
    else:
        with open(path, "wb") as out:
            if isinstance(content, list):
                out.truncate(41 * 4096)
                for place in content:
                    out.seek(place * 4096)
                    out.write(b"x" * 5000)
            elif isinstance(content, bytes):
                out.write(content)
        first.append(path)


@settings(max_examples=60, deadline=None)
@given(tree=TREES, other=TREES)
def test_any_tree_returns(tree: dict[bytes, object], other: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = os.fsencode(scratch)
        make(base + b"/a", tree, [])
        stored, findings = taken(Path(scratch, "a"))
        assert not findings
        assert not put(Path(scratch, "b"), stored)
        assert not differences(Path(scratch, "a"), Path(scratch, "b"))
        make(base + b"/c", other, [], odd=1)
        put(Path(scratch, "c"), stored, in_place=True)
        lines = differences(Path(scratch, "a"), Path(scratch, "c"))
        assert all("is only in" in line or "hard links" in line for line in lines), lines
        assert not [line for line in lines if line.endswith("/a")]
        groups = read_tree(Path(scratch, "c")).links
        assert all(group in groups for group in read_tree(Path(scratch, "a")).links)
