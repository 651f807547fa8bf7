"""Look at written pictures."""

import numpy as np
from PIL import Image

ORANGE, BLUE, GREEN = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2), (0x00, 0x9E, 0x73)


def pixels(path):
    return np.asarray(Image.open(path).convert('RGB'))


def colours_in(path):
    return {tuple(colour) for colour in np.unique(pixels(path).reshape(-1, 3), axis=0).tolist()}


def count(path, colour):
    return (pixels(path) == colour).all(axis=-1).sum()
