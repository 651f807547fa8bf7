"""Strategies for inputs: anything at all, and what was right before something happened to it."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

names = st.text(max_size=8)
numbers = st.one_of(st.integers(), st.floats())
plain = st.one_of(st.none(), st.booleans(), numbers, names)
"""A value as YAML, JSON or Python configs have them."""

anything = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with up to three bytes or runs of bytes changed, put in, cut out, or its end lost."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.sampled_from((start, start + 1, start + 8, len(content))))
        content[start:end] = draw(st.binary(max_size=12))
    return bytes(content)


@st.composite
def altered(draw: st.DrawFn, whole: Any) -> Any:
    """A nested value in which up to two entries were replaced, removed or doubled."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, 2))):
        places = list(_places(value))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(('replace', 'replace', 'remove', 'double')))
        if change == 'replace':
            holder[key] = draw(anything)
        elif change == 'remove':
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[draw(names)] = holder[key]
    return value


def _places(value: Any) -> Any:
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield value, key
        yield from _places(value[key])


def lines_of(*values: Any) -> bytes:
    """JSON lines."""
    return ''.join(json.dumps(value) + '\n' for value in values).encode()


@st.composite
def json_file(draw: st.DrawFn, *lines: Any) -> bytes:
    """JSON lines of which one is altered, or the bytes damaged, or neither."""
    values = list(lines)
    index = draw(st.integers(0, len(values) - 1))
    values[index] = draw(altered(values[index]))
    content = lines_of(*values)
    return draw(damaged(content)) if draw(st.booleans()) else content
