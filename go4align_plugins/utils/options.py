"""Options of the right kind and range; configs and command lines may hold anything."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any


def require(valid: bool, name: str, rule: str, value: Any) -> None:
    """Raise a ValueError that names the parameter, its rule and the value, unless it is valid."""
    if not valid:
        raise ValueError(f'Parameter `{name}` should {rule}. Found `{name} = {value!r}`.')


def check_whole(name: str, value: Any, low: int, high: float, remark: str = '') -> int:
    """Require a whole number between bounds; configs and command lines may hold anything."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    bounds = f'be at least {low}' if high == math.inf else f'be between {low} and {high}'
    rule = f'{bounds}{remark}{"" if whole else ", a whole number"}'
    require(whole and low <= value <= high, name, rule, value)
    return int(value)


def check_switch(name: str, value: Any) -> bool:
    """Require True or False; the text ``'false'`` would be taken for True."""
    require(value in (True, False), name, 'be True or False', value)
    return bool(value)


def check_choice(name: str, value: Any, choices: Iterable[str], remark: str = '') -> str:
    """Require one of some texts."""
    choices = tuple(choices)
    require(value in choices, name, f'be one of {choices}{remark}', value)
    return value
