"""The message-passing network: size and message by hand, and what its features depend on."""

import sys

import pytest
import torch

pytest.importorskip('torch_geometric', reason='needs the extra qm9')

from torch_geometric.data import Batch, Data

from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.models.mpnn import MPNN

from ..data.molecule_files import write_sdf


@pytest.fixture(scope='module')
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Data]:
    molecules = read_qm9(write_sdf(tmp_path_factory.mktemp('qm9')))
    parts = [map(torch.from_numpy, molecules.graph(index)) for index in range(2)]
    return [Data(x=x, edge_index=pairs, edge_attr=edges) for x, pairs, edges in parts]


@pytest.fixture
def network() -> MPNN:
    torch.manual_seed(0)
    return MPNN(16, 32)


def test_message_by_hand(network: MPNN, graphs: list[Data]) -> None:
    graph, state = graphs[1], torch.randn(4, 16)
    matrices = network.matrices(graph.edge_attr)
    own = state @ network.message.lin.weight.T + network.message.bias
    expected = own.clone()
    for (one, other), matrix in zip(graph.edge_index.T.tolist(), matrices):
        expected[other] += state[one] @ matrix.reshape(16, 16) / 3
    torch.testing.assert_close(network.message(state, graph.edge_index, matrices), expected)


def test_features_do_not_depend_on_the_batch_or_the_order_of_atoms(
    network: MPNN, graphs: list[Data]
) -> None:
    alone = torch.cat([network(Batch.from_data_list([graph])) for graph in graphs])
    assert alone.shape == (2, network.feature_dim)
    torch.testing.assert_close(network(Batch.from_data_list(graphs)), alone)
    order = torch.tensor([2, 0, 3, 1])
    turned = graphs[1].clone()
    turned.x = turned.x[order]
    turned.edge_index = order.argsort()[turned.edge_index]
    torch.testing.assert_close(network(Batch.from_data_list([turned])), alone[1:])


def test_a_loss_reaches_every_parameter(network: MPNN, graphs: list[Data]) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 14464
    network(Batch.from_data_list(graphs)).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_without_geometric_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'torch_geometric.nn', None)
    with pytest.raises(ImportError, match=r'pip install "go4align-plugins\[qm9\]"'):
        MPNN()
