"""The message-passing network of `Gilmer et al. <https://arxiv.org/abs/1704.01212>`_, as on QM9."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from go4align_plugins.data.molecules import NUM_ATOM_FEATURES, NUM_EDGE_FEATURES
from go4align_plugins.utils.optional import import_optional

STEPS = 3


class MPNN(nn.Module):
    """Edge-conditioned messages, a GRU that takes them in, and Set2Set over the atoms.

    In each of three steps an atom gets the mean of its neighbours' states, each times a matrix that
    a two-layer network makes of the pair's features. 0.61 M parameters with the defaults, which are
    NashMTL's, FAMO's and LibMTL's; 0.02 M with (16, 32).

    Args:
        dim: of an atom's state, and of the features of a molecule.
        hidden: units of the network that makes the matrices.

    Raises:
        ImportError: without PyTorch Geometric; the message says how to install it.
    """

    def __init__(self, dim: int = 64, hidden: int = 128) -> None:
        super().__init__()
        layers: Any = import_optional('torch_geometric.nn', 'qm9', 'Networks for molecules')
        self.feature_dim = dim
        self.embed = nn.Linear(NUM_ATOM_FEATURES, dim)
        self.matrices = nn.Sequential(
            nn.Linear(NUM_EDGE_FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, dim * dim)
        )
        # A pair's matrix is the same in all steps: it is made once, not by NNConv in each.
        self.message = layers.NNConv(dim, dim, nn.Identity(), aggr='mean')
        self.update = nn.GRU(dim, dim)
        self.pool = layers.Set2Set(dim, processing_steps=STEPS)
        self.project = nn.Linear(2 * dim, dim)

    def forward(self, graphs: Any) -> Tensor:
        """A batch of B graphs (``x``, ``edge_index``, ``edge_attr``, ``batch``) -> (B, dim)."""
        state = F.relu(self.embed(graphs.x))
        memory = state[None]
        matrices = self.matrices(graphs.edge_attr)
        for _ in range(STEPS):
            message = F.relu(self.message(state, graphs.edge_index, matrices))
            output, memory = self.update(message[None], memory)
            state = output[0]
        return F.relu(self.project(self.pool(state, graphs.batch)))
