"""Builds the environments of the matrix one after the other, tests each, and deletes it.

``--torch VERSION`` holds torch where it is, since each release brings gigabytes with it; the lowest
torch is then not tested.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.matrix.environments import (  # noqa: E402
    TOOLS,
    Environment,
    all_environments,
    lower_bounds,
)

NEEDED = 12 * 10**9
"""Bytes that an environment with CUDA's packages may take."""


def main() -> int:
    """The command line; its status is 1 if any environment failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('names', nargs='*', metavar='NAME', help='environments (all); `list` names them')
    add('--pythons', nargs='+', help='versions, oldest first (those found of 3.9 to 3.13)')
    add('--torch', help='hold torch at this version in every environment')
    add('--unit', action='store_true', help='only tests that neither train nor render')
    add('--folder', type=Path, help='where to build (a temporary folder)')
    options = parser.parse_args()
    found = options.pythons or [v for v in _versions() if shutil.which(f'python{v}')]
    environments = {one.name: one for one in all_environments(found)}
    if options.names == ['list']:
        print(*environments, sep='\n')
        return 0
    unknown = [name for name in options.names if name not in environments]
    if unknown:
        parser.error(f'no environment {unknown[0]}: choose from {", ".join(environments)}')
    results = {}
    for name in options.names or environments:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix='matrix-') as folder:
            results[name] = _try(environments[name], Path(folder), options.torch, options.unit)
        print(f'{name}: {results[name]}', flush=True)
    return int(any(not result.startswith('passed') for result in results.values()))


def _versions() -> list[str]:
    return [f'3.{minor}' for minor in range(9, 14)]


def _try(environment: Environment, folder: Path, torch: str | None, unit: bool) -> str:
    if shutil.disk_usage(folder).free < NEEDED:
        return 'not built: less than 12 GB of disk left'
    begin = time.monotonic()
    python = folder / 'venv' / 'bin' / 'python'
    constraints = folder / 'constraints.txt'
    held = lower_bounds(environment.extra) if environment.lowest else []
    if torch:
        held = [line for line in held if not line.startswith('torch==')] + [f'torch=={torch}']
    constraints.write_text('\n'.join(held))
    # Not editable: what is installed is what a user gets.
    target = f'{ROOT}[{environment.extra}]' if environment.extra else str(ROOT)
    install = [python, '-m', 'pip', 'install', '--quiet', '--no-cache-dir']
    steps = [
        [f'python{environment.python}', '-m', 'venv', folder / 'venv'],
        [*install, '--constraint', constraints, target, *TOOLS],
        [python, '-c', 'import go4align_plugins'],
    ]
    for step in steps:
        done = subprocess.run(list(map(str, step)), capture_output=True, text=True, cwd=folder)
        if done.returncode:
            return f'not built: {_end(done.stderr)}'
    chosen = ['-m', 'not integration'] if unit else []
    command = [python, '-m', 'pytest', '-q', '-ra', '-p', 'no:cacheprovider', *chosen]
    # The package is the installed one: `-P` is not in Python 3.9, so the tests are started outside.
    done = subprocess.run(
        [*map(str, command), f'--rootdir={ROOT}', '-c', str(ROOT / 'pyproject.toml'),
         *environment.tests],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    versions = subprocess.run([str(python), '-m', 'pip', 'freeze'], capture_output=True, text=True)
    kept = [line for line in versions.stdout.splitlines() if line.startswith(('torch', 'numpy'))]
    seconds = time.monotonic() - begin
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    state = 'passed' if done.returncode == 0 else 'failed'
    return f'{state} ({seconds:.0f} s; {", ".join(kept)}): {_end(done.stdout)}'


def _end(text: str) -> str:
    lines = text.strip().splitlines()
    return ' '.join(lines[-1:])[:300]


if __name__ == '__main__':
    sys.exit(main())
