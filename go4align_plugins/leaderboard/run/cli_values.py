"""Convert between a command line's words and values."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def literal(text: str) -> Any:
    """Convert a word to a value: a number, true or false, another literal, or the text."""
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):  # {{}} is a TypeError: a set of unhashable values
        return text


def as_list(value: Any) -> Sequence[Any]:
    """Return a list or tuple as it is, anything else as the only item of a list."""
    return value if isinstance(value, (list, tuple)) else [value]


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """Drop repeated values; the order stays."""
    return tuple(dict.fromkeys(values))


def tokens(options: Mapping[str, Any] | Sequence[Any]) -> Iterable[str]:
    """Convert a plan's options, a list or a mapping, to a command line's words.

    Raises:
        ValueError: if they are neither.
    """
    if not isinstance(options, Mapping):
        if not isinstance(options, (list, tuple)):
            raise ValueError(
                'Parameter `options` should be a list of words or a mapping of names to values. '
                f'Found `options = {options!r}`.'
            )
        yield from map(str, options)
        return
    for name, value in options.items():
        flag = str(name).replace('_', '-')
        if isinstance(value, bool):
            yield f'--{flag}' if value else f'--no-{flag}'
        else:
            yield from (f'--{flag}', *map(str, as_list(value)))
