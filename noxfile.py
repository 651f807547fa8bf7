"""Builds and tests the environments of ``make matrix``: no extras, each extra alone, and all.

Requirements are at their lowest versions on Python 3.9, and at the newest on Python 3.13: releases
as old as the lower bounds have no wheels for later Pythons. Arguments after ``--`` go to pytest:

    nox --list
    nox -s 'tests(cluster, lowest)' -- -m 'not integration'

A checkout of LibMTL's GitHub main in ``LIBMTL_MAIN`` is tested with the extra ``libmtl-main``.
Environments take gigabytes: they are kept in ``NOX_ENVDIR``, outside of the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
ANY = ('weighting', 'measures', 'test_imports.py')
TESTS = {
    'none': ANY,
    'libmtl': ('.',),
    'libmtl-main': ('.',),
    'qm9': (*ANY, '**/test_qm9*.py', '**/test_mpnn.py', '**/test_molecules.py'),
    'cluster': ANY,
    'clustering': ANY,
    'mmseg': (*ANY, 'mmengine', 'mmseg'),
    'all': ('.',),
}
"""Extra -> its tests. They skip what needs other packages, and name them."""

nox.needs_version = '>=2024.10.9'
nox.options.default_venv_backend = 'uv'
nox.options.envdir = os.environ.get('NOX_ENVDIR', Path.home() / '.cache/go4align-plugins/nox')
nox.options.error_on_missing_interpreters = True


@nox.session
@nox.parametrize(('python', 'lowest'), [('3.9', True), ('3.13', False)], ids=['lowest', 'newest'])
@nox.parametrize('extra', list(TESTS), ids=list(TESTS))
def tests(session: nox.Session, extra: str, lowest: bool) -> None:
    """Install the package with an extra, not editable, and run the tests of it."""
    scratch = Path(session.create_tmp())
    # Nothing is left in the checkout, and nothing that was left there gets into a wheel.
    settings = scratch / 'settings.cfg'
    settings.write_text(f'[build]\nbuild_base={scratch}/build\n[egg_info]\negg_base={scratch}\n')
    session.env.update(DIST_EXTRA_CONFIG=str(settings), PYTHONPATH='')
    if extra != 'libmtl-main':  # elsewhere the packages that it imports are missing
        session.env['LIBMTL_MAIN'] = ''
    constraints = scratch / 'constraints.txt'
    constraints.write_text('')
    chosen = () if extra == 'none' else ('--extra', extra)
    if lowest:
        bounds = scratch / 'bounds.txt'
        bounds.write_text('setuptools>=61')  # which setup.py gives an upper bound only
        # Without dependencies: a newer package of theirs would raise the others' versions.
        session.run(
            'uv', 'pip', 'compile', '--quiet', '--no-deps', '--resolution', 'lowest', *chosen,
            str(ROOT / 'setup.py'), '--constraint', str(bounds),
            '--output-file', str(constraints), external=True,
        )  # fmt: skip
    target = str(ROOT) if extra == 'none' else f'{ROOT}[{extra}]'
    package = ('--reinstall-package', 'go4align-plugins', target)
    session.install('pytest', 'hypothesis', *package, '--constraint', str(constraints))
    session.run('uv', 'pip', 'check', external=True)
    paths = [str(path) for name in TESTS[extra] for path in ROOT.glob(f'tests/{name}')]
    session.chdir(scratch)  # the package is the installed one, not the checkout's
    session.run(
        'python', '-m', 'pytest', '-q', '-ra', '-p', 'no:cacheprovider', f'--rootdir={ROOT}',
        '-c', str(ROOT / 'pyproject.toml'), *session.posargs, *paths,
    )  # fmt: skip
