"""One backbone, a head for each task: the multi-task model of mmseg's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import ModuleDict, ModuleList
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from go4align_plugins.mmseg.models.heads import HEADS
from go4align_plugins.tasks import MAPS

Config = dict[str, Any]
FLIPPED = {'horizontal': -1, 'vertical': -2}
HEAD_TYPES: dict[str, type[nn.Module]] = {task: HEADS.get(task, nn.Module) for task in MAPS}


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
            for ``'depth'``, a ``NormalHead`` for ``'normal'``.
        auxiliary_heads: task -> config of an auxiliary head, or several; only for training.
        tasks: those of ``heads`` to build, for a single-task model by one line; None: all of them.
        num_classes: of the segmentation heads; None: what their configs say.
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
        self.tasks = _select(heads, tasks)
        self.num_classes: int | None = num_classes
        super().__init__(
            backbone=backbone, decode_head=heads, auxiliary_head=auxiliary_heads, **kwargs
        )

    def _init_decode_head(self, decode_head: Mapping[str, Config]) -> None:
        heads = {task: self._build_head(task, decode_head[task]) for task in self.tasks}
        self.decode_head = ModuleDict(heads)
        for task, head in heads.items():
            if MAPS[task].has_classes:
                self.num_classes = head.num_classes
        self.channels = [head.out_channels for head in heads.values()]
        # What the inherited sliding window has to add up.
        self.out_channels = sum(self.channels)
        # All maps are resized in one go.
        corners = {head.align_corners for head in heads.values()}
        if len(corners) > 1:
            raise ValueError(
                'Parameter `heads` should have the same `align_corners` for all tasks. Found both.'
            )
        self.align_corners = corners.pop()

    def _init_auxiliary_head(self, auxiliary_head: Mapping[str, Any] | None) -> None:
        if not auxiliary_head:
            return
        _select(auxiliary_head, None)
        self.auxiliary_head = ModuleDict()
        for task in self.tasks:
            configs = auxiliary_head.get(task) or []
            configs = [configs] if isinstance(configs, Mapping) else configs
            if configs:
                built = [self._build_head(task, config) for config in configs]
                self.auxiliary_head[task] = ModuleList(built)

    def _build_head(self, task: str, config: Config) -> Any:
        if MAPS[task].has_classes and self.num_classes is not None:
            config = {**config, 'num_classes': self.num_classes}
        head = MODELS.build(config)
        if not isinstance(head, HEAD_TYPES[task]):
            raise ValueError(
                f'Parameter `heads` should have a `{HEAD_TYPES[task].__name__}` for {task}. '
                f'Found a `{type(head).__name__}`.'
            )
        return head

    def _decode_head_forward_train(
        self, inputs: list[Tensor], data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for task, head in self.decode_head.items():
            found = head.loss(inputs, data_samples, self.train_cfg)
            losses.update(add_prefix(found, task))
        return losses

    def _auxiliary_head_forward_train(
        self, inputs: list[Tensor], data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for task, heads in self.auxiliary_head.items():
            for index, head in enumerate(heads):
                prefix = f'{task}.aux_{index}' if len(heads) > 1 else f'{task}.aux'
                for name, value in head.loss(inputs, data_samples, self.train_cfg).items():
                    losses[f'{prefix}_{name}'] = value
        return losses

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Images (B, 3, H, W) -> the maps of all tasks, (B, sum of their channels, H, W)."""
        features = self.extract_feat(inputs)
        maps = [
            head.predict(features, batch_img_metas, self.test_cfg)
            for head in self.decode_head.values()
        ]
        return torch.cat(maps, dim=1)

    def _forward(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> dict[str, Tensor]:
        features = self.extract_feat(inputs)
        return {task: head(features) for task, head in self.decode_head.items()}

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Bring the maps to the original images' size, and put them into the data samples.

        Args:
            seg_logits: (B, C, H, W): the maps of all tasks, as :meth:`encode_decode` gives them.
            data_samples: whose metainfo tells of padding, flips and the original size; None: new
                ones, with maps as they are.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in seg_logits]
        for maps, sample in zip(seg_logits, data_samples):
            flip = sample.get('flip_direction') if sample.get('flip') else None
            restored = self._restore(maps, sample.metainfo, flip)
            for task, part in zip(self.decode_head, restored.split(self.channels)):
                fields = self._predictions(task, part, flip)
                sample.set_data({name: PixelData(data=data) for name, data in fields.items()})
        return data_samples

    def _restore(self, maps: Tensor, meta: Mapping[str, Any], flip: str | None) -> Tensor:
        height, width = maps.shape[-2:]
        padding = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
        left, right, top, bottom = padding
        maps = maps[:, top : height - bottom, left : width - right]
        if flip is not None:
            maps = maps.flip(FLIPPED[flip])
        if 'ori_shape' not in meta:
            return maps
        return resize(
            maps[None],
            size=tuple(meta['ori_shape'][:2]),
            mode='bilinear',
            align_corners=self.align_corners,
            warning=False,
        )[0]

    def _predictions(self, task: str, part: Tensor, flip: str | None) -> dict[str, Tensor]:
        kind = MAPS[task]
        if not kind.has_classes:
            part = part if flip is None else kind.turn(part, FLIPPED[flip])
            return {f'pred_{kind.field}': kind.finish(part)}
        if len(part) > 1:
            return {'seg_logits': part, 'pred_sem_seg': part.argmax(dim=0, keepdim=True)}
        probability = part.sigmoid()
        threshold = self.decode_head[task].threshold
        return {'seg_logits': probability, 'pred_sem_seg': (probability > threshold).to(part)}


def _select(heads: Mapping[str, Any], names: Sequence[str] | None) -> tuple[str, ...]:
    """The tasks to build, in an order of their own: a config that MMEngine has saved is sorted."""
    unknown = [task for task in heads if task not in HEAD_TYPES]
    if unknown:
        raise ValueError(
            f'Parameter `heads` should name tasks of {", ".join(HEAD_TYPES)}. Found `{unknown[0]}`.'
        )
    present = [task for task in HEAD_TYPES if heads.get(task) is not None]
    missing = [task for task in names or () if task not in present]
    if missing or (names is not None and not names) or not present:
        raise ValueError(
            f'Parameter `tasks` should name at least one of the heads: {", ".join(present)}. '
            f'Found `tasks = {names}`.'
        )
    return tuple(task for task in present if names is None or task in names)
