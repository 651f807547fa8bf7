"""Strategies for inputs: anything at all, and what was right before something happened to it."""

from __future__ import annotations

import copy
import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL.PngImagePlugin import putchunk

names = st.text(max_size=8)
numbers = st.integers() | st.floats()
deeper = st.sampled_from((True, True, False))
plain = st.none() | st.booleans() | numbers | names
"""A value as YAML, JSON or Python configs have them."""
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
KINDS = ('f2', 'f4', '>f8', 'f8', 'g', 'i1', 'u1', 'u2', 'i8', 'u8', '?', 'c8', 'S3')
PIXELS = st.floats() | st.sampled_from((0.0, 1.0, -1.0, 12.0, 13.0, 0.5, 1e30, 2.0**53, -(2.0**40)))
lengths = st.builds(
    lambda value, more, size, order: ((value + more) % 256**size).to_bytes(size, order),
    st.sampled_from([0, 1, 2, 3, 4, 255, 2**15, 2**31, 2**40, 2**63, 2**64]),
    st.sampled_from((-1, 0, 0, 1)),
    st.sampled_from((1, 2, 4, 8)),
    st.sampled_from(('little', 'big')),
)
"""Wrong lengths and offsets, as a file has them."""


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file of which up to three places are changed, put in, cut out, copied, or a bit flipped."""
    content = bytearray(whole)
    places = st.integers(0, len(content))
    for _ in range(draw(st.integers(0, 3))):
        start, size = draw(places), draw(st.sampled_from((0, 1, 1, 2, 4, 8, 64, len(content))))
        change = draw(st.sampled_from(('replace', 'replace', 'length', 'copy', 'flip')))
        if change == 'flip':
            new = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in content[start : start + 1])
        elif change == 'copy':
            source = draw(places)
            new = content[source : source + size]
        else:
            new = draw(lengths if change == 'length' else st.binary(max_size=12))
        content[start : start + (size if change == 'replace' else len(new))] = new
    return bytes(content)


@st.composite
def archive(draw: st.DrawFn, whole: bytes) -> bytes:
    """A zip archive, as .npz files and checkpoints are: damaged, or a member of it."""
    if draw(st.booleans()):
        return draw(damaged(whole))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(buffer, 'w') as target:
        # The larger a member, the more of it there is to damage; the smallest are versions.
        chosen = draw(st.sampled_from(sorted(source.infolist(), key=lambda each: -each.file_size)))
        for member in source.infolist():
            content = source.read(member)
            content = draw(damaged(content)) if member is chosen else content
            target.writestr(member.filename, content)
    return buffer.getvalue()


@st.composite
def picture(draw: st.DrawFn, whole: bytes) -> bytes:
    """A PNG file: damaged, or its chunks are, with checksums that are right."""
    if draw(st.booleans()):
        return draw(damaged(whole))
    file, place = io.BytesIO(), 8
    file.write(whole[:place])
    while place < len(whole):
        end = place + 8 + int.from_bytes(whole[place : place + 4], 'big')
        kind, content = whole[place + 4 : place + 8], whole[place + 8 : end]
        if kind == b'IDAT':
            content = zlib.compress(draw(damaged(zlib.decompress(content))))
        putchunk(file, kind, draw(damaged(content)))
        place = end + 4
    return file.getvalue()


@st.composite
def altered(draw: st.DrawFn, whole: Any) -> Any:
    """A nested value in which up to two entries were replaced or removed."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, 2))):
        holder, inner = None, value
        while isinstance(inner, (dict, list)) and inner and (holder is None or draw(deeper)):
            keys = [*inner] if isinstance(inner, dict) else range(len(inner))
            holder, key = inner, draw(st.sampled_from(keys))
            inner = holder[key]
        if holder and draw(deeper):
            holder[key] = draw(anything)
        elif holder:
            del holder[key]
    return value


@st.composite
def changed_array(draw, array):
    """Another type, shape and value than an array's, or another number in a place of it."""
    with np.errstate(all='ignore'):
        if draw(st.booleans()):
            other = st.lists(st.sampled_from((0, 1, *array.shape)), max_size=4)
            array = np.full(draw(st.just(array.shape) | other), draw(PIXELS))
            return array.astype(draw(st.sampled_from(KINDS)))
        array = array.astype(draw(st.sampled_from(('f4', 'f8'))))
        array.flat[draw(st.integers(0, array.size - 1))] = draw(PIXELS)
    return array


def lines_of(*values: Any) -> bytes:
    return ''.join(json.dumps(value) + '\n' for value in values).encode()


@st.composite
def json_file(draw: st.DrawFn, *lines: Any) -> bytes:
    """JSON lines of which one is altered, or the bytes damaged, or neither."""
    index = draw(st.integers(0, len(lines) - 1))
    content = lines_of(*lines[:index], draw(altered(lines[index])), *lines[index + 1 :])
    return draw(st.just(content) | damaged(content))
