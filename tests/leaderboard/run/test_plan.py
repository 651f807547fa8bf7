"""Methods by their specs, cells by their names, plans by their files and refusals."""

import re

import pytest

from go4align_plugins.leaderboard.run.plan import (
    Cell,
    Method,
    Plan,
    literal,
    load_plan,
    read_plan,
    save_plan,
)


def make_plan(**values):
    return Plan.from_dict({'benchmark': 'rooms', 'methods': ['STL', 'EW']}, values)


def test_method_by_hand():
    method = Method.parse('CAGrad:rescale=2,calpha=0.4')
    assert method == Method('CAGrad', (('calpha', '0.4'), ('rescale', '2')))
    assert method.spec == 'CAGrad:calpha=0.4,rescale=2'
    assert Method.parse({'CAGrad': {'rescale': 2, 'calpha': 0.4}}) == method
    assert Method.parse('EW') == Method.parse({'EW': None}) == Method('EW')
    own = Method.parse('GO4Align:GO4Align_grouping=sdp,num_groups=2').libmtl_options
    assert own == {'GO4Align_grouping': 'sdp', 'GO4Align_num_groups': '2'}
    grouped = Method.parse('AGRM_CAGrad:num_groups=2,calpha=0.5').libmtl_options
    assert grouped == {'AGRM_num_groups': '2', 'calpha': '0.5'}


def test_cells_go_seed_by_seed_and_single_tasks_apart():
    cells = make_plan(seeds=[1, 0], benchmark='streets').cells()
    assert [cell.name for cell in cells] == [
        'STL-segmentation-1', 'STL-depth-1', 'EW-1', 'STL-segmentation-0', 'STL-depth-0', 'EW-0',
    ]  # fmt: skip
    cells = [Cell(Method('STL'), 0, 'depth'), Cell(Method('EW'), 0)]
    assert make_plan(tasks='depth').cells() == cells


def test_names_are_folders_and_differ():
    specs = ['A:x=a/b', 'A:x=a_b', 'A:x=a b', 'A:x=' + 100 * 'a', 'A:x=' + 101 * 'a']
    names = [Cell(Method.parse(spec), 0).name for spec in specs]
    assert len({*names}) == len(names)
    assert all(set('/ :').isdisjoint(name) and len(name) < 120 for name in names)


def test_plan_survives_its_file_that_may_begin_with_a_byte_order_mark(tmp_path):
    plan = make_plan(
        methods=['EW', {'GO4Align': {'num_groups': 3}}], seeds=[0, 1], tasks=['depth', 'normal'],
        options={'epochs': 3, 'no_pretrained': True, 'augment': False, 'lr': 0.1},
    )  # fmt: skip
    words = '--epochs 3 --no-pretrained --no-augment --lr 0.1'
    assert plan.options == tuple(words.split())
    path = tmp_path / 'plan.yaml'
    save_plan(plan, path)
    assert Plan.from_dict(read_plan(path)) == load_plan(tmp_path) == plan
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert load_plan(tmp_path) == plan


def test_plan_grows_by_methods_and_seeds_alone():
    plan = make_plan(seeds=[0])
    more = plan.extended(make_plan(methods=['UW', 'EW'], seeds=[2]))
    assert [method.spec for method in more.methods] == ['STL', 'EW', 'UW']
    assert more.seeds == (0, 2)
    with pytest.raises(
        ValueError, match=r'`options` should be as in plan.yaml: .*`options = .--epochs 9'
    ):
        plan.extended(make_plan(options=['--epochs', '9']))


SPECS = ('', 'A B', 'EW:x', 'EW:x=', '../EW', 'EW:x=1,', {'A': 1}, {}, 'STL:x=1', 'UW:a=1,a=2',
         {'UW': {'a': [1, 2]}}, {'UW': {' a': 1}}, {'UW': {'a': '1,b=2'}})  # fmt: skip


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'framework': 'keras'}, '`framework` should be one of .*libmtl.*mmseg.*. Found'),
        ({'benchmark': 'moon'}, "Found `benchmark = 'moon'"),
        ({'methods': []}, '`methods` should hold at least one'),
        *(({'methods': [spec]}, f'should name methods .* = {spec!r}`') for spec in SPECS),
        *(({'seeds': x}, f'`seeds` should be integers .* = {x}`') for x in ([0, -1], [], [{}])),
        ({'seeds': 'a'}, '`seeds` should be integers'),
        ({'tasks': ['smell']}, "Found `tasks = 'smell'"),
        ({'tasks': [{}]}, "Found `tasks = '{}'"),
        ({'options': 1}, '`options` should be a list of words or a mapping'),
        ({'options': {'epochs': 1, 'out': 'x'}}, '`options` should leave out --dataset, .*--out'),
        ({'config': 'x.py'}, '`config` should be left out'),
        ({'method': 'EW'}, 'A plan should hold framework, .* Found `method`'),
    ],
)
def test_plan_refuses(values, message):
    with pytest.raises(ValueError, match=re.sub(r'([]\[{}])', r'\\\1', message)):
        make_plan(**values)


TEXTS = (b'a: [', b'- a', b'\xff\xfe\xfa', b'1', b'', b'framework: libmtl', b'methods: [EW')


@pytest.mark.parametrize('text', TEXTS)
def test_a_leaderboards_damaged_plan_says_what_to_do(tmp_path, text):
    (tmp_path / 'plan.yaml').write_bytes(text)
    with pytest.raises(ValueError, match=r'plan\.yaml: .*\. Put the file back as it was, or'):
        load_plan(tmp_path)


def test_literals():
    assert [literal(text) for text in ('1', '1e-4', 'True', 'false', 'l2', '[1,2]', '{{}}')] == [
        1, 1e-4, True, False, 'l2', [1, 2], '{{}}',
    ]  # fmt: skip
