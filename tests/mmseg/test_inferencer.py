"""The inferencer: images in any form, read as mmcv reads them; maps of their size."""

from __future__ import annotations

import mmcv
import numpy as np
import pytest
from PIL import Image

from go4align_plugins.mmseg.apis import MTLInferencer
from go4align_plugins.mmseg.apis.inferencer import read_image

from .. import ROOT

CONFIG = ROOT / 'configs/segnet/segnet-small_go4align_rooms-96x128.py'


@pytest.mark.parametrize('shape', [(64, 64), (50, 70)], ids=str)
def test_inferencer_gives_maps_of_the_images_size(shape, tmp_path):
    infer = MTLInferencer(CONFIG, device='cpu')
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    maps = infer(image)
    shapes = {'segmentation': shape, 'depth': shape, 'normal': (*shape, 3)}
    assert {name: array.shape for name, array in maps.items()} == shapes
    np.testing.assert_allclose(np.linalg.norm(maps['normal'], axis=-1), 1, rtol=1e-5)
    # The same image in other forms.
    Image.fromarray(image).save(tmp_path / 'image.png')
    np.save(tmp_path / 'image.npy', (image / 255).astype(np.float32))
    for name in ('image.png', 'image.npy'):
        np.testing.assert_array_equal(infer(tmp_path / name)['depth'], maps['depth'])


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ('missing.png', 'missing.png: should be a whole image'),
        ('nan.npy', r'nan.npy: an image should lie in \[0, 1\]. Found nan'),
        (np.zeros((4, 4), np.uint8), r'shape \(4, 4\), type uint8'),
        (np.zeros((4, 4, 3)), 'type float64'),
    ],
)
def test_images_that_are_none_are_refused(tmp_path, monkeypatch, image, message):
    monkeypatch.chdir(tmp_path)
    np.save('nan.npy', np.full((4, 4, 3), np.nan))
    with pytest.raises(ValueError, match=message):
        read_image(image)


@pytest.mark.parametrize('name', ['a.png', 'a.jpg'])
def test_pictures_are_read_as_by_mmcv(tmp_path, name):
    colours = np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(colours).save(tmp_path / name, exif=exif)
    expected = mmcv.imread(tmp_path / name, channel_order='rgb')
    found = read_image(tmp_path / name)
    assert found.shape == expected.shape == (16, 24, 3)
    # Two decoders of JPEG.
    assert abs(found.astype(int) - expected).max() <= (4 if name == 'a.jpg' else 0)


def test_a_checkpoint_that_is_none_is_named(tmp_path):
    path = tmp_path / 'epoch_12.pth'
    path.write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(ValueError, match=r'epoch_12\.pth: should hold weights. Found: a pointer'):
        MTLInferencer(CONFIG, path, device='cpu')
