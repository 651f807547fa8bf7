"""Writes a dataset in MTAN's layout, frame by frame, so that an interrupted run can go on."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection, parent_process
from pathlib import Path

import numpy as np

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.frame_rules import is_whole
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

    Args:
        root: the dataset's folder, made if need be.
        benchmark: whose tasks the frames have.
        options: of the frames, for ``dataset.json``. A later run with other options is refused, so
            that a dataset is never a mixture.
        num_frames: of each split.
        make_frame: ``(split, index)`` to a frame's arrays, ``'image'`` and the tasks' names. A
            module's function or a ``functools.partial`` of one: it runs in other processes.
        workers: number of processes. None (default): one a core; 1: this one alone.
        progress: whether to draw a progress bar.
    """
    workers = check_whole('workers', workers, 1, np.inf) if workers is not None else os.cpu_count()
    enough = min(num_frames.values()) >= 1
    require(enough, 'num_frames', 'be at least 1 for every split', dict(num_frames))
    root = Path(root).expanduser()
    _claim(root, {'benchmark': benchmark.name, **options, 'num_frames': dict(num_frames)})
    frames, done = [], 0
    for split, count in num_frames.items():
        folders = {name: part.folder for name, part in list_parts(root / split, benchmark).items()}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            paths = {name: folder / f'{index}.npy' for name, folder in folders.items()}
            if all(map(is_whole, paths.values())):
                done += 1
            else:
                frames.append((split, index, paths))
    tqdm = import_optional('tqdm').tqdm
    total = sum(num_frames.values())
    with tqdm(total=total, initial=done, unit=' frames', disable=not progress) as bar:
        for _ in _run(partial(_write_frame, make_frame), frames, workers or 1):
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
        other = ', '.join(
            f'{key} = {found.get(key)} and not {description.get(key)}'
            for key in {**found, **description}
            if found.get(key) != description.get(key)
        )
        raise ValueError(
            f'{root} was made with {other}. Choose another folder, delete this one, '
            'or repeat the options that made it.'
        )


def _write_frame(make_frame: MakeFrame, frame: Frame) -> None:
    split, index, paths = frame
    arrays = make_frame(split, index)
    for name, path in paths.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(arrays[name], dtype=np.float32), allow_pickle=False)
        save_bytes(path, buffer.getvalue())


def _run(write: Callable[[Frame], None], frames: Sequence[Frame], workers: int) -> Iterator[None]:
    """Calls ``write`` for every frame, and yields after each; the first error ends it all."""
    if workers == 1:
        yield from map(write, frames)
        return
    pool = ProcessPoolExecutor(min(workers, len(frames) or 1), initializer=_start_worker)
    try:
        for future in as_completed([pool.submit(write, frame) for frame in frames]):
            yield future.result()
    except BrokenProcessPool as error:
        raise OSError(
            'A worker process was killed, perhaps for want of memory. Use fewer workers; '
            'the same command then goes on. What is finished is kept.'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches all processes of a terminal: this one stops because the first one says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # A pool's worker would wait for ever for a parent that was killed.
    connection.wait([parent_process().sentinel])  # type: ignore[union-attr]
    os._exit(1)
