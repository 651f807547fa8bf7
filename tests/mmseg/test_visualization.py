"""Pictures: each map in its colours, blank where nothing is known, images from the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from go4align_plugins.mmseg.visualization import MTLVisualizer, to_rgb

from .toys import sample_of

SIZE = (8, 12)
RED, GREEN = (250, 10, 10), (10, 250, 10)
NORMAL_COLOUR = (128, 128, 0)  # of (0, 0, -1)
ONES = torch.ones(1, *SIZE, dtype=torch.long)


def draw(tmp_path, sample, benchmark='rooms', **options):
    """The colours of a picture, and how often each occurs."""
    visualizer = MTLVisualizer()
    classes = {'classes': ('wall', 'floor'), 'palette': [RED, GREEN]}
    visualizer.dataset_meta = {**classes, 'benchmark': benchmark}
    path = tmp_path / 'picture.png'
    image = np.full((*SIZE, 3), 90, np.uint8)
    visualizer.add_datasample('', image, sample, out_file=str(path), **options)
    pixels = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return dict(zip(map(tuple, colours.tolist()), counts.tolist()))


def test_segmentation_in_the_palette(tmp_path):
    truth = 0 * ONES
    truth[:, :, 6:] = 255
    sample = sample_of(gt_sem_seg=truth, pred_sem_seg=ONES)
    colours = draw(tmp_path, sample)
    # Half of the truth is blank; the legend's patches are a few hundred pixels.
    assert colours[RED] / colours[GREEN] == pytest.approx(0.5, abs=0.05)
    assert GREEN not in draw(tmp_path, sample, draw_pred=False)
    assert RED not in draw(tmp_path, sample, draw_gt=False)


def test_normals_in_their_colours_whatever_their_length(tmp_path):
    normal = torch.zeros(3, *SIZE)
    normal[2] = -5
    colours = draw(tmp_path, sample_of(pred_normal_map=normal))
    near = [c for c in colours if np.abs(np.subtract(c, NORMAL_COLOUR)).max() <= 1]
    assert sum(colours[colour] for colour in near) > 10000


def test_depth_of_an_unknown_data_set(tmp_path):
    depth = torch.linspace(1, 5, SIZE[0] * SIZE[1]).reshape(1, *SIZE)
    assert len(draw(tmp_path, sample_of(pred_depth_map=depth), benchmark='other')) > 50


def test_batch_images_become_rgb_of_the_original_size():
    blue_first = torch.zeros(3, *SIZE)
    blue_first[0] = 300
    assert (to_rgb(blue_first, SIZE) == [0, 0, 255]).all()
    assert to_rgb(blue_first, (16, 24)).shape == (16, 24, 3)
