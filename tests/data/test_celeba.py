"""CelebA's layout: read in each of its forms, broken files named."""

import numpy as np
import pytest
from PIL import Image

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder, check

from .celeba_files import LAYOUTS, write_faces

CELEBA = get_benchmark('celeba')
FEW = (4, 2, 2)
WHOLE = ([], {'train': 4, 'val': 2, 'test': 2})


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_says_the_same(tmp_path, layout):
    flat, folder = (
        FaceFolder(write_faces(tmp_path / each, FEW, each), CELEBA) for each in ('flat', layout)
    )
    splits = {name: part.tolist() for name, part in folder.splits.items()}
    assert splits == {'train': [0, 1, 2, 3], 'val': [4, 5], 'test': [6, 7]}
    assert folder.names == flat.names
    assert folder.labels.shape == (8, 40)
    np.testing.assert_array_equal(folder.labels, flat.labels)
    np.testing.assert_array_equal(folder.read(3, (8, 8)), flat.read(3, (8, 8)))
    assert check(tmp_path / layout, progress=False) == WHOLE


@pytest.mark.parametrize('layout', ['flat', 'kaggle'])
@pytest.mark.parametrize('name', ['list_attr_celeba', 'list_eval_partition'])
def test_lists_that_were_edited_or_cut(tmp_path, layout, name):
    """A byte order mark, Windows' line ends, and the empty rows of a spreadsheet."""
    (path,) = write_faces(tmp_path, FEW, layout).glob(f'{name}.*')
    content = path.read_bytes()
    empty = b',,,\r\n' if layout == 'kaggle' else b'\r\n'
    path.write_bytes(b'\xef\xbb\xbf' + content.replace(b'\n', b'\r\n') + empty)
    assert check(tmp_path, progress=False) == WHOLE
    # A comma is the decimal sign of many a spreadsheet, which then parts cells by semicolons.
    path.write_bytes(path.read_bytes().replace(b',', b'";"'))
    assert check(tmp_path, progress=False) == WHOLE
    for cut in (2, 4, 40, 100):
        path.write_bytes(content[:-cut])
        with pytest.raises(ValueError, match=r'a list is cut, download|should be an image and'):
            FaceFolder(tmp_path, CELEBA)
    for other in (b'', b'\xff\xfe\x00', b'1\n'):
        path.write_bytes(other)
        with pytest.raises(ValueError, match=name):
            FaceFolder(tmp_path, CELEBA)


def test_only_the_attributes_asked_for_are_read(tmp_path):
    path = write_faces(tmp_path, FEW) / 'list_attr_celeba.txt'
    everything = FaceFolder(tmp_path, CELEBA)
    line = path.read_text().splitlines()[2].split()
    assert everything.labels[0].tolist() == [int(word == '1') for word in line[1:]]
    path.write_text(path.read_text().replace(' Bald ', ' Bold ', 1))
    assert 'Missing: Bald' in check(tmp_path, progress=False)[0][0]
    some = FaceFolder(tmp_path, CELEBA, ['Young', 'Arched_Eyebrows'])
    columns = [CELEBA.task_names.index(name) for name in ('Arched_Eyebrows', 'Young')]
    np.testing.assert_array_equal(some.labels, everything.labels[:, columns])


@pytest.mark.parametrize('turned', [False, True])
def test_a_face_is_upright_and_resized_as_a_whole(tmp_path, turned):
    folder = FaceFolder(write_faces(tmp_path, FEW), CELEBA)
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[109:] = (200, 0, 0)
    image, exif = Image.fromarray(pixels), Image.Exif()
    if turned:
        image, exif[0x0112] = image.transpose(Image.Transpose.ROTATE_90), 6  # a quarter, clockwise
    image.save(tmp_path / 'img_align_celeba' / '000001.jpg', quality=95, exif=exif)
    face = folder.read(0, (64, 48))
    assert face.shape == (64, 48, 3)
    assert face[:30].max() < 10
    assert abs(face[34:].astype(int) - [200, 0, 0]).max() < 10


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'message'),
    [
        ('list_attr_celeba.txt', '8\n', '9\n', 'line 1: .* Found 9 and 8 faces'),
        ('list_attr_celeba.txt', ' Bald ', ' Bold ', 'line 2: .* Missing: Bald'),
        ('list_attr_celeba.txt', '000003.jpg  ', '000003.jpg  x', 'line 5: should be an image and'),
        ('list_attr_celeba.txt', '000002.jpg', '000001.jpg', 'each image once. Found 000001.jpg'),
        ('list_eval_partition.txt', '000002.jpg 0', '000002.jpg 3', 'line 2: .*0, 1 or 2'),
        ('list_eval_partition.txt', '000002.jpg', '000003.jpg', 'only in one of them: 000002.jpg'),
        ('list_eval_partition.txt', '000008.jpg 2\n', '', 'Found 7 and not 8'),
    ],
)
def test_broken_lists_are_named(tmp_path, name, old, new, message):
    path = write_faces(tmp_path, FEW) / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        FaceFolder(tmp_path, CELEBA)
    assert str(caught.value).startswith(str(path))
    assert check(tmp_path, progress=False) == ([str(caught.value)], {})


def test_missing_faces_and_files_are_named(tmp_path):
    images, packed = (write_faces(tmp_path, FEW) / f'img_align_celeba{end}' for end in ('', '.zip'))
    (images / '000003.jpg').unlink()
    with pytest.raises(ValueError, match=r'1 are missing, the first is 000003\.jpg'):
        FaceFolder(tmp_path, CELEBA)
    packed.touch()  # nothing but the archive is left
    for image in images.iterdir():
        image.unlink()
    (problem,) = check(tmp_path, progress=False)[0]
    assert f'first is 000001.jpg. Unpack {packed} first.' in problem
    images.rename(tmp_path / 'elsewhere')
    packed.unlink()
    with pytest.raises(FileNotFoundError, match=r'should hold img_align_celeba.*download celeba'):
        FaceFolder(tmp_path, CELEBA)
    with pytest.raises(ValueError, match=r'faces of every split\. val has none'):
        FaceFolder(write_faces(tmp_path / 'few', (4, 0, 2)), CELEBA)


def test_broken_images_are_named(tmp_path):
    cut, other = (write_faces(tmp_path, FEW) / f'img_align_celeba/00000{n}.jpg' for n in (2, 4))
    cut.write_bytes(cut.read_bytes()[:2000])
    other.write_text('no image')
    problems, lengths = check(tmp_path, progress=False)
    assert lengths == WHOLE[1]
    assert [problem.split(':')[0] for problem in problems] == [str(cut), str(other)]
