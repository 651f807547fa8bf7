"""Faces in CelebA's own layout, with attributes that can be learned."""

from pathlib import Path

import numpy as np
from PIL import Image

from go4align_plugins.data.celeba import NAMES

LAYOUTS = {
    'flat': ('', '', ''),
    'official': ('Img', 'Anno', 'Eval'),
    'torchvision': ('celeba', 'celeba', 'celeba'),
    'kaggle': ('img_align_celeba', '', ''),
}


def write_faces(folder: Path, counts: tuple[int, int, int] = (40, 10, 10), layout='flat') -> Path:
    """Images of 178 x 218 whose red, green and blue decide about the attributes."""
    images, attributes, partition = (folder / part for part in LAYOUTS[layout])
    images = images / 'img_align_celeba'
    for path in (images, attributes, partition):
        path.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    lines, splits = [], []
    for split, count in enumerate(counts):
        for _ in range(count):
            name = f'{len(lines) + 1:06d}.jpg'
            colour = generator.integers(2, size=3)
            pixels = 60 + 120 * colour + generator.integers(-30, 30, size=(218, 178, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(images / name)
            signs = ('1' if colour[i % 3] else '-1' for i in range(len(NAMES)))
            lines.append(f'{name} {" ".join(f"{sign:>2}" for sign in signs)}')
            splits.append(f'{name} {split}')
    end, heading = 'txt', []
    if layout == 'kaggle':
        end, heading = 'csv', ['image_id,partition']
        lines = [','.join(line.split()) for line in (f'image_id {" ".join(NAMES)}', *lines)]
        splits = [line.replace(' ', ',') for line in splits]
    else:
        lines = [str(len(lines)), ' '.join(NAMES) + ' ', *lines]
    (attributes / f'list_attr_celeba.{end}').write_text('\n'.join(lines) + '\n')
    (partition / f'list_eval_partition.{end}').write_text('\n'.join([*heading, *splits]) + '\n')
    return folder
