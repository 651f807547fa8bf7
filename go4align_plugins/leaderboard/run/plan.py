"""Plan a leaderboard: methods and seeds on one benchmark, as cells to be trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.run.cli_values import as_list, tokens, unique
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.texts import read_text

FRAMEWORKS = ('libmtl', 'mmseg')
PLAN = 'plan.yaml'


@dataclass(frozen=True)
class Method:
    """A weighting strategy, and its arguments by name; ``STL`` trains each task alone."""

    name: str
    arguments: tuple[tuple[str, str], ...] = ()

    @property
    def spec(self) -> str:
        """The form ``NAME:key=value,key=value``, which :meth:`parse` reads."""
        values = ','.join(f'{key}={value}' for key, value in self.arguments)
        return f'{self.name}:{values}' if values else self.name

    @property
    def libmtl_options(self) -> list[tuple[str, str]]:
        """The arguments as LibMTL's command line names them, where this package's have a prefix."""
        prefix, prefixed = '', {name for name, _ in self.arguments}
        if self.name.startswith('AGRM_'):
            prefix, prefixed = 'AGRM_', {'num_groups', 'grouping'}
        elif self.name == 'GO4Align':
            prefix, prefixed = 'GO4Align_', {n for n in prefixed if not n.startswith('GO4Align_')}
        return [(prefix * (name in prefixed) + name, value) for name, value in self.arguments]

    @classmethod
    def parse(cls, spec: str | Mapping[str, Mapping[str, Any]]) -> Method:
        """Read ``NAME``, ``NAME:key=value,...``, or a plan's ``{NAME: {key: value}}``.

        Raises:
            ValueError: if it is none of these.
        """
        if isinstance(spec, Mapping) and len(spec) == 1:
            name, given = next(iter(spec.items()))
            given = {} if given is None else given
            named = given.items() if isinstance(given, Mapping) else [('', given)]
            pairs = [(str(key), str(value)) for key, value in named]
        else:
            name, _, values = str(spec).partition(':')
            pairs = _pairs(values)
        rule = None
        method = cls(str(name), tuple(sorted(pairs)))
        if not re.fullmatch(r'\w+', str(name)) or not all(key and value for key, value in pairs):
            rule = 'name methods as NAME or NAME:key=value,key=value'
        elif name == SINGLE_TASK and pairs:
            rule = f'give {SINGLE_TASK} no arguments'
        elif sorted(_pairs(method.spec.partition(':')[2])) != sorted(dict(pairs).items()):
            rule = (
                'give each argument once, without commas, `=` in its name or blanks around it: a '
                'plan writes them as key=value'
            )
        if rule:
            raise ValueError(f'Parameter `methods` should {rule}. Found `{spec}`.')
        return method


def _pairs(values: str) -> list[tuple[str, str]]:
    items = [item.strip().partition('=') for item in values.split(',')] if values else []
    return [(key, value) for key, _, value in items]


@dataclass(frozen=True)
class Cell:
    """One training run: a method, a seed, and the only task of a single-task baseline."""

    method: Method
    seed: int
    task: str | None = None

    @property
    def name(self) -> str:
        """The name of its folder: readable, and different for every cell."""
        spec = self.method.spec.replace(':', '-')
        readable = re.sub(r'[^\w.,=+-]', '_', spec)[:80]
        if readable != spec:
            readable += '-' + sha256(spec.encode()).hexdigest()[:8]
        return '-'.join(filter(None, (readable, self.task, str(self.seed))))


@dataclass(frozen=True)
class Plan:
    """A leaderboard to be trained.

    Attributes:
        framework: ``libmtl`` or ``mmseg``.
        benchmark: name of the benchmark.
        methods: the rows, in this order.
        seeds: each method is trained with each of them.
        data: the data's folder; None: ``data/BENCHMARK``.
        tasks: names of the tasks; None: all of the benchmark's.
        config: mmseg only: a config with equal weighting of all tasks; None: the small SegNet's.
        options: further options of the training tool, as on its command line.

    Raises:
        ValueError: if a parameter is out of its range.
    """

    framework: str
    benchmark: str
    methods: tuple[Method, ...]
    seeds: tuple[int, ...] = (0,)
    data: str | None = None
    tasks: tuple[str, ...] | None = None
    config: str | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.framework not in FRAMEWORKS:
            raise ValueError(
                f'Parameter `framework` should be one of {", ".join(FRAMEWORKS)}. '
                f'Found `{self.framework}`.'
            )
        get_benchmark(self.benchmark).select(self.tasks)
        _seeds(self.seeds)
        for name in ('methods', 'seeds'):
            if not getattr(self, name):
                raise ValueError(f'Parameter `{name}` should hold at least one. Found none.')
        if self.config is not None and self.framework != 'mmseg':
            raise ValueError(
                'Parameter `config` should be left out with framework libmtl. '
                f'Found `{self.config}`.'
            )

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks that each method trains."""
        return tuple(task.name for task in get_benchmark(self.benchmark).select(self.tasks))

    @property
    def data_folder(self) -> Path:
        """The folder of the data."""
        return Path(self.data or Path('data', self.benchmark)).expanduser()

    def cells(self) -> list[Cell]:
        """List all cells, seed by seed: after the first seed every method can be compared."""
        return [
            Cell(method, seed, task)
            for seed in self.seeds
            for method in self.methods
            for task in (self.task_names if method.name == SINGLE_TASK else (None,))
        ]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """Make a plan from plain values, as in a YAML file.

        Raises:
            ValueError: if a key is unknown or missing, or a value is out of its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [key for key in values if key not in known]
        if unknown:
            raise ValueError(f'A plan should hold {", ".join(known)}. Found `{unknown[0]}`.')
        for key in ('framework', 'benchmark', 'methods'):
            if not values.get(key):
                raise ValueError(f'Parameter `{key}` should be given. Found none.')
        tasks, data, config = (values.get(key) for key in ('tasks', 'data', 'config'))
        return cls(
            str(values['framework']),
            str(values['benchmark']),
            unique(map(Method.parse, as_list(values['methods']))),
            _seeds(as_list(values.get('seeds', 0))),
            None if data is None else str(data),
            None if tasks is None else unique(map(str, as_list(tasks))),
            None if config is None else str(config),
            tuple(tokens(values.get('options') or ())),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for :meth:`from_dict`, without those that were left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values['methods'] = [method.spec for method in self.methods]
        given = {key: value for key, value in values.items() if value not in (None, ())}
        return {k: list(value) if isinstance(value, tuple) else value for k, value in given.items()}

    def extended(self, other: Plan) -> Plan:
        """Add the methods and seeds of another plan.

        Raises:
            ValueError: if they differ in anything else: their runs would not fit one table.
        """
        for name in (field.name for field in fields(self)):
            values = getattr(self, name), getattr(other, name)
            if name not in ('methods', 'seeds', 'data') and values[0] != values[1]:
                there, found = (' '.join(v) if isinstance(v, tuple) else v for v in values)
                raise ValueError(
                    f'Parameter `{name}` should be as in the leaderboard that is there: '
                    f'`{there}`. Found `{found}`.'
                )
        methods, seeds = (*self.methods, *other.methods), (*self.seeds, *other.seeds)
        return replace(self, methods=unique(methods), seeds=unique(seeds), data=other.data)


def read_plan(path: str | Path) -> dict[str, Any]:
    """Read the plain values of a plan's YAML file.

    Raises:
        ValueError: if it cannot be read or holds no mapping.
    """
    yaml = import_optional('yaml')
    try:
        values = yaml.safe_load(read_text(Path(path)))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: should be a plan in YAML. Found: {error}') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path}: should hold a mapping of names to values. Found `{values}`.')
    return values


def load_plan(folder: Path) -> Plan:
    """Read the plan of a leaderboard's folder.

    Raises:
        ValueError: if it cannot be read; the message names the file and says what to do.
    """
    path = folder / PLAN
    try:
        return Plan.from_dict(read_plan(path))
    except ValueError as error:
        reason = ' '.join(str(error).removeprefix(f'{path}: ').split()).rstrip('.')
        raise ValueError(
            f'{path}: {reason}. Put the file back as it was, or delete it and give `run` all '
            'options again: what is finished is kept.'
        ) from error


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan as YAML, aside and renamed."""
    save_bytes(path, import_optional('yaml').safe_dump(plan.to_dict(), sort_keys=False).encode())


def _seeds(values: Sequence[Any]) -> tuple[int, ...]:
    if any(not isinstance(seed, int) or isinstance(seed, bool) or seed < 0 for seed in values):
        raise ValueError(
            f'Parameter `seeds` should be integers of at least 0. Found `seeds = {values}`.'
        )
    return unique(values)
