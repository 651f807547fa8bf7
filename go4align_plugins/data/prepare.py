"""Writes a dataset in MTAN's layout, frame by frame, so that an interrupted run can go on."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.mtan_layout import DESCRIPTION, list_parts, read_description
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import check_whole, require

Frame = tuple[str, int, dict[str, Path]]
MakeFrame = Callable[[str, int], Mapping[str, np.ndarray]]


def write_dataset(
    root: str | Path,
    benchmark: Benchmark,
    options: Mapping[str, object],
    num_frames: Mapping[str, int],
    make_frame: MakeFrame,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Writes every frame that is not there yet, or not whole, and returns how many they were.

    The frame's options are kept in ``dataset.json``; a later run with others is refused.
    ``make_frame`` takes a split and an index to the frame's arrays, by the names of
    :func:`list_parts`; it runs in other processes, one a core by default, unless there is one.
    """
    workers = (os.cpu_count() or 1) if workers is None else workers
    check_whole('workers', workers, 1, np.inf)
    enough = min(num_frames.values()) >= 1
    require(enough, 'num_frames', 'be at least 1 for every split', dict(num_frames))
    root = Path(root).expanduser()
    _claim(root, {'benchmark': benchmark.name, **options, 'num_frames': dict(num_frames)})
    frames: Any = []
    for split, count in num_frames.items():
        folders = {name: part.folder for name, part in list_parts(root / split, benchmark).items()}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            paths = {name: folder / f'{index}.npy' for name, folder in folders.items()}
            if not all(map(_is_whole, paths.values())):
                frames.append((split, index, paths))
    # Each worker writes the frames that it is given; only an error comes back.
    loader: DataLoader = DataLoader(
        frames,
        batch_size=None,
        num_workers=min(workers, len(frames)) if workers > 1 else 0,
        collate_fn=partial(_write_frame, make_frame),
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # torch's own is left alone
    )
    total = sum(num_frames.values())
    done, tqdm = total - len(frames), import_optional('tqdm').tqdm
    with tqdm(total=total, initial=done, unit=' frames', disable=not progress) as bar:
        for error in loader:
            if error:
                raise error
            bar.update()
    return len(frames)


def _claim(root: Path, description: Mapping[str, object]) -> None:
    """Leaves the description in a new dataset; refuses one that was made otherwise."""
    content = json.dumps(description, indent=2)
    description, found = json.loads(content), read_description(root)
    if found is None:
        if next(root.glob('*/image/*.npy'), None):
            raise ValueError(
                f'{root} holds frames that were not made by this tool (no {DESCRIPTION}). '
                'Choose another folder.'
            )
        root.mkdir(parents=True, exist_ok=True)
        save_bytes(root / DESCRIPTION, content.encode())
    elif found != description:
        pairs = {key: (found.get(key), description.get(key)) for key in {**found, **description}}
        other = ', '.join(f'{key} = {a} and not {b}' for key, (a, b) in pairs.items() if a != b)
        raise ValueError(
            f'{root} was made with {other}. Choose another folder, delete this one, '
            'or repeat the options that made it.'
        )


def _is_whole(path: Path) -> bool:
    """Whether there is an array under that name, of as many bytes as its header says."""
    try:
        np.load(path, mmap_mode='r', allow_pickle=False)
    except Exception:  # numpy raises a different one for every kind of damage
        return False
    return True


def _write_frame(make_frame: MakeFrame, frame: Frame) -> Exception | None:
    """Write a frame, or return the error: torch would pass on its text alone."""
    split, index, paths = frame
    try:
        arrays = make_frame(split, index)
        for name, path in paths.items():
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(arrays[name], dtype=np.float32), allow_pickle=False)
            save_bytes(path, buffer.getvalue())
    except Exception as error:
        return error
    return None


def _ignore_interrupts(_: int) -> None:
    # Ctrl-C reaches all processes of a terminal: this one stops because the first one says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
