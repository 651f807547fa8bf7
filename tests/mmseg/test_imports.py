"""A missing extra is named."""

from __future__ import annotations

import pytest

from ..test_imports import run


@pytest.mark.integration
@pytest.mark.parametrize('missing', ['mmseg', 'mmengine'])
def test_missing_extra_is_named(missing):
    done = run('import go4align_plugins.mmseg', {missing})
    assert done.returncode == 1
    assert 'pip install "go4align-plugins[mmseg]"' in done.stderr.splitlines()[-1]
