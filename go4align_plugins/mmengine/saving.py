"""Checkpoints of which one is always whole, also after a killed run or on a full disk."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from go4align_plugins.utils.files import find_damage, save_bytes

ASIDE = 'aside'
LAST = 'last_checkpoint'
NUMBERED = r'(epoch|iter)_\d+'


@register_backend(ASIDE)
class AsideBackend(LocalBackend):
    """Local files, written aside and renamed: ``backend_args=dict(backend='aside')``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, wholly or not at all: then the OSError names it."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_bytes(path, obj, durable=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``; at any moment there is a whole checkpoint to resume from.

    MMEngine's removes the old checkpoint before it writes the new one, under its final name. Where
    ``out_dir`` is not local, or ``backend_args`` are given, that storage decides how to write.
    """

    backend_args: dict[str, Any] | None
    keep_ckpt_ids: deque[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        local = '://' not in str(self.out_dir or '')
        if local and self.backend_args is None and self.file_client_args is None:
            self.backend_args = {'backend': ASIDE}

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [number for number in self.keep_ckpt_ids if number != step]
            outdated = kept[: max(0, len(kept) + 1 - self.max_keep_ckpts)]
            remaining = [*kept[len(outdated) :], step]
            # MMEngine removes no old checkpoint for a step that is in this list already.
            self.keep_ckpt_ids = deque(remaining, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', remaining)
        super()._save_checkpoint_with_step(runner, step, meta)
        for number in outdated if is_main_process() else ():
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(number))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # deepspeed's
                self.file_backend.rmtree(path)


def find_checkpoint(work_dir: str | Path) -> Path | None:
    """Find the checkpoint that a run folder goes on from, if any; a ValueError tells of damage."""
    work_dir = Path(work_dir)
    # MMEngine's pointer names it, perhaps from before the folder was moved; else the latest counts.
    pointer = work_dir / LAST
    named = Path(pointer.read_text(errors='replace').strip()) if pointer.is_file() else Path()
    candidates = [work_dir / named.name, named] if named.suffix == '.pth' else []
    saved = [path for path in work_dir.glob('*.pth') if re.fullmatch(NUMBERED, path.stem)]
    candidates += sorted(saved, key=lambda path: int(path.stem.split('_')[1]), reverse=True)
    # Unlike its method of the same name, it takes a name that cannot be one.
    path = next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113
    damage = None if path is None else find_damage(path)
    if damage:
        raise ValueError(
            f'{path}: should be a checkpoint of MMEngine. Found: {damage}. Delete it: the same '
            'command then goes on from the one before, or from the start without one.'
        )
    return path
