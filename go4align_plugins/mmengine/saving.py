"""Checkpoints that a killed run, or a full disk, never leaves half-written or without any.

MMEngine removes the checkpoint before the new one is written, and writes under the file's own name.
"""

from __future__ import annotations

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


@register_backend(ASIDE)
class AsideBackend(LocalBackend):
    """Local files, written aside and renamed: ``backend_args=dict(backend='aside')``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, wholly or not at all.

        Raises:
            OSError: if it cannot be written; the message names the file.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_bytes(path, obj, durable=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's hook with its options; at any moment there is a whole checkpoint to go on from.

    Where ``out_dir`` is another storage than a local folder, or ``backend_args`` are given, that
    storage decides how a file is written.

    Args:
        *args: as for ``CheckpointHook``.
        **kwargs: as for ``CheckpointHook``.
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
            # MMEngine's method takes a step that it finds here for one that it has made room for.
            self.keep_ckpt_ids = deque(remaining, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', remaining)
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            for number in outdated:
                self._remove(self.filename_tmpl.format(number))

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # deepspeed's
            self.file_backend.rmtree(path)


def find_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint that a run in a folder goes on from; None if it has none.

    It is the one that MMEngine's ``last_checkpoint`` names, the folder's own where there is one of
    that name, since the file has the path that the folder had once; where that file or the one that
    it names is gone, the latest ``epoch_N.pth`` or ``iter_N.pth``.

    Raises:
        ValueError: if it is damaged; the message names it and says what to do.
    """
    work_dir = Path(work_dir)
    pointer = work_dir / LAST
    named = Path(pointer.read_text(errors='replace').strip()) if pointer.is_file() else Path()
    candidates = [work_dir / named.name, named] if named.suffix == '.pth' else []
    numbered = {path: re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
                for path in work_dir.glob('*.pth')}  # fmt: skip
    saved = {path: int(found[1]) for path, found in numbered.items() if found}
    candidates += sorted(saved, key=lambda path: -saved[path])
    path = next((path for path in candidates if _is_file(path)), None)
    damage = None if path is None else find_damage(path)
    if damage:
        raise ValueError(
            f'{path}: should be a checkpoint of MMEngine. Found: {damage}. Delete it: the same '
            'command then goes on from the one before, or begins anew without one.'
        )
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that cannot be one
        return False
