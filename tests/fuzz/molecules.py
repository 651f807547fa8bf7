"""QM9 in all its forms."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.data.qm9 import check, read_qm9

from ..data.molecule_files import write_geometric, write_npz, write_sdf
from .target import Target
from .values import archive, damaged


@cache
def _files(kind: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == 'sdf':
            write_sdf(folder, excluded=(3,))
        elif kind == 'npz':
            write_npz(folder)
        else:
            write_geometric(folder, kind)
        return {path.name: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@st.composite
def files(draw: st.DrawFn, kind: str) -> dict[str, bytes]:
    """A form's files, one of which is damaged."""
    content = dict(_files(kind))
    name = draw(st.sampled_from(sorted(content)))
    content[name] = draw(damaged(content[name]) if kind == 'sdf' else archive(content[name]))
    return content


def check_files(value: dict[str, bytes], folder: Path) -> None:
    """Molecules that are read keep the rules; both checks say the same."""
    for name, content in value.items():
        (folder / name).write_bytes(content)
    problems, _ = check(folder)
    assert all(str(folder) in problem for problem in problems)
    try:
        molecules = read_qm9(folder)
    except ValueError:
        assert problems
        raise
    assert not problems
    assert np.isfinite(molecules.targets).all()
    assert sum(map(len, molecules.splits.values())) == len(molecules)
    for index in range(len(molecules)):
        atoms, pairs, features = molecules.graph(index)
        assert len(atoms) >= 1
        assert features.shape == (pairs.shape[1], 5)
        assert np.isfinite(features).all()


SHAPES = st.one_of(
    st.sampled_from(([12], [13], [54], [54, 3], [12, 19], [19])),
    st.lists(st.sampled_from((0, 1, 3, 12, 13, 54)), max_size=3),
)
arrays = st.tuples(
    st.sampled_from(('ids', 'smiles', 'Z', 'pos', 'ptr', 'y', 'target_names')),
    st.sampled_from(('f4', 'f8', 'i8', 'u1', 'u8', '?', 'c16', 'U4', 'S3', 'M8[s]')),
    SHAPES,
    st.one_of(st.integers(0, 300), st.floats()),
)


def check_arrays(value: tuple[str, str, list[int], Any], folder: Path) -> None:
    """As :func:`check_files`, of a whole archive with another array in it."""
    name, kind, shape, filling = value
    with np.errstate(all='ignore'):
        array = np.full(shape, filling).astype(kind)
    write_npz(folder, **{name: array})
    check_files({}, folder)


def check_order(content: bytes, folder: Path) -> None:
    """LibMTL's order of the molecules."""
    write_npz(folder)
    check_files({'random_split.t': content}, folder)


def _order() -> st.SearchStrategy[bytes]:
    buffer = io.BytesIO()
    torch.save(torch.arange(12), buffer)
    return archive(buffer.getvalue())


FORMS = {
    'qm9_sdf': ('sdf', ()),
    'qm9_npz': ('npz', ()),
    'qm9_downloaded': ('qm9_v3.pt', ('torch_geometric',)),
    'qm9_processed': ('data_v3.pt', ('torch_geometric',)),
}
TARGETS = {
    'qm9_npz_arrays': Target(arrays, check_arrays),
    'qm9_order': Target(st.deferred(_order), check_order),
    **{
        name: Target(files(kind), check_files, needs=needs) for name, (kind, needs) in FORMS.items()
    },
}
