"""The environments of ``make matrix``: which extras, at which versions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = ('libmtl', 'libmtl-main', 'qm9', 'cluster', 'clustering', 'mmseg')
TOOLS = ('pytest', 'hypothesis')
BASE = ('weighting', 'measures', 'test_imports.py')
QM9 = ('qm9', 'qm9_tensors', 'mpnn', 'molecules')
FOLDERS = {
    '': BASE,
    'libmtl': ('.',),
    'libmtl-main': ('.',),
    'qm9': (*BASE, *(f'benchmarks/test_{name}.py' for name in QM9)),
    'cluster': BASE,
    'clustering': (*BASE, 'test_speed.py'),
    'mmseg': (*BASE, 'mmengine', 'mmseg'),
    'all': ('.',),
}
"""The tests that apply to each extra; the others need packages that are not there. Of those that
run, each names in the reason of its skip what it lacks."""


@dataclass(frozen=True)
class Environment:
    """An environment.

    Attributes:
        extra: of this package; ``''`` is none, ``'all'`` most.
        lowest: whether every requirement is at its lower bound, or the newest there is.
        python: its version, as in ``python3.11``.
    """

    extra: str
    lowest: bool
    python: str

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return f'{self.extra or "none"}-{self.base}'

    @property
    def base(self) -> str:
        """What it shares with those of other extras."""
        return f'{"lowest" if self.lowest else "newest"}-{self.python}'

    @property
    def tests(self) -> list[str]:
        """The folders and files to be tested."""
        return [str(ROOT / 'tests' / name) for name in FOLDERS[self.extra]]


def all_environments(pythons: list[str]) -> list[Environment]:
    """No extras, each alone and all of them: lowest on the oldest Python, newest on the newest.

    Releases as old as the lower bounds have no wheels for later Pythons.
    """
    chosen = [(True, pythons[0]), (False, pythons[-1])]
    return [
        Environment(extra, lowest, python)
        for extra in ('', *EXTRAS, 'all')
        for lowest, python in chosen
    ]


def requirements(extra: str) -> list[str]:
    """What ``setup.py`` requires with an extra, read without running it."""
    tree = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
    lists: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            lists[str(node.targets[0].id)] = [  # type: ignore[attr-defined]
                entry.value for entry in node.value.elts if isinstance(entry, ast.Constant)
            ]
    names = {
        '': (),
        'libmtl-main': ('LIBMTL', 'LIBMTL_MAIN'),
        'all': ('LIBMTL', 'MMSEG', 'CLUSTERING', 'QM9', 'CLUSTER'),
    }.get(extra, (extra.upper().replace('-', '_'),))
    torch = re.findall(r"install_requires=\['(.+?)'\]", (ROOT / 'setup.py').read_text('utf-8'))
    return [*torch, *(entry for name in names for entry in lists[name])]


def lower_bounds(extra: str) -> list[str]:
    """Constraints that hold every requirement at its lower bound; one without has none."""
    bounds: dict[str, tuple[int, ...]] = {}
    for entry in requirements(extra):
        found = re.match(r'([\w.-]+)(?:\[.*\])?(?:>=|==)([\d.]+)', entry)
        if found:
            version = tuple(map(int, found[2].split('.')))
            bounds[found[1]] = max(bounds.get(found[1], version), version)
    return [f'{name}=={".".join(map(str, version))}' for name, version in bounds.items()]
