import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table

from ..run_folders import STREETS, make, make_singles, scaled

HEADER = 'method,seeds,segmentation/mIoU,segmentation/pixAcc,depth/abs_err,depth/rel_err'
STL = 'STL,,0.5,0.8,0.02,20'


def write(path, *lines):
    path.write_text('\n'.join(lines) + '\n')
    return path


def means(report):
    return {row.method: {key[1]: value for key, value in row.means.items()} for row in report.rows}


def test_a_table_from_a_spreadsheet(tmp_path):
    """A byte order mark, blanks, rows and columns without anything in them, Windows' line ends."""
    lines = [HEADER, STL, '', 'EW,0 1,0.6,0.72,0.01,30', *2 * [',,,,,'], ' ,,']
    path = tmp_path / 'table.csv'
    text = ''.join(f'{line},,\r\n' for line in lines).replace(',', ' , ')
    path.write_bytes(b'\xef\xbb\xbf' + text.encode())
    plain = write(tmp_path / 'plain.csv', *lines[:2], lines[3])
    assert means(report_of_table(path)) == means(report_of_table(plain))


def test_scores_by_hand(tmp_path):
    table = write(
        tmp_path / 'table.csv', HEADER, STL, 'EW,0 1,0.6,0.72,0.01,30', 'B,,0.5,0.8,0.02,20'
    )
    report = report_of_table(table)
    found = means(report)
    # Relative losses of -0.2, 0.1, -0.5 and 0.5.
    assert found['EW']['delta_m'] == pytest.approx(-2.5)
    assert found['EW']['improvement'] == pytest.approx(0.025)
    assert found['B']['delta_m'] == found['B']['improvement'] == 0
    assert found['EW']['MR'] == found['B']['MR'] == 1.5
    assert 'MR' not in found['STL']
    assert report.rows[1].seeds == (0, 1)
    # Nothing is embedded of what was entered: of the two with these tasks it is the real one.
    assert report.benchmark.name == 'cityscapes'
    assert report.caption == 'CityScapes; results as entered in table.csv.'
    assert report_of_table(table, STREETS).benchmark is STREETS


def test_a_report_s_own_table_reads_back(tmp_path):
    runs = [
        make(tmp_path, f'{method}-{seed}', scaled(factor + seed / 50), weighting=method, seed=seed)
        for method, factor in (('EW', 1.0), ('GO4Align', 1.1))
        for seed in (0, 1, 2)
    ]
    report = build_report(runs, make_singles(tmp_path), STREETS, best=True)
    table = tmp_path / 'report.csv'
    table.write_text(report.csv())
    again = report_of_table(table)
    assert again.benchmark is STREETS
    assert again.best is None
    own, read = report.markdown().splitlines(), again.markdown().splitlines()
    assert read[:5] == own[:5]
    assert '[' in own[4], 'an interval'


def test_a_method_that_lacks_a_metric_is_not_scored(tmp_path):
    report = report_of_table(write(tmp_path / 't.csv', HEADER, STL, 'EW,,0.6,,0.01,30'))
    assert not {'delta_m', 'MR', 'improvement'} & set(means(report)['EW'])
    assert '–' in report.markdown()  # noqa: RUF001


def test_without_single_tasks_scores_are_as_entered(tmp_path):
    report = report_of_table(
        write(tmp_path / 't.csv', f'{HEADER},delta_m', 'EW,,0.6,0.7,0.01,30,-3')
    )
    assert means(report)['EW']['delta_m'] == -3
    assert report.notes[0].startswith('delta_m is as entered')


def test_some_tasks_alone_will_do(tmp_path):
    table = write(tmp_path / 't.csv', 'method,normal/mean', 'EW,25.0', 'UW,24.0')
    with pytest.raises(ValueError, match='columns named task/metric'):
        report_of_table(table, STREETS)
    report = report_of_table(
        write(tmp_path / 'depth.csv', 'method,depth/abs_err,depth/rel_err', 'EW,0.5,0.2'),
        get_benchmark('nyuv2'),
    )
    assert [column.key[0] for column in report.columns] == ['depth', 'depth', '']


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ([], 'should begin with the names of its columns.*Found nothing'),
        (['seeds,depth/abs_err'], 'Found seeds, depth/abs_err'),
        ([HEADER], 'at least one method'),
        ([HEADER, 'EW,0,0.6'], 'line 2, should have 6 values. Found 3'),
        ([HEADER, STL, STL], 'line 3, should name another method. Found `STL`'),
        ([HEADER, 'EW,0,x,0.7,0.01,30'], 'line 2, segmentation/mIoU should be a number. Found `x`'),
        ([HEADER, 'EW,0,60,70,0.01,30'], r'share in \[0, 1\], not percent. Found 60'),
        ([HEADER, 'EW,one,0.6,0.7,0.01,30'], 'seeds should be whole numbers. Found `one`'),
        (['method,depth/typo', 'EW,1'], 'columns named task/metric'),
        (['method,remark', 'EW,1'], 'columns named task/metric'),
        (['method,benchmark,depth/abs_err', 'EW,moon,1'], 'Found `moon`'),
    ],
)
def test_mistakes_are_named(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        report_of_table(write(tmp_path / 'table.csv', *lines))


def test_no_table_at_all(tmp_path):
    with pytest.raises(ValueError, match=r'nowhere.csv should be a table'):
        report_of_table(tmp_path / 'nowhere.csv')
    (tmp_path / 'picture.csv').write_bytes(b'\x89PNG\xff\xfe')
    with pytest.raises(ValueError, match=r'picture.csv should be a table'):
        report_of_table(tmp_path / 'picture.csv')
