"""The house as CONTRIBUTING draws it: imports go one way, without circles, in files of one idea."""

from __future__ import annotations

import ast
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from . import ROOT

PACKAGE = ROOT / 'go4align_plugins'
# Room -> the rooms that it may import, beside itself.
BASE = {'weighting', 'measures', 'utils'}
DATA = {*BASE, 'tasks', 'data', 'models', 'plots'}
ARROWS = {
    'weighting': {'utils'},
    'utils': set(),
    'measures': {'utils'},
    'models': {'utils', 'data'},
    'data': {'utils', 'measures', 'tasks'},
    'plots': {'utils', 'data', 'tasks'},
    'libmtl': DATA,
    # LibMTL's strategies run inside MMEngine by one bridge.
    'mmengine': {*DATA, 'libmtl'},
    'mmseg': {*DATA, 'mmengine'},
    'leaderboard': {*DATA, 'libmtl', 'mmengine', 'mmseg'},
}
BRIDGE = {'go4align_plugins.mmengine.libmtl_bridge'}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


FILES = {name_of(path): path for path in PACKAGE.rglob('*.py')}


def imports_of(path: Path, inner: bool) -> set[str]:
    """The package's own modules that a file imports; ``inner``: within functions, too."""
    tree, found = ast.parse(path.read_text(encoding='utf-8')), set()
    for node in ast.walk(tree) if inner else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f'{node.module}.{alias.name}' for alias in node.names} | {node.module}
    return found & {*FILES}


@pytest.mark.parametrize('room', ARROWS)
def test_imports_go_one_way(room):
    for name, path in FILES.items():
        if name.split('.')[1:2] == [room]:
            found = {other.split('.')[1] for other in imports_of(path, inner=True) if '.' in other}
            bridged = {'libmtl'} if room == 'mmengine' and name not in BRIDGE else set()
            assert found - {room} <= ARROWS[room] - bridged, name


def test_every_room_has_its_arrows():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists()}
    assert rooms == set(ARROWS)


def test_there_is_no_circle_of_files():
    # A package's own name is only what its files are reached by.
    TopologicalSorter({
        name: imports_of(path, inner=False) - {name, name.rpartition('.')[0]}
        for name, path in FILES.items()
    }).prepare()  # fmt: skip


def test_files_are_short():
    words = ['git', 'ls-files', '*.py']
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout:
        pytest.skip('needs a checkout of git')
    paths = [path for name in done.stdout.split() if (path := ROOT / name).exists()]
    assert not [path for path in paths if path.read_text(encoding='utf-8').count('\n') > 300]
