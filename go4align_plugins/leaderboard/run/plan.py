"""Plan a leaderboard: methods and seeds on one benchmark, as cells to be trained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import check_choice, require
from go4align_plugins.utils.texts import read_text

OWN, GROUPED = 'GO4Align_', 'AGRM_'  # prefixes of this package's options in LibMTL
RESERVED = ('dataset', 'data', 'weighting', 'tasks', 'seed', 'out', 'resume')
"""Options of LibMTL's tool that a plan gives; a method of an imported store may not."""
FRAMEWORKS = {
    'libmtl': tuple(f'--{name}' for name in RESERVED),
    'mmseg': ('--work-dir', '--resume', '--launcher', '--local_rank', '--local-rank'),
}
ARGUMENT = r'\s*(\w[\w-]*)=((?!--)[^,]*[^,\s])\s*'
SPEC = rf'(\w+)(?::({ARGUMENT}(?:,{ARGUMENT})*))?'
RULE = (
    'name methods as NAME or NAME:key=value,key=value, each argument once, without commas or '
    f'blanks around it, none of {", ".join(RESERVED)}, and {SINGLE_TASK} without arguments'
)
PLAN = 'plan.yaml'
REMEDY = 'Choose another folder by --out; or, if that file is damaged, put it back as it was'


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
    def libmtl_options(self) -> dict[str, str]:
        """The arguments as LibMTL's command line names them, where this package's have a prefix."""
        if self.name == 'GO4Align':
            return {OWN + name.removeprefix(OWN): value for name, value in self.arguments}
        grouped = ('num_groups', 'grouping') if self.name.startswith(GROUPED) else ()
        return {GROUPED * (name in grouped) + name: value for name, value in self.arguments}

    @classmethod
    def parse(cls, spec: Any) -> Method:
        """Read ``NAME``, ``NAME:key=value,...``, or a plan's ``{NAME: {key: value}}``."""
        if isinstance(spec, cls):
            return spec
        text, given = str(spec), None
        if isinstance(spec, Mapping) and len(spec) == 1:
            name, values = next(iter(spec.items()))
            if values is None or isinstance(values, Mapping):
                given = {str(key): str(value) for key, value in (values or {}).items()}
                text = cls(str(name), tuple(given.items())).spec
        match = re.fullmatch(SPEC, text)
        name, listed = match.group(1, 2) if match else ('', '')
        pairs = re.findall(ARGUMENT, listed or '')
        arguments = dict(pairs)
        fits = given in (None, arguments) and len(arguments) == len(pairs)
        fits &= set(RESERVED).isdisjoint(arguments) and not (name == SINGLE_TASK and pairs)
        require(bool(match) and fits, 'methods', RULE, spec)
        return cls(name, tuple(sorted(pairs)))


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
    """A leaderboard to be trained. Takes plain values, as YAML and command lines have them."""

    framework: str
    benchmark: str
    methods: tuple[Method, ...]  # the rows, in this order
    seeds: tuple[int, ...] = (0,)  # each method is trained with each of them
    data: str | None = None  # its folder; None: data/BENCHMARK
    tasks: tuple[str, ...] | None = None  # None: all of the benchmark's
    config: str | None = None  # mmseg: with equal weighting of all tasks; None: the small SegNet's
    options: tuple[str, ...] = ()  # of the training tool, as on its command line

    def __post_init__(self) -> None:
        seeds = _as_list(self.seeds)
        whole = all(type(seed) is int and seed >= 0 for seed in seeds)
        require(bool(seeds) and whole, 'seeds', 'be integers of at least 0', seeds)
        texts = {name: getattr(self, name) for name in ('framework', 'benchmark', 'data', 'config')}
        self.__dict__.update(  # of a frozen dataclass
            {name: str(text) for name, text in texts.items() if text is not None},
            methods=_unique(map(Method.parse, _as_list(self.methods))),
            seeds=_unique(seeds),
            tasks=None if self.tasks is None else _unique(map(str, _as_list(self.tasks))),
            options=tuple(_words(self.options or ())),
        )
        check_choice('framework', self.framework, FRAMEWORKS)
        get_benchmark(self.benchmark).select(self.tasks)
        require(bool(self.methods), 'methods', 'hold at least one', self.methods)
        given = FRAMEWORKS[self.framework]
        taken = [word for word in self.options if word.partition('=')[0] in given]
        require(not taken, 'options', f'leave out {", ".join(given)}, which the plan gives', taken)
        fits = self.config is None or self.framework == 'mmseg'
        require(fits, 'config', 'be left out with framework libmtl', self.config)

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
            for seed, method in product(self.seeds, self.methods)
            for task in (self.task_names if method.name == SINGLE_TASK else (None,))
        ]

    @classmethod
    def from_dict(cls, *sources: Mapping[str, Any]) -> Plan:
        """Make a plan from mappings, as in a YAML file, of which the later ones count more."""
        values: dict[str, Any] = {'framework': 'libmtl', 'benchmark': '', 'methods': ()}
        known = [field.name for field in fields(cls)]
        for name, value in (item for source in sources for item in source.items()):
            if name not in known:
                raise ValueError(f'A plan should hold {", ".join(known)}. Found `{name}`.')
            values.update({} if value is None else {name: value})
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for :meth:`from_dict`, without those that were left out."""
        values = {**vars(self), 'methods': [method.spec for method in self.methods]}
        given = {name: value for name, value in values.items() if value not in (None, ())}
        return {k: list(value) if isinstance(value, tuple) else value for k, value in given.items()}

    def extended(self, other: Plan, path: Path = Path(PLAN)) -> Plan:
        """Add another plan's methods and seeds to this one of a file; nothing else may differ."""
        for name in ('framework', 'benchmark', 'tasks', 'config', 'options'):
            values = getattr(self, name), getattr(other, name)
            there, found = (' '.join(v) if isinstance(v, tuple) else v for v in values)
            require(there == found, name, f'be as in {path}: `{there}`. {REMEDY}', found)
        methods, seeds = (*self.methods, *other.methods), (*self.seeds, *other.seeds)
        return replace(self, methods=methods, seeds=seeds, data=other.data)


