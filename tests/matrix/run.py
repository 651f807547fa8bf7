"""Builds the environments of the matrix one after the other, tests each, and deletes it.

Each release of torch brings gigabytes with it. It is installed once and linked into the
environments that have it; downloads are kept where ``--folder`` is given. ``--torch VERSION`` takes
one that is at hand for the environments of newest versions.

A checkout of LibMTL's GitHub main in ``LIBMTL_MAIN`` is tested in the environments ``libmtl-main``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
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
    add('--torch', help='hold torch at this version in the environments of newest versions')
    add('--unit', action='store_true', help='only tests that neither train nor render')
    add('--folder', type=Path, help='where to build, and to keep downloads (a temporary folder)')
    options = parser.parse_args()
    found = options.pythons or [v for v in _versions() if _answers(f'python{v}')]
    if not found:
        parser.error('no Python from 3.9 to 3.13 was found: name one by --pythons')
    environments = {one.name: one for one in all_environments(found)}
    if options.names == ['list']:
        print(*environments, sep='\n')
        return 0
    unknown = [name for name in options.names if name not in environments]
    if unknown:
        parser.error(f'no environment {unknown[0]}: choose from {", ".join(environments)}')
    results = {}
    with tempfile.TemporaryDirectory(dir=options.folder, prefix='matrix-') as folder:
        builder = Builder(Path(folder).resolve(), options.folder, options.torch)
        for name in options.names or environments:
            results[name] = _try(environments[name], builder, options.unit)
            print(f'{name}: {results[name]}', flush=True)
    return int(any(not result.startswith('passed') for result in results.values()))


def _versions() -> list[str]:
    return [f'3.{minor}' for minor in range(9, 14)]


def _answers(command: str) -> bool:
    """Whether a Python is there: what is found may only say that it is chosen nowhere (pyenv)."""
    return shutil.which(command) is not None and not _run([command, '-V'], Path()).returncode


class NotBuilt(Exception):
    """Why an environment could not be built."""


class Builder:
    """Builds environments, those of one torch from the same base.

    Args:
        folder: where to build.
        kept: where downloads are kept; None: in ``folder``.
        torch: the release in the environments of newest versions; None: the newest.
    """

    def __init__(self, folder: Path, kept: Path | None, torch: str | None) -> None:
        self.folder = folder
        self.torch = torch
        self._bases: set[Path] = set()
        settings = folder / 'settings.cfg'
        # Nothing is left in the checkout, and nothing that was left there gets into a wheel.
        settings.write_text(f'[build]\nbuild_base={folder}/build\n[egg_info]\negg_base={folder}\n')
        downloads = Path(kept or folder, 'downloads').resolve()
        self.variables = {'PIP_CACHE_DIR': str(downloads), 'DIST_EXTRA_CONFIG': str(settings)}

    def build(self, environment: Environment, place: Path) -> Path:
        """Build an environment at a place that is not there yet; its Python.

        Raises:
            NotBuilt: if a step failed; all that it said has been printed.
        """
        base = self.folder / environment.base
        held = lower_bounds(environment.extra) if environment.lowest else []
        if self.torch and not environment.lowest:
            held = [f'torch=={self.torch}']
        constraints = self.folder / 'constraints.txt'
        constraints.write_text('\n'.join(held))
        if base not in self._bases:
            self._run([f'python{environment.python}', '-m', 'venv', '--clear', base])
            self._run([*_pip(base), 'install', '--quiet', '--upgrade', 'pip'])
            self._run([*_pip(base), 'install', '--quiet', '-c', constraints, 'torch', *TOOLS])
            self._bases.add(base)
        # Whatever is installed on top replaces files, and writes into none.
        shutil.copytree(base, place, symlinks=True, copy_function=os.link)
        # Not editable: what is installed is what a user gets.
        target = f'{ROOT}[{environment.extra}]' if environment.extra else ROOT
        self._run([*_pip(place), 'install', '--quiet', '-c', constraints, target])
        self._run([*_pip(place), 'check'])
        return _python(place)

    def _run(self, command: list[object]) -> None:
        done = _run(command, self.folder, {**os.environ, **self.variables})
        if done.returncode:
            # All of it: what conflicts with what stands above the last line.
            print(done.stdout, done.stderr, sep='\n', flush=True)
            raise NotBuilt(_end(done.stderr) or _end(done.stdout))


def _try(environment: Environment, builder: Builder, unit: bool) -> str:
    if shutil.disk_usage(builder.folder).free < NEEDED:
        return 'not built: less than 12 GB of disk left'
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=builder.folder) as folder:
        try:
            python = builder.build(environment, Path(folder, 'venv'))
        except NotBuilt as error:
            return f'not built: {error}'
        variables = dict(os.environ)
        if environment.extra != 'libmtl-main':
            # Elsewhere the packages that it imports are missing.
            variables.pop('LIBMTL_MAIN', None)
        chosen = ['-m', 'not integration'] if unit else []
        # The package is the installed one: `-P` is not in Python 3.9, so they are started outside.
        command = [python, '-m', 'pytest', '-q', '-ra', '-p', 'no:cacheprovider', *chosen]
        command += [f'--rootdir={ROOT}', '-c', ROOT / 'pyproject.toml', *environment.tests]
        done = _run(command, Path(folder), variables)
        installed = _run([python, '-m', 'pip', 'freeze'], Path(folder), variables).stdout
    kept = [line for line in installed.splitlines() if line.startswith(('torch==', 'numpy=='))]
    seconds = time.monotonic() - begin
    if done.returncode:
        print(done.stdout[-20000:], done.stderr[-2000:], flush=True)
    else:
        print(*(line for line in done.stdout.splitlines() if line.startswith('SKIP')), sep='\n')
    state = 'passed' if done.returncode == 0 else 'failed'
    return f'{state} ({seconds:.0f} s; {", ".join(kept)}): {_end(done.stdout)}'


def _python(place: Path) -> Path:
    return place / 'bin' / 'python'


def _pip(place: Path) -> list[object]:
    return [_python(place), '-m', 'pip']


def _run(
    command: list[object], folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, env=variables)


def _end(text: str) -> str:
    lines = text.strip().splitlines()
    return ' '.join(lines[-1:])[:300]


if __name__ == '__main__':
    sys.exit(main())
