"""Files with checksums: damaged outside, or inside before the checksums are made."""

from __future__ import annotations

import io
import zipfile
import zlib

from hypothesis import strategies as st

from .values import damaged

SIGNATURE = b'\x89PNG\r\n\x1a\n'
COMPRESSED = b'IDAT'


def archive(whole: bytes) -> st.SearchStrategy[bytes]:
    """A zip archive, as .npz files and checkpoints are: damaged, or a member of it."""
    return st.one_of(damaged(whole), _inside_archive(whole))


def picture(whole: bytes) -> st.SearchStrategy[bytes]:
    """A PNG file: damaged, or a chunk of it."""
    return st.one_of(damaged(whole), _inside_picture(whole))


@st.composite
def _inside_archive(draw: st.DrawFn, whole: bytes) -> bytes:
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
def _inside_picture(draw: st.DrawFn, whole: bytes) -> bytes:
    chunks = _chunks(whole)
    index = draw(st.integers(0, len(chunks) - 1))
    kind, content = chunks[index]
    if kind == COMPRESSED and draw(st.booleans()):
        content = zlib.compress(draw(damaged(zlib.decompress(content))))
    else:
        content = draw(damaged(content))
    changed = draw(st.sampled_from((kind, kind, *{kind for kind, _ in chunks})))
    chunks[index] = changed, content
    return SIGNATURE + b''.join(
        len(content).to_bytes(4, 'big')
        + kind
        + content
        + zlib.crc32(kind + content).to_bytes(4, 'big')
        for kind, content in chunks
    )


def _chunks(whole: bytes) -> list[tuple[bytes, bytes]]:
    chunks = []
    place = len(SIGNATURE)
    while place < len(whole):
        length = int.from_bytes(whole[place : place + 4], 'big')
        chunks.append((whole[place + 4 : place + 8], whole[place + 8 : place + 8 + length]))
        place += length + 12
    return chunks
