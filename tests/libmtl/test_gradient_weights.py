"""Weights read off a combined gradient: exact where solving for them is ambiguous."""

from __future__ import annotations

import pytest
import torch

from go4align_plugins.libmtl.gradient_weights import add_marks, read_weights, remove_marks

WEIGHTS = torch.tensor([0.1, -2.5, 1e-6])


def test_by_hand():
    gradients = torch.tensor([[1.0, 2.0], [0.0, 4.0]])
    marked = add_marks(gradients)
    assert marked.shape == (2, 4)
    assert read_weights(marked[0] + 0.25 * marked[1], marked, 'Toy').tolist() == [1.0, 0.25]
    assert torch.equal(remove_marks(marked), gradients)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_no_inner_product_sees_the_marks(dtype):
    assert add_marks(torch.zeros(3, 5, dtype=dtype)).norm() == 0
    gradients = torch.randn(3, 5, dtype=dtype, generator=torch.Generator().manual_seed(0))
    marked = add_marks(gradients * 1e-6)
    torch.testing.assert_close(marked @ marked.T, gradients @ gradients.T * 1e-12)


@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
@pytest.mark.parametrize('kind', ['independent', 'equal', 'zero'])
def test_weights_are_exact_even_where_gradients_depend_on_each_other(kind, scale):
    gradients = torch.randn(3, 100, generator=torch.Generator().manual_seed(1)) * scale
    if kind == 'equal':
        gradients[1:] = gradients[0]
    if kind == 'zero':
        gradients[1:] = 0
    marked = add_marks(gradients)
    combined = (marked * WEIGHTS[:, None]).sum(0)
    assert torch.equal(read_weights(combined, marked, 'Toy'), WEIGHTS)


def test_what_is_no_weighted_sum_is_refused():
    marked = add_marks(torch.eye(3, 10))
    combined = marked.sum(0)
    combined[1] *= 1.1
    with pytest.raises(ValueError, match=r"Toy should sum up the tasks' gradients.*by 0\.1:"):
        read_weights(combined, marked, 'Toy')
