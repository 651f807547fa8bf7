"""Predictions of a finished run, for pictures."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from go4align_plugins.data import FRAMES, get_benchmark
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.train import build
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.run_folder import CHECKPOINT


def predict(
    folder: str | Path, config: dict[str, Any], frames: Sequence[int]
) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    """Predict test frames by the last checkpoint of a run.

    Args:
        folder: the run folder.
        config: its ``config.json``.
        frames: numbers of test frames.

    Returns:
        What is on disk and what is predicted, a dict a frame: ``'image'`` (H, W, 3) and the run's
        tasks, as class numbers (H, W), depths (H, W) and vectors (H, W, 3).

    Raises:
        ValueError: if the run's benchmark has no frames, there is no such frame, or the checkpoint
            cannot be read.
    """
    if get_benchmark(config['benchmark']).inputs != FRAMES:
        raise ValueError(f'{folder}: should be a run on frames. Found {config["benchmark"]}.')
    options = ('weight_args', 'arch_args', 'optim_param', 'scheduler_param')
    with contextlib.redirect_stdout(io.StringIO()):
        trainer, loaders = build(
            {**config, 'pretrained': False, 'device': 'cpu'},
            {name: config[name] for name in options},
        )
    trainer.model.load_state_dict(checkpoint.load(Path(folder) / CHECKPOINT)['model'])
    trainer.model.eval()
    data: Any = loaders.test.dataset
    unknown = [frame for frame in frames if not 0 <= frame < len(data)]
    if unknown:
        raise ValueError(
            f'Parameter `frames` should be between 0 and {len(data) - 1}. Found `{unknown[0]}`.'
        )
    with torch.no_grad():
        outputs = [trainer.process_preds(trainer.model(data[frame][0][None])) for frame in frames]
    truths = [data.folder.read(frame) for frame in frames]
    return truths, [
        {task: MAPS[task].to_array(MAPS[task].finish(out[task][0])) for task in out}
        for out in outputs
    ]
