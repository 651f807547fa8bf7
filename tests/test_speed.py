"""Each part of `benchmarks/run.py` once: that it measures, never how long something took."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

main = runpy.run_path(str(Path(__file__).parents[1] / 'benchmarks/run.py'))['main']
MAIN = os.environ.get('LIBMTL_MAIN')
MODULES = {
    'step': ('kmeans_pytorch',),
    'torchjd': ('torchjd',),
    'memory': (),
    'iteration': ('LibMTL',),
    'data': ('LibMTL',),
    'metrics': ('LibMTL',),
}


@pytest.mark.integration
@pytest.mark.parametrize('part', MODULES)
def test_part_prints_a_table(part, capsys):
    if 'LibMTL' in MODULES[part]:  # which cannot be imported before this package made it importable
        pytest.importorskip('go4align_plugins.libmtl', exc_type=ImportError)
    elif MODULES[part]:
        pytest.importorskip(*MODULES[part])
    if part == 'metrics' and not MAIN:
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
