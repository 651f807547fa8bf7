"""Frames as a picture: a row a frame, each task's truth beside its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from go4align_plugins.data import Benchmark
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 12.0  # inches, as all lengths here
SPACE, TASK_SPACE, SCALE_SPACE = 0.04, 0.14, 0.36  # after a cell, a task, and depth's scale
HEADER, CLASSES_IN_ROW, CLASS_LINE = 0.5, 8, 0.2
DEPTH_COLOURS = 'viridis'


@dataclass(frozen=True)
class Legend:
    """The meaning of the numbers in maps: names and colours (C, 3) of classes, unit of depths."""

    class_names: Sequence[str]
    palette: Sequence[Sequence[int]] | np.ndarray
    depth_unit: str

    @classmethod
    def of(cls, benchmark: Benchmark) -> Legend:
        """A benchmark's."""
        unit = benchmark.depth_unit.name if benchmark.depth_unit else ''
        return cls(benchmark.class_names, benchmark.palette, unit)


def draw_maps(rows: Sequence[Mapping[str, Any]], legend: Legend) -> Figure:
    """Draw frames: the image, then for each task its true map and the map of every method.

    Pixels without truth are blank in the true maps. Depth has one scale a row, its truth's,
    or, where there is none, of all that is predicted. Normals are shown as the colour (n + 1) / 2.

    Args:
        rows: a mapping for each frame: ``'image'``, (H, W, 3) in [0, 1] or uint8; ``'truth'``,
            task -> array, which may be empty; ``'predictions'``, method -> task -> array. Arrays
            are (H, W) class numbers (-1: no label), (H, W) or (H, W, 1) depths (0: no measurement),
            (H, W, 3) normals of any length (0: no normal). A method may leave tasks out.
        legend: the names of the classes and the unit of depth.

    Raises:
        ValueError: if there is no frame, frames differ in their maps, an array has not
            its image's shape, or a class has no name.
    """
    require(len(rows) > 0, 'rows', 'hold at least one frame', rows)
    columns = _columns(rows[0])
    for index, row in enumerate(rows):
        rule = f'hold the tasks and methods of `rows[0]`, {columns}'
        require(_columns(row) == columns, f'rows[{index}]', rule, _columns(row))
    maps = [{(task, name): _map(row, task, name, legend) for task, name in columns} for row in rows]
    labels = [
        np.unique(array)
        for frame in maps
        for (task, _), array in frame.items()
        if task and MAPS[task].has_classes
    ]
    classes = sorted({int(number) for numbers in labels for number in numbers} - {-1})

    lefts, cell = _layout(columns)
    height, width = np.shape(rows[0]['image'])[:2]
    cell_height = cell * height / width
    legend_height = CLASS_LINE * (len(classes) // CLASSES_IN_ROW + 2)
    total = HEADER + len(rows) * (cell_height + SPACE) + legend_height
    figure = new_figure(WIDTH, total)
    figure.set_layout_engine('none')
    for (task, name), left, (before, _) in zip(columns, lefts, [('', ''), *columns]):
        centre = (left + cell / 2) / WIDTH
        figure.text(centre, 1 - (HEADER - 0.06) / total, name, ha='center', va='bottom', size=9)
        if task != before:
            title = f'{task} ({legend.depth_unit})' if _has_scale(task) else task
            figure.text(left / WIDTH, 1 - 0.2 / total, title, weight='bold', va='bottom', size=10)
    for index, frame in enumerate(maps):
        bottom = total - HEADER - (index + 1) * (cell_height + SPACE) + SPACE
        scale = _depth_scale(frame)
        for (task, name), left in zip(columns, lefts):
            box = (left / WIDTH, bottom / total, cell / WIDTH, cell_height / total)
            axes = figure.add_axes(box, xticks=[], yticks=[])
            axes.spines[:].set_linewidth(0.5)
            axes.spines[:].set_color('0.75')
            colours = _colours(task, frame[task, name], scale, name == 'truth', legend)
            axes.imshow(colours, aspect='auto', interpolation='nearest')
        ends = [left for (task, _), left in zip(columns, lefts) if _has_scale(task)]
        if ends:
            box = ((ends[-1] + cell + 0.05) / WIDTH, bottom / total, 0.06 / WIDTH, box[3])
            axes = figure.add_axes(box, xticks=[], yticks=[])
            axes.imshow(np.linspace(1, 0, 64)[:, None], aspect='auto', cmap=DEPTH_COLOURS)
            axes.spines[:].set_visible(False)
            for height, alignment, value in zip((0, 1), ('bottom', 'top'), scale):
                text, place = f'{value:.{1 if scale[1] >= 1 else 2}f}', axes.transAxes
                axes.text(1.5, height, text, transform=place, va=alignment, size=8)
    palette = np.asarray(legend.palette) / 255
    patch = import_optional('matplotlib.patches', user='Pictures').Patch
    patches = [patch(color=palette[c], label=legend.class_names[c]) for c in classes]
    if any(name == 'truth' for _, name in columns):
        patches.append(patch(facecolor='white', edgecolor='0.75', label='no truth'))
    style: Any = {'frameon': False, 'fontsize': 9, 'handlelength': 1, 'borderpad': 0.2}
    style |= {'bbox_to_anchor': (TASK_SPACE / WIDTH, 0), 'borderaxespad': 0}
    figure.legend(handles=patches, loc='lower left', ncols=CLASSES_IN_ROW, **style)
    return figure


def _columns(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Task and source of each picture in a row; the image belongs to no task."""
    sources = {'truth': row['truth'], **row['predictions']}
    held = [(task, name) for task in MAPS for name, maps in sources.items() if task in maps]
    return [('', 'image'), *held]


def _map(row: Mapping[str, Any], task: str, name: str, legend: Legend) -> np.ndarray:
    """One checked array: (H, W) classes or depths, (H, W, 3) normals or image."""
    if not task:
        array = np.asarray(row['image'])
        return array / 255 if array.dtype == np.uint8 else array
    array = np.asarray(row['truth'][task] if name == 'truth' else row['predictions'][name][task])
    if _has_scale(task) and array.ndim == 3:
        array = array[..., 0]
    kind, low, high = MAPS[task], array.min(), array.max()
    expected = (*np.shape(row['image'])[:2], *kind.shapes[-1])
    last = len(legend.class_names) - 1
    if array.shape != expected:
        rule, found = f'{task} of shape {expected}', f'{array.shape}'
    elif kind.has_classes and not (low >= -1 and high < last + 1):
        rule, found = f'classes from -1 to {last}', f'{low} to {high}'
    else:
        return array
    raise ValueError(f'Parameter `rows` should hold {rule}. Found {found} in {name}.')


def _has_scale(task: str) -> bool:
    return task in MAPS and MAPS[task].colours == 'scale'


def _colours(
    task: str, array: np.ndarray, scale: tuple[float, float], is_truth: bool, legend: Legend
) -> np.ndarray:
    """(H, W, 3) in [0, 1]; white where there is nothing."""
    from matplotlib import colormaps

    kind = MAPS[task].colours if task else ''
    if kind == 'palette':
        palette = np.vstack([legend.palette, [[255, 255, 255]]]) / 255
        return palette[array.astype(int)]  # class -1 is the last row
    if kind == 'scale':
        low, high = scale
        colours = colormaps[DEPTH_COLOURS]((array - low) / (high - low))[..., :3]
        absent = ~np.isfinite(array) | (is_truth & (array == 0))
    elif kind == 'direction':
        length = np.linalg.norm(array, axis=-1, keepdims=True)
        absent = ~(length[..., 0] > 0)
        colours = (array / np.where(absent[..., None], 1, length) + 1) / 2
    else:
        return np.clip(array, 0, 1)
    return np.where(absent[..., None], 1.0, colours)


def _depth_scale(frame: Mapping[tuple[str, str], np.ndarray]) -> tuple[float, float]:
    """The range of the measured pixels, else of the predicted ones."""
    depths = {name: array for (task, name), array in frame.items() if _has_scale(task)}
    shown = [depths['truth']] if 'truth' in depths else list(depths.values())
    measured = np.concatenate([array[array > 0] for array in shown] or [np.array([])])
    if not measured.size:
        return 0.0, 1.0
    low, high = float(measured.min()), float(measured.max())
    return low, max(high, low * 1.001)


def _layout(columns: Sequence[tuple[str, str]]) -> tuple[list[float], float]:
    """The left edge of each column, and the width of a cell."""
    spaces = []
    for (task, _), (following, _) in zip(columns, [*columns[1:], ('end', '')]):
        between = SPACE if following == task else TASK_SPACE
        spaces.append(between + (SCALE_SPACE if _has_scale(task) and following != task else 0))
    cell = (WIDTH - TASK_SPACE - sum(spaces)) / len(columns)
    lefts = TASK_SPACE + np.cumsum([0.0, *spaces[:-1]]) + cell * np.arange(len(columns))
    return lefts.tolist(), cell
