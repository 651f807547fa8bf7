"""Augmentation: each part of a frame, by hand and against geometry."""

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


@pytest.mark.parametrize(('benchmark', 'index'), [('rooms', 0), ('rooms', 3), ('streets', 0)])
@pytest.mark.parametrize('scale', [1.2, 1.5])
def test_scale_crop_keeps_labels_normals_and_gaps_and_comes_closer(benchmark, index, scale):
    frame, streets = load(benchmark, index), benchmark == 'streets'
    found = scale_crop(frame, scale, 3, 5, inverse_depth=streets)
    assert torch.isin(found['segmentation'], frame['segmentation']).all()
    before = frame['depth'].unique() * (scale if streets else 1 / scale)
    distance = (found['depth'].flatten()[:, None] - before).abs().min(1).values
    assert distance.max() < 1e-6
    if not streets:
        length = found['normal'].norm(dim=0)
        valid = length > 0
        torch.testing.assert_close(length[valid], torch.ones_like(length[valid]))
        # Depth and normals are cut alike: where one has no measurement, neither has the other.
        assert torch.equal(valid, found['depth'][0] > 0)


def test_augmentation_follows_its_generator():
    frame = load('rooms')
    made = [augment(frame, torch.Generator().manual_seed(seed)) for seed in (*range(20), 1)]
    assert torch.equal(made[1]['image'], made[-1]['image'])
    assert not torch.equal(made[1]['image'], made[4]['image'])
    assert len({each['depth'].max().item() for each in made}) > 3
