"""Strategies for inputs: anything at all, and what was right before something happened to it."""

from __future__ import annotations

import copy
import io
import json
import zipfile
import zlib
from typing import Any

from hypothesis import strategies as st

names = st.text(max_size=8)
numbers = st.one_of(st.integers(), st.floats())
plain = st.one_of(st.none(), st.booleans(), numbers, names)
"""A value as YAML, JSON or Python configs have them."""
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
NUMBERS = [0, 1, 2, 3, 4, 255, 2**15, 2**31, 2**40, 2**63, 2**64]
"""What a length or an offset in a file is wrong by: these, their neighbours and negatives."""


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with up to three places damaged.

    Bytes are changed, put in, cut out or copied, a bit is flipped, or a number exchanged.
    """
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        how = draw(st.sampled_from(('replace', 'replace', 'flip', 'number', 'copy')))
        if how == 'flip' and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif how == 'number':
            size = draw(st.sampled_from((1, 2, 4, 8)))
            value = draw(st.sampled_from(NUMBERS)) + draw(st.sampled_from((-1, 0, 0, 1)))
            order: Any = draw(st.sampled_from(('little', 'big')))
            content[start : start + size] = (value % 256**size).to_bytes(size, order)
        elif how == 'copy':
            source = draw(st.integers(0, len(content)))
            length = draw(st.sampled_from((1, 8, 64)))
            end = start + draw(st.sampled_from((0, length)))
            content[start:end] = content[source : source + length]
        else:
            end = draw(st.sampled_from((start, start + 1, start + 8, len(content))))
            content[start:end] = draw(st.binary(max_size=12))
    return bytes(content)


@st.composite
def archive(draw: st.DrawFn, whole: bytes) -> bytes:
    """A zip archive, as .npz files and checkpoints are: damaged, or a member of it."""
    if draw(st.booleans()):
        return draw(damaged(whole))
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        members = {member: file.read(member) for member in file.infolist()}
    # The larger a member, the more of it there is to damage; the smallest are versions.
    chosen = draw(st.sampled_from(sorted(members, key=lambda each: -each.file_size)))
    members[chosen] = draw(damaged(members[chosen]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:
        for member, content in members.items():
            file.writestr(member.filename, content)
    return buffer.getvalue()


@st.composite
def picture(draw: st.DrawFn, whole: bytes) -> bytes:
    """A PNG file: damaged, or a chunk of it, with checksums that are right."""
    if draw(st.booleans()):
        return draw(damaged(whole))
    signature, chunks, place = whole[:8], [], 8
    while place < len(whole):
        length = int.from_bytes(whole[place : place + 4], 'big')
        chunks.append((whole[place + 4 : place + 8], whole[place + 8 : place + 8 + length]))
        place += length + 12
    index = draw(st.integers(0, len(chunks) - 1))
    kind, content = chunks[index]
    if kind == b'IDAT' and draw(st.booleans()):
        content = zlib.compress(draw(damaged(zlib.decompress(content))))
    else:
        content = draw(damaged(content))
    chunks[index] = draw(st.sampled_from((kind, kind, *{kind for kind, _ in chunks}))), content
    return signature + b''.join(
        len(content).to_bytes(4, 'big') + part + zlib.crc32(part).to_bytes(4, 'big')
        for content, part in ((content, kind + content) for kind, content in chunks)
    )


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
