"""Pictures are read whole, of the formats asked for, or refused by name."""

import sys
import zlib

import numpy as np
import pytest

from go4align_plugins.data.pictures import open_picture, to_rgb

Image = pytest.importorskip('PIL.Image', reason='Pillow is not installed')


def rgb(path):
    with open_picture(path) as picture:
        return np.asarray(to_rgb(picture))


def png(path, width=8):
    """A grey picture; its header says that it is as wide as that."""
    Image.new('L', (8, 6), 7).save(path)
    content = path.read_bytes()
    header = b'IHDR' + width.to_bytes(4, 'big') + content[20:29]
    path.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4, 'big') + content[33:])
    return path


def test_a_picture_is_read_in_the_formats_asked_for(tmp_path):
    with open_picture(png(tmp_path / 'a.png'), ['PNG']) as picture:
        assert (np.asarray(picture) == 7).all()
    Image.new('RGB', (8, 6)).save(tmp_path / 'a.png', 'EPS')
    with open_picture(tmp_path / 'a.png') as picture:
        assert picture.format == 'EPS'


@pytest.mark.parametrize(
    ('width', 'kept', 'formats', 'found'),
    [
        (2**30, None, None, r'\. Found: Image size'),
        (8, 45, None, ''),
        (8, None, ['EPS'], r'\. Found: cannot identify'),
    ],
)
def test_damage_is_named_whenever_it_is_found(tmp_path, width, kept, formats, found):
    path = png(tmp_path / 'a.png', width)
    path.write_bytes(path.read_bytes()[:kept])
    match = rf'a\.png: should be a whole image{found}'
    with pytest.raises(ValueError, match=match), open_picture(path, formats) as picture:
        picture.load()


def test_a_missing_package_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'PIL.Image', None)
    with pytest.raises(ImportError, match='need `PIL`'), open_picture(tmp_path / 'a.png'):
        pass


GREY = np.array([[0, 257, 32896], [65535, 128, 129]], np.uint16)
EIGHT_BITS = np.array([[0, 1, 128], [255, 0, 1]])


@pytest.mark.parametrize(
    ('array', 'name'),
    [
        *((GREY, name) for name in ('a.png', 'a.tif')),
        *((GREY.astype(np.int32), name) for name in ('a.tif', 'a.pgm')),
        *((array.astype(np.float32), 'a.tif') for array in (GREY / 65535, EIGHT_BITS)),
    ],
)
def test_grey_of_more_bits_is_scaled_to_eight(tmp_path, array, name):
    Image.fromarray(array).save(tmp_path / name)
    found = rgb(tmp_path / name)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.repeat(EIGHT_BITS[..., None], 3, axis=2))


@pytest.mark.parametrize('array', [GREY.astype(np.int32) - 1, GREY.astype(np.int32) * 2])
def test_numbers_of_no_known_scale_are_refused(tmp_path, array):
    Image.fromarray(array).save(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match=r'a\.tif: should be .* numbers from .* 0 to 65535'):
        rgb(tmp_path / 'a.tif')


COLOURS = np.array([[[250, 10, 20], [30, 240, 50]], [[60, 70, 230], [255, 255, 255]]], np.uint8)
PICTURE = Image.fromarray(COLOURS)
SEEN_THROUGH = PICTURE.convert('RGBA')
SEEN_THROUGH.putalpha(Image.fromarray(COLOURS[..., 0]))


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize(
    ('picture', 'name', 'options'),
    [
        (PICTURE, 'a.bmp', {}),
        (SEEN_THROUGH, 'a.png', {}),
        (PICTURE.quantize(4), 'a.png', {'transparency': bytes([0, 90, 255, 255])}),
        (PICTURE.quantize(4), 'a.gif', {'transparency': 0}),
        (PICTURE.convert('CMYK'), 'a.tif', {}),
        (PICTURE, 'a.png', {'exif': b'Exif\0\0garbage'}),
    ],
)
def test_colours_are_kept_whatever_the_mode(tmp_path, picture, name, options):
    picture.save(tmp_path / name, **options)
    np.testing.assert_array_equal(rgb(tmp_path / name), COLOURS)


@pytest.mark.parametrize('black', [0, 1])
def test_a_tiff_says_whether_0_is_black(tmp_path, black):
    array = np.array([[0, 257], [65535, 0]], np.uint16)
    Image.fromarray(array).save(tmp_path / 'a.tif', tiffinfo={0x0106: black})
    found = rgb(tmp_path / 'a.tif')[..., 0]
    assert found.tolist() == ([[0, 1], [255, 0]] if black else [[255, 254], [0, 255]])


@pytest.mark.parametrize(
    ('orientation', 'turn'),
    [
        *((number, lambda p: p) for number in (1, 9)),  # there is no orientation 9
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.T),
        (6, lambda p: p[::-1].T),
        (7, lambda p: p[::-1, ::-1].T),
        (8, lambda p: p.T[::-1]),
    ],
)
@pytest.mark.parametrize(('mode', 'name'), [('RGB', 'a.png'), ('1', 'a.tif'), ('I;16', 'a.tif')])
def test_a_picture_is_turned_upright(tmp_path, orientation, turn, name, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
    deep = mode == 'I;16'
    picture = Image.fromarray(pixels * np.uint16(257) if deep else pixels)
    (picture if deep else picture.convert(mode)).save(tmp_path / name, exif=exif)
    np.testing.assert_array_equal(rgb(tmp_path / name)[..., 0], turn(pixels))
