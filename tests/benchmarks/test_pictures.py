"""Pictures are read whole, of the formats asked for, or refused by name."""

from __future__ import annotations

import sys
import zlib

import numpy as np
import pytest

from go4align_plugins.benchmarks.pictures import open_picture

Image = pytest.importorskip('PIL.Image', reason='Pillow is not installed')


def png(path, width=8):
    """A grey picture; its header says that it is as wide as that."""
    Image.new('L', (8, 6), 7).save(path)
    content = path.read_bytes()
    header = b'IHDR' + width.to_bytes(4, 'big') + content[20:29]
    path.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4, 'big') + content[33:])
    return path


def test_a_picture_is_read(tmp_path):
    with open_picture(png(tmp_path / 'a.png'), ['PNG']) as picture:
        assert (np.asarray(picture) == 7).all()


def test_a_picture_of_an_impossible_size_is_named(tmp_path):
    path = png(tmp_path / 'a.png', width=2**30)
    with (
        pytest.raises(ValueError, match=r'a\.png: should be a whole image\. Found: Image size'),
        open_picture(path),
    ):
        pass


def test_what_fails_while_it_is_read_is_named(tmp_path):
    path = png(tmp_path / 'a.png')
    path.write_bytes(path.read_bytes()[:45])
    with (
        pytest.raises(ValueError, match=r'a\.png: should be a whole image'),
        open_picture(path) as picture,
    ):
        picture.load()


def test_another_format_than_those_asked_for_is_not_decoded(tmp_path):
    Image.new('RGB', (8, 6)).save(tmp_path / 'a.png', 'EPS')
    with open_picture(tmp_path / 'a.png') as picture:
        assert picture.format == 'EPS'
    with (
        pytest.raises(ValueError, match=r'a\.png: should be a whole image\. Found: cannot iden'),
        open_picture(tmp_path / 'a.png', ['PNG']),
    ):
        pass


def test_a_missing_package_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'PIL.Image', None)
    with pytest.raises(ImportError, match='need `PIL`'), open_picture(tmp_path / 'a.png'):
        pass
