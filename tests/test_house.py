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
    tree = ast.parse(path.read_text(encoding='utf-8'))
    nodes = ast.walk(tree) if inner else top_level(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f'{node.module}.{alias.name}' for alias in node.names} | {node.module}
    return {name for name in found if name in FILES}


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """The statements that run at import, but those for type checkers alone."""
    return [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize('room', ARROWS)
def test_imports_go_one_way(room):
    for name, path in FILES.items():
        if name.split('.')[1:2] != [room]:
            continue
        rooms = {found.split('.')[1] for found in imports_of(path, inner=True) if '.' in found}
        allowed = ARROWS[room] - (
            {'libmtl'} if room == 'mmengine' and name not in BRIDGE else set()
        )
        assert rooms - {room} <= allowed, name


def test_every_room_has_its_arrows():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists()}
    assert rooms == set(ARROWS)


def test_there_is_no_circle_of_files():
    graph = {}
    for name, path in FILES.items():
        # A package's own name is only what its files are reached by.
        graph[name] = imports_of(path, inner=False) - {name, name.rpartition('.')[0]}
    TopologicalSorter(graph).prepare()


def test_files_are_short():
    listed = subprocess.run(
        ['git', 'ls-files', '*.py'], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip('needs a checkout of git')
    long = {name: (ROOT / name).read_text(encoding='utf-8').count('\n') for name in listed}
    assert not {name: count for name, count in long.items() if count > 300}
