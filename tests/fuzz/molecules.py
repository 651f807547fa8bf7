"""QM9 in all its forms."""

from __future__ import annotations

import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.data.qm9 import check, read_qm9

from ..data.molecule_files import write_geometric, write_npz, write_sdf
from .inputs import archive, damaged
from .reader import reads


def write_order(folder):
    """Write LibMTL's order of the molecules beside them."""
    write_npz(folder)
    torch.save(torch.arange(12), folder / 'random_split.t')


FORMS = {
    'sdf': ('torch', partial(write_sdf, excluded=(3,))),
    'npz': ('torch', write_order),
    'downloaded': ('torch_geometric', partial(write_geometric, name='qm9_v3.pt')),
    'processed': ('torch_geometric', partial(write_geometric, name='data_v3.pt')),
}


@cache
def whole_files(form):
    with tempfile.TemporaryDirectory() as name:
        FORMS[form][1](Path(name))
        paths = sorted(path for path in Path(name).rglob('*') if path.is_file())
        return {path.name: path.read_bytes() for path in paths}


@st.composite
def files(draw, form):
    """A form's files, one of which is damaged."""
    content = dict(whole_files(form))
    name = draw(st.sampled_from(sorted(content)))
    content[name] = draw((damaged if form == 'sdf' else archive)(content[name]))
    return content


def check_files(value, folder):
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


for form, (module, _) in FORMS.items():
    reads(files(form), needs=module, name=f'qm9_{form}')(check_files)

arrays = st.tuples(
    st.sampled_from(('ids', 'smiles', 'Z', 'pos', 'ptr', 'y', 'target_names')),
    st.sampled_from(('f4', 'f8', 'i8', 'u1', 'u8', '?', 'c16', 'U4', 'S3', 'M8[s]')),
    st.lists(st.sampled_from((0, 1, 3, 12, 13, 19, 54)), max_size=3),
    st.integers(0, 300) | st.floats(),
)


@reads(arrays)
def qm9_npz_arrays(value, folder):
    """As :func:`check_files`, of a whole archive with another array in it."""
    name, kind, shape, filling = value
    with np.errstate(all='ignore'):
        array = np.full(shape, filling).astype(kind)
    write_npz(folder, **{name: array})
    check_files({}, folder)
