"""Install go4align-plugins: ``pip install -e ".[libmtl]"``; every bound below has its reason.

What needs none is in ``pyproject.toml``.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (ROOT / 'go4align_plugins/__init__.py').read_text())[1]

LIBMTL = [
    # 1.1.5 is the only release on PyPI; GitHub's main calls itself the same and serves as well.
    'LibMTL>=1.1.5',
    # LibMTL's CAGrad imports scipy without declaring it; intervals of leaderboards.
    'scipy>=1.9',
    # Tables of leaderboards: aligned text, CSV, LaTeX. to_csv(lineterminator=...) came with 1.5.
    'pandas>=1.5',
    # LibMTL declares torchvision; its DeepLab heads have had their present form since 0.9.
    'torchvision>=0.16',
    'numpy>=1.22',
    'tqdm>=4.60',
    # Image.Resampling came with 9.1.
    'pillow>=9.1',
    'h5py>=3.7',
    # Legends outside of the panels ("outside right").
    'matplotlib>=3.7',
    # Leaderboards: their plans, and their locks (torch needs the latter, too).
    'pyyaml>=5.4',
    'filelock>=3.4',
]

LIBMTL_MAIN = [
    # Imported by LibMTL's GitHub main, which names none of them when it is installed.
    'torch_geometric>=2.6',
    'cvxpy>=1.4',
    # The solver that qpsolvers, and UPGrad by it, uses by default.
    'qpsolvers[quadprog]>=4.0',
    # Nash_MTL asks cvxpy for this solver by name; older releases have no wheels, and do not build.
    'ecos>=2.0.12',
]

QM9 = [
    # Message passing (NNConv, Set2Set) and batches of graphs; since 2.6 its own file of QM9 is
    # read by torch's safe loader.
    'torch_geometric>=2.6',
    'numpy>=1.22',
]

CLUSTER = [
    # Leaderboards on Slurm.
    'submitit>=1.4',
]

CLUSTERING = [
    # The last release there will be; it imports tqdm and numpy without declaring them.
    'kmeans-pytorch==0.3',
    'tqdm>=4.60',
    'numpy>=1.22',
    # assign_labels='cluster_qr' came with 1.1.
    'scikit-learn>=1.1',
    # 1.4 brings the solver Clarabel with it, and is imported beside scipy 1.11.
    'cvxpy>=1.4',
]

MMSEG = [
    'mmengine>=0.10.4',
    'mmsegmentation>=1.2.2',
    # mmsegmentation refuses 2.2 and newer; the lite edition needs no compiler.
    'mmcv-lite>=2.0.0,<2.2.0',
    # mmengine and mmcv name no bound: beside torch before 2.3 it has to be below 2.
    'numpy>=1.22',
    # mmengine imports pkg_resources, which setuptools removed in 82.
    'setuptools<82',
    # Imported by mmsegmentation without being declared.
    'ftfy>=6.0',
    'regex>=2022.1.18',
    # Tables of run folders; mmsegmentation declares scipy, which their intervals need.
    'pandas>=1.5',
]

DEV = [
    'pytest>=7',
    # `make test` uses both cores.
    'pytest-xdist>=3',
    # Trained by the tests: an unchanged multi-task model of another library of OpenMMLab's.
    'mmpretrain>=1.2',
    # Read back by the tests: what a training leaves for it.
    'tensorboard>=2.10',
    'hypothesis>=6.80',
    # The pages of reports are read in a real browser; 4.10 finds Chromium by itself.
    'selenium>=4.10',
    # The reference of the long run.
    'mpmath>=1.3',
    # Its methods are timed beside GO4Align by benchmarks/run.py; UW and FAMO came with 0.18.
    'torchjd>=0.18',
    # Builds the environments of `make matrix`; uv finds the lowest versions, and links large
    # packages in place of copying them. It passes what it is installed with since 2024.10.
    'nox[uv]>=2024.10.9',
    # Another release formats and finds other things.
    'ruff==0.17.6',
    'mypy>=1.8',
    'pre-commit>=3',
]

# Files beside the code: facts, published tables, the HTML report.
DATA = ('json', 'csv', 'html', 'css', 'js')


class BuildWithConfigs(build_py):
    """Puts configs, tools and the model index where OpenMMLab's packages have them: in `.mim`."""

    def run(self) -> None:
        """Build, then add what is no Python package."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, 'go4align_plugins', '.mim')
        for folder in ('configs', 'tools'):
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / folder, target / folder, ignore=ignored, dirs_exist_ok=True)
        shutil.copy(ROOT / 'model-index.yml', target)


setup(
    version=VERSION,
    packages=find_packages(include=['go4align_plugins*']),
    package_data={'go4align_plugins': ['py.typed', *(f'**/*.{kind}' for kind in DATA)]},
    cmdclass={'build_py': BuildWithConfigs},
    # 2.1 is the oldest whose optimizers, loaders and safe checkpoints behave as used here.
    install_requires=['torch>=2.1'],
    extras_require={
        'libmtl': LIBMTL,
        'libmtl-main': [*LIBMTL, *LIBMTL_MAIN],
        'mmseg': MMSEG,
        'clustering': CLUSTERING,
        'qm9': QM9,
        'cluster': CLUSTER,
        'all': sorted({*LIBMTL, *MMSEG, *CLUSTERING, *QM9, *CLUSTER}),
        'dev': DEV,
    },
)
