"""What is compared: methods by their specs, cells by their names, plans by what they refuse."""

import pytest

from go4align_plugins.leaderboard.run.cli_values import literal
from go4align_plugins.leaderboard.run.plan import (
    Cell,
    Method,
    Plan,
    load_plan,
    read_plan,
    save_plan,
)

EW, STL = Method('EW'), Method('STL')


def make_plan(**values):
    return Plan.from_dict(
        {'framework': 'libmtl', 'benchmark': 'rooms', 'methods': ['STL', 'EW'], **values}
    )


def test_method_by_hand():
    method = Method.parse('CAGrad:rescale=2,calpha=0.4')
    assert method == Method('CAGrad', (('calpha', '0.4'), ('rescale', '2')))
    assert method.spec == 'CAGrad:calpha=0.4,rescale=2'
    assert Method.parse({'CAGrad': {'rescale': 2, 'calpha': 0.4}}) == method
    assert Method.parse('EW') == Method.parse({'EW': None}) == EW


@pytest.mark.parametrize(
    'spec', ['', 'A B', 'EW:x', 'EW:x=', '../EW', 'EW:x=1,', {'A': 1}, {}, 'STL:x=1']
)
def test_other_specs_are_refused(spec):
    with pytest.raises(ValueError, match=f'Parameter `methods` should .* Found `{spec}`'):
        Method.parse(spec)


def test_cells_go_seed_by_seed_and_single_tasks_apart():
    cells = make_plan(seeds=[1, 0], benchmark='streets').cells()
    assert [cell.name for cell in cells] == [
        'STL-segmentation-1', 'STL-depth-1', 'EW-1', 'STL-segmentation-0', 'STL-depth-0', 'EW-0',
    ]  # fmt: skip
    assert make_plan(tasks='depth').cells() == [Cell(STL, 0, 'depth'), Cell(EW, 0)]


def test_names_are_folders_and_differ():
    specs = ['A:x=a/b', 'A:x=a_b', 'A:x=a b', 'A:x=' + 100 * 'a', 'A:x=' + 101 * 'a']
    names = [Cell(Method.parse(spec), 0).name for spec in specs]
    assert len({*names}) == len(names)
    assert all(set('/ :').isdisjoint(name) and len(name) < 120 for name in names)


def test_plan_survives_its_file(tmp_path):
    plan = make_plan(
        methods=['EW', {'GO4Align': {'num_groups': 3}}], seeds=[0, 1], tasks=['depth', 'normal'],
        options={'epochs': 3, 'no_pretrained': True, 'augment': False, 'lr': 0.1},
    )  # fmt: skip
    assert plan.options == (
        '--epochs', '3', '--no-pretrained', '--no-augment', '--lr', '0.1',
    )  # fmt: skip
    save_plan(plan, tmp_path / 'plan.yaml')
    assert Plan.from_dict(read_plan(tmp_path / 'plan.yaml')) == plan


def test_a_plan_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / 'plan.yaml').write_text('benchmark: rooms\n', encoding='utf-8-sig')
    assert read_plan(tmp_path / 'plan.yaml') == {'benchmark': 'rooms'}


def test_plan_grows_by_methods_and_seeds_alone():
    plan = make_plan(seeds=[0])
    more = plan.extended(make_plan(methods=['UW', 'EW'], seeds=[2]))
    assert [method.spec for method in more.methods] == ['STL', 'EW', 'UW']
    assert more.seeds == (0, 2)
    with pytest.raises(
        ValueError, match=r'`options` should be as in the leaderboard .*`--epochs 9'
    ):
        plan.extended(make_plan(options=['--epochs', '9']))


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'framework': 'keras'}, 'Parameter `framework` should be one of libmtl, mmseg'),
        ({'benchmark': 'moon'}, 'Found `.*moon'),
        ({'methods': []}, 'Parameter `methods` should be given'),
        ({'seeds': [0, -1]}, r'Parameter `seeds` .* Found `seeds = \[0, -1\]`'),
        ({'seeds': ['a']}, 'Parameter `seeds` should be integers'),
        ({'seeds': []}, 'Parameter `seeds`'),
        ({'tasks': ['smell']}, 'smell'),
        ({'seeds': [{}]}, 'Parameter `seeds` should be integers'),
        ({'tasks': [{}]}, 'Found `{}'),
        ({'options': 1}, 'Parameter `options` should be a list of words or a mapping'),
        ({'methods': [{'UW': {'a': [1, 2]}}]}, 'without commas'),
        ({'methods': [{'UW': {' a': 1}}]}, 'blanks around it'),
        ({'methods': ['UW:a=1,a=2']}, 'each argument once'),
        ({'config': 'x.py'}, 'Parameter `config` should be left out'),
        ({'method': 'EW'}, 'A plan should hold framework, .* Found `method`'),
    ],
)
def test_plan_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        make_plan(**values)


@pytest.mark.parametrize('text', [b'a: [', b'- a', b'\xff\xfe\xfa', b'1'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / 'plan.yaml').write_bytes(text)
    with pytest.raises(ValueError, match=r'plan\.yaml'):
        read_plan(tmp_path / 'plan.yaml')


@pytest.mark.parametrize('text', [b'', b'\xff\xfe\xfa', b'framework: libmtl', b'methods: [EW'])
def test_a_leaderboards_damaged_plan_says_what_to_do(tmp_path, text):
    (tmp_path / 'plan.yaml').write_bytes(text)
    with pytest.raises(ValueError, match=r'plan\.yaml: .*\. Put the file back as it was, or'):
        load_plan(tmp_path)


def test_literals():
    assert [literal(text) for text in ('1', '1e-4', 'True', 'false', 'l2', '[1,2]', '{{}}')] == [
        1, 1e-4, True, False, 'l2', [1, 2], '{{}}',
    ]  # fmt: skip
