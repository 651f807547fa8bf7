"""What importing needs: torch alone for the method, and a clear word where an extra is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from . import ROOT

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Blocker())
"""

OPTIONAL = {
    'LibMTL', 'torchvision', 'kmeans_pytorch', 'sklearn', 'cvxpy', 'scipy', 'tqdm', 'h5py', 'PIL',
    'matplotlib', 'mmengine', 'mmseg', 'mmcv', 'numpy', 'yaml', 'pandas',
}  # fmt: skip


def run(code: str, blocked: set[str]) -> subprocess.CompletedProcess:
    code = BLOCK.format(blocked=blocked) + code
    return subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.integration
def test_the_method_needs_torch_alone():
    done = run(
        'import go4align_plugins as package, torch\n'
        'import go4align_plugins.measures\n'
        'print(package.GO4Align(3)(torch.tensor([1.0, 1.25, 5.0])).shape, package.__version__)',
        OPTIONAL,
    )
    assert done.returncode == 0, done.stderr
    assert 'torch.Size([3])' in done.stdout


@pytest.mark.integration
@pytest.mark.parametrize(
    ('code', 'missing', 'extra'),
    [
        ('GO4Align(3, grouping="kmeans_pytorch")', 'kmeans_pytorch', 'clustering'),
        ('GO4Align(3, grouping="spectral")', 'sklearn', 'clustering'),
        ('GO4Align(3, grouping="sdp")', 'cvxpy', 'clustering'),
        ('import go4align_plugins.libmtl', 'LibMTL', 'libmtl'),
    ],
)
def test_missing_extra_is_named(code, missing, extra):
    # Its own dependencies, numpy among them, are missing just as well.
    done = run(f'from go4align_plugins import GO4Align\n{code}', {missing, 'numpy', 'scipy'})
    assert done.returncode == 1
    assert f'pip install "go4align-plugins[{extra}]"' in done.stderr.splitlines()[-1]
