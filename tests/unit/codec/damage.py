"""Damaged copies of bytes, for every parser: truncated, flipped, spliced."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes that differ from `data`."""
    at = draw(st.integers(0, len(data) - 1))
    kind = draw(st.sampled_from(("truncate", "flip", "insert", "cut", "replace", "append")))
    if kind == "truncate":
        return data[:at]
    if kind == "flip":
        bit = 1 << draw(st.integers(0, 7))
        return data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
    more = draw(st.binary(min_size=1, max_size=40))
    if kind == "insert":
        return data[:at] + more + data[at:]
    if kind == "append":
        return data + more
    end = draw(st.integers(at + 1, len(data)))
    if kind == "cut":
        return data[:at] + data[end:]
    spliced = data[:at] + more + data[end:]
    return spliced if spliced != data else data[:-1]
