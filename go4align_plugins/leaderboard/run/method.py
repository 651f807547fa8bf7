"""Methods by their specs, and the cells that train them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.utils.options import require

OWN, GROUPED = 'GO4Align_', 'AGRM_'
"""Prefixes of this package's options in LibMTL."""
RESERVED = ('dataset', 'data', 'weighting', 'tasks', 'seed', 'out', 'resume')
"""Options of the training tool that a plan gives; a method of an imported store may not."""
ARGUMENT = r'\s*(\w[\w-]*)=((?!--)[^,]*[^,\s])\s*'
SPEC = rf'(\w+)(?::({ARGUMENT}(?:,{ARGUMENT})*))?'
RULE = (
    'name methods as NAME or NAME:key=value,key=value, each argument once, without commas or '
    f'blanks around it, none of {", ".join(RESERVED)}, and {SINGLE_TASK} without arguments'
)


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


def literal(text: str) -> Any:
    """Convert a word to a value: a number, true or false, another literal, or the text."""
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):  # {{}} is a TypeError: a set of unhashable values
        return text
