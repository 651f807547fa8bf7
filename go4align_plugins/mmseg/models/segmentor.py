"""One backbone, a head for each task: the multi-task model of mmseg's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import ModuleDict, ModuleList
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor

from go4align_plugins.mmseg.datasets.transforms import AXES
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.options import require

Config = dict[str, Any]


@MODELS.register_module()
class MultiTaskSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with a decode head for each task.

    Its losses are ``<task>.loss_*`` and, of auxiliary heads, ``<task>.aux_loss_*``, so that a
    weighting finds the tasks by the part before the first dot. The maps of all tasks go side by
    side, as channels, through mmseg's whole and sliding inference, which averages them over the
    windows. Predictions have the size of the original image:

    - ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W),
    - ``pred_depth_map`` (1, H, W) in the data's unit,
    - ``pred_normal_map`` (3, H, W) of length 1.

    Args:
        backbone: its config.
        heads: task -> config of its head: any decode head for ``'segmentation'``, a ``DepthHead``
            for ``'depth'``, a ``NormalHead`` for ``'normal'``, a ``MapHead`` for any other.
        auxiliary_heads: task -> config of an auxiliary head, or several; only for training.
        tasks: those of ``heads`` to build, for a single-task model by one line; None: all of them.
        num_classes: of the segmentation heads; None: as their configs say.
        **kwargs: those of ``EncoderDecoder``: ``neck``, ``data_preprocessor``, ``train_cfg``,
            ``test_cfg``, ``pretrained``, ``init_cfg``.

    Raises:
        ValueError: if a task is unknown or has a head of another kind.
    """

    def __init__(
        self,
        backbone: Config,
        heads: Mapping[str, Config],
        auxiliary_heads: Mapping[str, Config | Sequence[Config]] | None = None,
        tasks: Sequence[str] | None = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        for name in (*heads, *(auxiliary_heads or ())):
            require(name in MAPS, 'heads', f'name tasks of {", ".join(MAPS)}', name)
        # In an order of their own: a config that MMEngine has saved is sorted.
        present = [task for task in MAPS if heads.get(task) is not None]
        self.tasks = tuple(task for task in present if tasks is None or task in tasks)
        rule = f'name at least one of the heads: {", ".join(present)}'
        require(bool(self.tasks) and set(tasks or ()) <= set(present), 'tasks', rule, tasks)
        self.num_classes: int | None = num_classes
        super().__init__(backbone, heads, auxiliary_head=auxiliary_heads, **kwargs)

    def _init_decode_head(self, decode_head: Mapping[str, Config]) -> None:
        heads = {task: self._build_head(task, decode_head[task]) for task in self.tasks}
        self.decode_head = ModuleDict(heads)
        for task, head in heads.items():
            if MAPS[task].has_classes:
                self.num_classes = head.num_classes
        self.channels = [head.out_channels for head in heads.values()]
        # The inherited sliding window adds up maps of this size.
        self.out_channels = sum(self.channels)
        # All maps are resized in one go.
        corners = [head.align_corners for head in heads.values()]
        require(len(set(corners)) == 1, 'heads', 'have the same `align_corners`', corners)
        self.align_corners: bool = corners[0]

    def _init_auxiliary_head(self, auxiliary_head: Mapping[str, Any] | None) -> None:
        self.auxiliary_head = ModuleDict()
        for task in self.tasks:
            configs = (auxiliary_head or {}).get(task) or []
            configs = [configs] if isinstance(configs, Mapping) else configs
            heads = [self._build_head(task, config) for config in configs]
            self.auxiliary_head[task] = ModuleList(heads)

    def _build_head(self, task: str, config: Config) -> Any:
        has_classes = MAPS[task].has_classes
        if has_classes and self.num_classes is not None:
            config = {**config, 'num_classes': self.num_classes}
        head = MODELS.build(config)
        valid = has_classes or getattr(head, 'task', None) == task
        require(valid, 'heads', f'have a `MapHead` of its task for {task}', type(head).__name__)
        return head

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The losses of all heads, each by the name of its task."""
        features = self.extract_feat(inputs)
        heads = {f'{task}.': head for task, head in self.decode_head.items()}
        for task, several in self.auxiliary_head.items():
            for index, head in enumerate(several):
                number = f'_{index}' if len(several) > 1 else ''
                heads[f'{task}.aux{number}_'] = head
        return {
            prefix + name: value
            for prefix, head in heads.items()
            for name, value in head.loss(features, data_samples, self.train_cfg).items()
        }

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Images (B, 3, H, W) -> the maps of all tasks, (B, sum of their channels, H, W)."""
        features = self.extract_feat(inputs)
        heads = self.decode_head.values()
        maps = [head.predict(features, batch_img_metas, self.test_cfg) for head in heads]
        return torch.cat(maps, dim=1)

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> dict[str, Tensor]:
        features = self.extract_feat(inputs)
        return {task: head(features) for task, head in self.decode_head.items()}

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: OptSampleList = None
    ) -> SampleList:
        """Put the maps, (B, C, H, W) of all tasks, into data samples, at the original size."""
        if data_samples is None:
            data_samples = [SegDataSample() for _ in seg_logits]
        for maps, sample in zip(seg_logits, data_samples):
            meta = sample.metainfo
            axes = AXES[meta['flip_direction']] if meta.get('flip') else ()
            padding = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
            left, right, top, bottom = padding
            maps = maps[:, top : maps.shape[-2] - bottom, left : maps.shape[-1] - right].flip(axes)
            if 'ori_shape' in meta:
                size = tuple(meta['ori_shape'][:2])
                maps = F.interpolate(maps[None], size, None, 'bilinear', self.align_corners)[0]
            for task, part in zip(self.decode_head, maps.split(self.channels)):
                kind = MAPS[task]
                for axis in axes:
                    part = kind.turn(part, axis)
                if kind.has_classes and len(part) == 1:  # two classes
                    part = part.sigmoid()
                    final = (part > self.decode_head[task].threshold).to(part)
                else:
                    final = kind.finish(part)
                fields = {'seg_logits': part} if kind.has_classes else {}
                fields[f'pred_{kind.field}'] = final
                sample.set_data({name: PixelData(data=data) for name, data in fields.items()})
        return data_samples
