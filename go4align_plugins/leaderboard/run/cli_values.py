"""From a command line's words to values, and from a plan's options to words."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def literal(text: str) -> Any:
    """A value from a command line: a number, true or false, another literal, or the text."""
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):  # such as {{}}, a set of what can be in none
        return text


def listed(value: Any) -> Sequence[Any]:
    """A list or tuple as it is, anything else as the only one of a list."""
    return value if isinstance(value, (list, tuple)) else [value]


def tokens(options: Mapping[str, Any] | Sequence[Any]) -> Iterable[str]:
    """Options as a command line's words; in a plan they may be a mapping of names to values.

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
            yield from (f'--{flag}', *map(str, listed(value)))
