"""The losses of a model, which MMEngine adds up before its optimizer wrappers see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Callable

import torch
from mmengine.dist import all_gather_object
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from go4align_plugins.utils.options import require

Losses = dict[str, Any]
TaskPatterns = Mapping[str, 'str | Sequence[str]']


class LossRecorder:
    """Replaces a model's method ``parse_losses``: returns the same, and records the summands.

    It hides the class's method, from the model's own ``train_step`` and a distributed wrapper's.
    """

    def __init__(self, parse_losses: Callable[..., tuple[Tensor, Losses]]) -> None:
        self._parse_losses = parse_losses
        # Total -> loss key -> summand. The entry, and the graph with it, ends with its total.
        self._summands: MutableMapping[Tensor, dict[str, Tensor]] = WeakTensorKeyDictionary()
        self._checked_keys: set[frozenset[str]] = set()
        self._last_keys: list[str] = []

    @classmethod
    def attach(cls, model: nn.Module) -> LossRecorder:
        """Record the losses of a model, bare or distributed, in place of an earlier recorder."""
        bare: Any = model
        while is_model_wrapper(bare):
            bare = bare.module
        parse_losses: Any = getattr(bare, 'parse_losses', None)
        rule = 'have the method `parse_losses`, as every `mmengine.model.BaseModel` has'
        require(parse_losses is not None, 'model', rule, type(bare).__name__)
        bare.parse_losses = recorder = cls(getattr(parse_losses, '_parse_losses', parse_losses))
        return recorder

    def __call__(self, losses: Losses, *args: Any, **kwargs: Any) -> tuple[Tensor, Losses]:
        """Parse the losses as the model does, and record them if they can be trained on."""
        total, log_vars = self._parse_losses(losses, *args, **kwargs)
        self._last_keys = list(losses)
        if isinstance(total, Tensor) and total.requires_grad:
            terms = _find_terms(losses, total, log_vars)
            # The check makes the host wait for the device, hence once for each set of keys.
            if frozenset(terms) not in self._checked_keys:
                found = sum(terms.values(), total.new_zeros(()))
                if not _equal(found, total):  # an overridden method adds a loss of no task
                    raise ValueError(
                        "A model's `parse_losses` should return the sum of the losses that it logs."
                        f' Found a total of {total.item()}, and a sum of {found.item()} over the '
                        f'keys {[*terms]}.'
                    )
                self._checked_keys.add(frozenset(terms))
            self._summands[total] = terms
        return total, log_vars

    def split(self, losses: Losses) -> dict[str, Tensor]:
        """Split a model's losses that are not trained on into summands: loss key -> ()."""
        return _find_terms(losses, *self._parse_losses(losses))

    def pop(self, loss: Tensor) -> dict[str, Tensor]:
        """Return the summands of a total, loss key -> () with its graph, and drop their record."""
        recorded = list(self._summands)
        totals = [total for total in recorded if total is loss]
        # A model may parse more than once in an iteration: the sum of all its totals is one, too.
        if not totals and recorded and _equal(torch.stack(recorded).sum(), loss):
            totals = recorded
        if not totals:
            raise ValueError(
                "Parameter `loss` should be the total that the model's `parse_losses` returned, or "
                'the sum of all its totals of this iteration; it adds up the keys that contain '
                f'`loss`. Found `loss = {loss}`, the totals `{[t.item() for t in recorded]}`, and '
                f'the keys `{self._last_keys}`.'
            )
        return _add(item for total in totals for item in self._summands.pop(total).items())

    def __reduce__(self) -> Any:
        # A copy of the model, deep or pickled, has the bound method of the copy here.
        return self._parse_losses.__reduce__()


def _find_terms(losses: Losses, total: Tensor, log_vars: Losses) -> dict[str, Tensor]:
    # MMEngine adds up the keys that contain `loss`. Its log has the sum of each key; the sum of an
    # empty list is no tensor, but 0.
    terms = {key: log_vars.get(key) for key in losses if 'loss' in key}
    return {k: v if isinstance(v, Tensor) else total.new_zeros(()) for k, v in terms.items()}


def _add(terms: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Add up the terms of each name."""
    sums: dict[str, Tensor] = {}
    for name, value in terms:
        sums[name] = sums[name] + value if name in sums else value
    return sums


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Compare two scalars up to rounding."""
    rtol = 100 * torch.finfo(expected.dtype).eps
    return bool(torch.isclose(found.to(expected.dtype), expected, rtol, 0, equal_nan=True))


class TaskLosses:
    """Sums a model's losses by task, which are given by patterns or begin the losses' keys."""

    def __init__(self, tasks: TaskPatterns | None = None) -> None:
        rule = "map each task's name to patterns of its loss keys, e.g. `{'depth': 'depth.*'}`"
        require(tasks is None or (isinstance(tasks, Mapping) and bool(tasks)), 'tasks', rule, tasks)
        self._patterns: dict[str, Sequence[str]] = {}
        for name, patterns in (tasks or {}).items():
            patterns = [patterns] if isinstance(patterns, str) else patterns
            valid = isinstance(patterns, (list, tuple)) and bool(patterns)
            valid = valid and all(isinstance(pattern, str) and pattern for pattern in patterns)
            require(valid, 'tasks', f'give task `{name}` at least one pattern of loss keys', tasks)
            self._patterns[str(name)] = patterns
        # The tasks in their order; empty until `sum` has seen the first losses.
        self.names = tuple(self._patterns)
        self.resumed = False  # whether they come from a checkpoint

    def find_task(self, key: str) -> str:
        """Find the task of the loss ``key``; a ValueError if none or more than one claims it."""
        if not self._patterns:
            return key.split('.', 1)[0]
        patterns = [(name, each) for name, several in self._patterns.items() for each in several]
        claims = [*dict.fromkeys(name for name, each in patterns if fnmatchcase(key, each))]
        rule = f'assign the loss `{key}` to exactly one task, not {" and ".join(claims) or "none"}'
        require(len(claims) == 1, 'tasks', rule, self._patterns)
        return claims[0]

    def sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Sum the losses of each task, (M,) in float32 at least; 0 for a task without a loss."""
        tasks = {key: self.find_task(key) for key in terms}
        if not self.names:  # all ranks have the same, though some may lack a task at first
            gathered = all_gather_object(list(tasks.values()))
            self.names = tuple(dict.fromkeys(name for names in gathered for name in names))
        for key in (key for key, name in tasks.items() if name not in self.names):
            rule = (
                'A run should be resumed with the tasks of its checkpoint: give the loss to one of '
                'them by `tasks`, or begin a new run by `load_from` without `resume`'
                if self.resumed
                else 'Parameter `tasks` should name all tasks where the first iteration does not '
                'show them all'
            )
            raise ValueError(f'{rule}. Found the loss `{key}`, and the tasks `{self.names}`.')
        losses = _add(
            (tasks[key], value.to(torch.promote_types(value.dtype, torch.float32)))
            for key, value in terms.items()
        )
        absent = torch.zeros_like(next(iter(losses.values())))
        return torch.stack([losses.get(name, absent) for name in self.names])
