"""Augmentation: each part of a frame, by hand and against geometry."""

from __future__ import annotations

import pytest
import torch

from go4align_plugins.data.augment import augment, flip, scale_crop
from go4align_plugins.data.rooms import render
from go4align_plugins.tasks import to_tensors


def load(benchmark: str, index: int = 0) -> dict[str, torch.Tensor]:
    frame = render(benchmark, 0, index, (48, 64))
    arrays = {'image': frame.image, 'segmentation': frame.label.astype('i8'), 'depth': frame.depth}
    return to_tensors(arrays if frame.normal is None else {**arrays, 'normal': frame.normal})


def test_flip_by_hand():
    frame = {
        'image': torch.arange(6.0).reshape(3, 1, 2),
        'segmentation': torch.tensor([[4, -1]]),
        'depth': torch.tensor([[[2.0, 0.0]]]),
        'normal': torch.tensor([[[0.6, 0.0]], [[0.0, 0.0]], [[-0.8, 0.0]]]),
    }
    found = flip(frame)
    assert found['image'][0].tolist() == [[1, 0]]
    assert found['segmentation'].tolist() == [[-1, 4]]
    assert found['depth'].tolist() == [[[0, 2]]]
    torch.testing.assert_close(found['normal'][:, 0, 1], torch.tensor([-0.6, 0, -0.8]))
    assert frame['normal'][0, 0, 0] == 0.6
    assert all(torch.equal(value, frame[part]) for part, value in flip(found).items())


def test_scale_crop_by_hand():
    label = torch.arange(16).reshape(4, 4) % 13
    depth = torch.full((1, 4, 4), 3.0)
    depth[0, 2, 2] = 0
    frame = {'image': torch.rand(3, 4, 4), 'segmentation': label, 'depth': depth}
    found = scale_crop(frame, 2.0, 1, 1)
    assert found['segmentation'].tolist() == [[5, 5, 6, 6]] * 2 + [[9, 9, 10, 10]] * 2
    assert found['segmentation'].dtype == torch.int64
    assert found['depth'].unique().tolist() == [0, 1.5]
    assert (found['depth'][0, 2:, 2:] == 0).all()
    assert found['image'].shape == (3, 4, 4)


@pytest.mark.parametrize('benchmark', ['rooms', 'streets'])
@pytest.mark.parametrize('scale', [1.2, 1.5])
def test_scale_crop_keeps_labels_and_gaps_and_comes_closer(benchmark, scale):
    frame = load(benchmark)
    found = scale_crop(frame, scale, 3, 5, inverse_depth=benchmark == 'streets')
    assert set(found['segmentation'].unique().tolist()) <= set(
        frame['segmentation'].unique().tolist()
    )
    factor = scale if benchmark == 'streets' else 1 / scale
    before = frame['depth'].unique() * factor
    distance = (found['depth'].flatten()[:, None] - before).abs().min(1).values
    assert distance.max() < 1e-6


def test_normals_stay_unit_and_gaps_stay_gaps():
    frame = load('rooms', 3)
    for scale in (1.2, 1.5):
        found = scale_crop(frame, scale, 2, 2)
        length = found['normal'].norm(dim=0)
        valid = length > 0
        torch.testing.assert_close(length[valid], torch.ones_like(length[valid]))
        # Depth and normals are cut alike: where one has no measurement, neither has the other.
        assert torch.equal(valid, found['depth'][0] > 0)


def test_augmentation_follows_its_generator():
    frame = load('rooms')
    first, again, other = (
        augment(frame, torch.Generator().manual_seed(seed))['image'] for seed in (1, 1, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    seen = {
        augment(frame, torch.Generator().manual_seed(seed))['depth'].max().item()
        for seed in range(20)
    }
    assert len(seen) > 3
