"""Inference for programs: an image in, its maps out."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model
from mmseg.structures import SegDataSample

from go4align_plugins.data.frame_rules import read_array
from go4align_plugins.data.pictures import open_picture, to_rgb
from go4align_plugins.mmseg.apis.launch import register_package, require_whole
from go4align_plugins.mmseg.visualization import MTLVisualizer, read_maps
from go4align_plugins.utils.options import require

Image = Union[str, Path, np.ndarray]


class MTLInferencer:
    """A trained model as a function of an image.

    An image is the path of a picture of any format and mode, read as by mmcv; or of one in MTAN's
    layout (``.npy``: (H, W, 3) RGB in [0, 1]); or (H, W, 3) uint8 RGB.

    Args:
        config: path of the config, or the config.
        checkpoint: path of the checkpoint; None: the weights are random.
        device: where it runs. None (default): the first GPU, or the CPU where there is none.

    Raises:
        ValueError: if the checkpoint is damaged.

    Example:
        >>> infer = MTLInferencer('config.py', 'epoch_12.pth')
        >>> maps = infer('frame.png')
        >>> maps['segmentation'].shape, maps['depth'].shape, maps['normal'].shape
        ((96, 128), (96, 128), (96, 128, 3))
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | None = None,
    ) -> None:
        register_package()
        weights = None if checkpoint is None else str(checkpoint)
        require_whole({'checkpoint': weights})
        default = 'cuda:0' if torch.cuda.is_available() else 'cpu'
        self.model = init_model(config, weights, device or default)

    def __call__(self, image: Image) -> dict[str, np.ndarray]:
        """Predict an image's maps, each of the image's size.

        Returns:
            Of the model's tasks: ``'segmentation'`` (H, W) int64 classes; ``'depth'`` (H, W)
            float32 in the unit of the training data; ``'normal'`` (H, W, 3) float32 unit vectors.

        Raises:
            ValueError: if the image is of another shape or type, or its file cannot be read.
        """
        return read_maps(self._infer(read_image(image)), 'pred')

    def draw(self, image: Image, path: str | Path) -> None:
        """Draw an image and its predicted maps into a file, whose folder is made if need be."""
        array = read_image(image)
        visualizer = MTLVisualizer()
        visualizer.dataset_meta = self.model.dataset_meta
        visualizer.add_datasample('', array, self._infer(array), out_file=str(path))

    def _infer(self, image: np.ndarray) -> SegDataSample:
        # As mmseg's loaders give them, blue comes first.
        return inference_model(self.model, np.ascontiguousarray(image[..., ::-1]))


def read_image(image: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB from a path or an array; a ValueError if it is none."""
    if isinstance(image, np.ndarray):
        valid = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        found = f'shape {image.shape}, type {image.dtype}'
        require(valid, 'image', 'be of shape (H, W, 3) and type uint8', found)
        return image
    path = Path(image)
    if path.suffix != '.npy':
        with open_picture(path) as picture:
            return np.asarray(to_rgb(picture))
    return np.rint(read_array(path).astype(np.float64).clip(0, 1) * 255).astype(np.uint8)