def read_plan(path: str | Path) -> dict[str, Any]:
    """Read the plain values of a plan's YAML file; ValueError if it holds no mapping."""
    yaml = import_optional('yaml')
    try:
        values = yaml.safe_load(read_text(Path(path)))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: should be a plan in YAML. Found: {error}') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path}: should hold a mapping of names to values. Found `{values}`.')
    return values


def load_plan(folder: Path) -> Plan:
    """Read the plan of a leaderboard's folder; ValueError with a remedy if it is damaged."""
    path = folder / PLAN
    try:
        return Plan.from_dict(read_plan(path))
    except ValueError as error:
        reason = ' '.join(str(error).removeprefix(f'{path}: ').split()).rstrip('.')
        remedy = 'delete it and give `run` all options again: finished cells are kept.'
        text = f'{path}: {reason}. Put the file back as it was, or {remedy}'
        raise ValueError(text) from error


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan as YAML, aside and renamed."""
    save_bytes(path, import_optional('yaml').safe_dump(plan.to_dict(), sort_keys=False).encode())


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _unique(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _words(options: Any) -> Iterator[str]:
    """Convert options, a list or a mapping, to a command line's words."""
    if not isinstance(options, Mapping):
        rule = 'be a list of words or a mapping of names to values'
        require(isinstance(options, (list, tuple)), 'options', rule, options)
        yield from map(str, options)
        return
    for name, value in options.items():
        yield f'--{"no-" if value is False else ""}{name}'.replace('_', '-')
        yield from () if isinstance(value, bool) else map(str, _as_list(value))


def literal(text: str) -> Any:
    """Convert a word to a value: a number, true or false, another literal, or the text."""
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):  # {{}} is a TypeError: a set of unhashable values
        return text
