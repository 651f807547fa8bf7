"""What weighs the losses, side by side: this package's groupings, the published way, none."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import torch
from torch import Tensor

from go4align_plugins.weighting import GROUPINGS, GO4Align
from go4align_plugins.weighting.groupings import NotConverged

OURS, PUBLISHED, EQUAL = 'exact', 'published', 'equal'
METHODS = (EQUAL, OURS, PUBLISHED, *(name for name in GROUPINGS if name != OURS))

Weigh = Callable[[Tensor], 'Tensor | None']
"""Losses (M,) to weights (M,); None: all weights are 1, and nothing needs to be computed."""

MAX_ITERATIONS = 300
MOST_TASKS = {'sdp': 11, 'spectral': 1000}
"""Beyond it, a step of that grouping takes a second or more."""


class PublishedStep:
    """The method as published: the indicator in float32, clustered by kmeans-pytorch.

    What that prints, and its progress bar, are written into memory. Nothing is added but an end to
    its endless loops: a start that does not converge is followed by another one.

    Args:
        num_tasks: M.
        num_groups: K.
        device: where the losses are.

    Raises:
        ImportError: if kmeans-pytorch is not installed.
    """

    def __init__(self, num_tasks: int, num_groups: int, device: torch.device) -> None:
        import kmeans_pytorch
        from tqdm import tqdm

        class BoundedBar(tqdm):
            def update(self, n: float | None = 1) -> bool | None:
                if self.n >= MAX_ITERATIONS:
                    raise NotConverged
                return super().update(n)

        self.module, self.bar = kmeans_pytorch, BoundedBar
        self.num_groups = num_groups
        self.history = torch.full((num_tasks,), 1 / num_tasks, device=device)

    @torch.no_grad()
    def __call__(self, losses: Tensor) -> Tensor:
        """Take one step."""
        self.module.tqdm, original = self.bar, self.module.tqdm
        sink = io.StringIO()
        try:
            with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
                return self._weights(losses)
        finally:
            self.module.tqdm = original

    def _weights(self, losses: Tensor) -> Tensor:
        history = self.history * torch.exp(-1e-4 * losses)
        self.history = history / history.sum()
        indicator = (losses.sum() / losses * self.history)[:, None]
        while True:
            with contextlib.suppress(NotConverged):
                groups, centres = self.module.kmeans(
                    indicator, self.num_groups, device=losses.device
                )
                return centres.to(losses.device)[groups, 0]


def is_feasible(method: str, num_tasks: int) -> bool:
    """Whether a step of this method ends within a second or so."""
    return num_tasks <= MOST_TASKS.get(method, num_tasks)


def build_method(method: str, num_tasks: int, num_groups: int, device: torch.device) -> Weigh:
    """A method by its name, in its first state.

    Raises:
        ImportError: if the package that it needs is not installed.
    """
    if method == EQUAL:
        return lambda losses: None
    if method == PUBLISHED:
        return PublishedStep(num_tasks, num_groups, device)
    return GO4Align(num_tasks, num_groups, grouping=method).to(device)
