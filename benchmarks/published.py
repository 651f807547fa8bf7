"""The weighting step as published: the same indicator, clustered by kmeans-pytorch."""

from __future__ import annotations

import contextlib
import io
from functools import partial

import torch
from torch import Tensor

MAX_ITERATIONS = 300


class NotConverged(Exception):
    """A random start of kmeans-pytorch went on for too long."""


class Meter:
    """Takes the place of kmeans-pytorch's progress bar, and ends its endless loops."""

    def __init__(self, **_: object) -> None:
        self.iterations = 0

    def set_postfix(self, **_: object) -> None:
        """Print nothing."""

    def update(self) -> None:
        """Count an iteration."""
        self.iterations += 1
        if self.iterations > MAX_ITERATIONS:
            raise NotConverged


class PublishedStep:
    """The indicator in float32, clustered by kmeans-pytorch.

    It prints into memory, without a progress bar; another start follows one that does not converge.

    Args:
        num_tasks: M.
        num_groups: K.
        device: of the losses.

    Raises:
        ImportError: if kmeans-pytorch is not installed.
    """

    def __init__(self, num_tasks: int, num_groups: int, device: str) -> None:
        import kmeans_pytorch

        kmeans_pytorch.tqdm = Meter
        self.cluster = partial(
            kmeans_pytorch.kmeans, num_clusters=num_groups, device=torch.device(device)
        )
        self.history = torch.full((num_tasks,), 1 / num_tasks, device=device)

    @torch.no_grad()
    def __call__(self, losses: Tensor) -> Tensor:
        """Weigh the losses (M,)."""
        history = self.history * torch.exp(-1e-4 * losses)
        self.history = history / history.sum()
        indicator = (losses.sum() / losses * self.history)[:, None]
        with contextlib.redirect_stdout(io.StringIO()):
            while True:
                with contextlib.suppress(NotConverged):
                    groups, centres = self.cluster(indicator)
                    return centres.to(losses.device)[groups, 0]
