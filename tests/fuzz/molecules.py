"""QM9 in all its forms."""

from __future__ import annotations

import io
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.data.qm9 import check, read_qm9

from ..data.molecule_files import write_geometric, write_npz, write_sdf
from .inputs import archive, changed_array, damaged
from .reader import reads


def write_order(folder):
    torch.save(torch.arange(12), write_npz(folder) / 'random_split.t')


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
    for atoms, pairs, features in map(molecules.graph, range(len(molecules))):
        assert len(atoms) >= 1
        assert features.shape == (pairs.shape[1], 5)
        assert np.isfinite(features).all()


for form, (module, _) in FORMS.items():
    reads(files(form), needs=module, name=f'qm9_{form}')(check_files)


def arrays():
    with np.load(io.BytesIO(whole_files('npz')['molecules.npz'])) as file:
        names = ('ids', 'Z', 'pos', 'ptr', 'y')
        return st.one_of(changed_array(file[name]).map(lambda a, n=name: {n: a}) for name in names)


@reads(arrays)
def qm9_npz_arrays(value, folder):
    write_npz(folder, **value)
    check_files({}, folder)
