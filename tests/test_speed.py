"""Each part of `benchmarks/run.py` once: that it measures, never how long something took."""

from __future__ import annotations

import os
import runpy

import pytest

from . import ROOT

main = runpy.run_path(str(ROOT / 'benchmarks/run.py'))['main']
MODULES = {
    'step': 'kmeans_pytorch',
    'torchjd': 'torchjd',
    'memory': 'torch',
    # LibMTL cannot be imported before this package made it importable.
    'iteration': 'go4align_plugins.libmtl',
    'data': 'go4align_plugins.libmtl',
    'metrics': 'go4align_plugins.libmtl',
}


@pytest.mark.integration
@pytest.mark.parametrize('part', MODULES)
def test_part_prints_a_table(part, capsys):
    pytest.importorskip(MODULES[part], exc_type=ImportError)
    if part == 'metrics' and 'LIBMTL_MAIN' not in os.environ:
        pytest.skip("needs a checkout of LibMTL's GitHub main, its path in LIBMTL_MAIN")
    main([part, '--rounds', '1'])
    header, rule, first, *_ = capsys.readouterr().out.splitlines()
    assert header.count('|') == rule.count('|') == first.count('|')


def test_goals_are_upper_bounds():
    from benchmarks.timing import judge

    assert judge(1.25, 1.25) == '≤ 1.25, met'
    assert judge(100.1, 100, ' MB') == '≤ 100 MB, missed'
    assert judge(7, None) == ''


def test_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(['steps'])
    assert 'Found `steps`' in capsys.readouterr().err
