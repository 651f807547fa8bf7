import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard import report_of_table

from ..run_folders import STREETS
from .test_formats import make_report

HEADER = 'method,seeds,segmentation/mIoU,segmentation/pixAcc,depth/abs_err,depth/rel_err'
STL = 'STL,,0.5,0.8,0.02,20'


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        path = tmp_path / 'table.csv'
        path.write_text('\n'.join(lines) + '\n')
        return path

    return write


def means(report):
    return {row.method: {key[1]: value for key, value in row.means.items()} for row in report.rows}


def test_a_table_from_a_spreadsheet(tmp_path, table):
    """A byte order mark, blanks, rows and columns without anything in them, Windows' line ends."""
    lines = [HEADER, STL, '', 'EW,0 1,0.6,0.72,0.01,30', *2 * [',,,,,'], ' ,,']
    text = ''.join(f'{line},,\r\n' for line in lines).replace(',', ' , ')
    (tmp_path / 'sheet.csv').write_bytes(b'\xef\xbb\xbf' + text.encode())
    plain = report_of_table(table(*lines[:2], lines[3]))
    assert means(report_of_table(tmp_path / 'sheet.csv')) == means(plain)


def test_scores_by_hand(table):
    path = table(HEADER, STL, 'EW,0 1,0.6,0.72,0.01,30', 'B,,0.5,0.8,0.02,20')
    report = report_of_table(path)
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
    assert report_of_table(path, STREETS).benchmark is STREETS


def test_a_report_s_own_table_reads_back(tmp_path, table):
    report = make_report(tmp_path, best=True)
    again = report_of_table(table(report.csv()))
    assert again.benchmark is STREETS
    assert again.best is None
    own, read = report.markdown().splitlines(), again.markdown().splitlines()
    assert read[:6] == own[:6]
    assert '[' in own[4], 'an interval'


def test_scores_are_left_out_or_as_entered_where_something_lacks(table):
    report = report_of_table(table(HEADER, STL, 'EW,,0.6,,0.01,30'))
    assert not {'delta_m', 'MR', 'improvement'} & set(means(report)['EW'])
    assert '–' in report.markdown()  # noqa: RUF001
    report = report_of_table(table(f'{HEADER},delta_m', 'EW,,0.6,0.7,0.01,30,-3'))
    assert means(report)['EW']['delta_m'] == -3
    assert report.notes[0].startswith('delta_m is as entered')


def test_some_tasks_alone_will_do(table):
    path = table('method,depth/abs_err,depth/rel_err', 'EW,0.5,0.2')
    columns = report_of_table(path, get_benchmark('nyuv2')).columns
    assert [column.key[0] for column in columns] == ['depth', 'depth', '']
    with pytest.raises(ValueError, match=r'task/metric of streets. Found `normal/mean`'):
        report_of_table(table('method,normal/mean', 'EW,25.0'), STREETS)


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
        (['method,depth/typo', 'EW,1'], 'task/metric of cityscapes or .*Found `depth/typo`'),
        (['method,remark', 'EW,1'], 'Found `remark`'),
        (['method,benchmark,depth/abs_err', 'EW,moon,1'], "Found `benchmark = 'moon'`"),
    ],
)
def test_mistakes_are_named(table, lines, message):
    with pytest.raises(ValueError, match=message):
        report_of_table(table(*lines))


def test_no_table_at_all(tmp_path):
    (tmp_path / 'picture.csv').write_bytes(b'\x89PNG\xff\xfe')
    for name in ('nowhere.csv', 'picture.csv'):
        with pytest.raises(ValueError, match=f'{name} should be a table'):
            report_of_table(tmp_path / name)
