r"""Where the runs of an optimal partition can begin: bounds by blocks of values.

Leaving values out of a run never raises its cost. So, with the values in blocks, a partition whose
begins lie in certain blocks costs at least as much as the whole blocks between them; and the best
partition at the blocks' edges costs at least as much as the best of all. A block that cannot lie
below that is left out:

.. math::
    F_k(J) + B_k(J) \le U, \quad F_k(J) = \min_I F_{k-1}(I) + c(I + 1, J - 1)

- :math:`F_k(J)`: bounds the cost before the k-th begin, if that lies in block J, from below;
- :math:`B_k(J)`: the same for what is behind it, computed from the end;
- :math:`c(I, J)`: the cost of the run of the blocks I .. J, 0 if there is none;
- :math:`U`: the least cost of a partition at the edges.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NUM_BLOCKS = 256
TOLERANCE = 1e-9
"""Relative to U: far above what rounding can do to a sum of costs."""


def bound_begins(
    costs: Callable[[Tensor, Tensor], Tensor],
    values: Tensor,
    num_groups: int,
    num_blocks: int = NUM_BLOCKS,
) -> list[tuple[int, int]]:
    """Bound the begins of all runs but the first.

    Args:
        costs: of runs of the sorted values, by their begins and ends (inclusive).
        values: (M,) float64, distinct, rising.
        num_groups: K, at least 2 and below M.
        num_blocks: about how many blocks; the more, the closer the bounds.

    Returns:
        For each of the K - 1 begins the first and the last that a partition with the least cost
        may have; both rise strictly.
    """
    edges = _edges(values, max(num_blocks, num_groups))
    begin, end = edges[:-1, None], (edges[1:] - 1)[None]
    begin, end = torch.broadcast_tensors(begin, torch.maximum(begin, end))
    runs = costs(begin.flatten(), end.flatten()).view(begin.shape).triu_()
    empty = torch.ones_like(runs, dtype=torch.bool).tril_(-1)
    at_edges = runs.masked_fill(empty, torch.inf)
    least = at_edges[0]
    for _ in range(num_groups - 1):
        least = (least[:-1, None] + at_edges[1:]).amin(0)
    between = torch.zeros_like(runs)
    between[:-2, 2:] = runs[1:-1, 1:-1]
    between.masked_fill_(empty, torch.inf)
    nothing = runs.new_zeros(1)
    before, behind = [torch.cat([nothing, runs[0, :-1]])], [torch.cat([runs[1:, -1], nothing])]
    for _ in range(num_groups - 2):
        before.append((before[-1][:, None] + between).amin(0))
        behind.append((between + behind[-1]).amin(1))
    possible = torch.stack(before) + torch.stack(behind[::-1]) <= least[-1] * (1 + TOLERANCE)
    lows = [int(edges[row.nonzero()[0, 0]]) for row in possible]
    highs = [int(edges[row.nonzero()[-1, 0] + 1]) - 1 for row in possible]
    return _rising(lows, highs, len(values))


def _edges(values: Tensor, num_blocks: int) -> Tensor:
    """The first value of each block, and the end: blocks are small where a begin is likely."""
    # By rank, and by the density of the best begins: its third root, on a line (Bennett, 1948).
    share = torch.linspace(0, 1, len(values), dtype=torch.float64)
    gaps = values.diff().mul_(1 / (values[-1] - values[0])).pow_(2 / 3).cumsum(0)
    share[1:] += gaps / gaps[-1].clamp(min=1e-290)
    places = torch.linspace(0, 2, num_blocks + 1, dtype=torch.float64)[:-1]
    inner = torch.searchsorted(share, places)
    return torch.cat([inner, inner.new_tensor([len(values)])]).unique()


def _rising(lows: list[int], highs: list[int], size: int) -> list[tuple[int, int]]:
    """Every run has a value: each begin is behind the one before."""
    for place in range(len(lows)):
        lows[place] = max(lows[place], lows[place - 1] + 1 if place else 1)
    for place in reversed(range(len(highs))):
        behind = highs[place + 1] if place + 1 < len(highs) else size
        highs[place] = min(highs[place], behind - 1)
    return list(zip(lows, highs))
