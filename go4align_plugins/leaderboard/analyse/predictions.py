"""What runs predict, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from go4align_plugins.benchmarks.canvas import save
from go4align_plugins.benchmarks.maps import Legend, draw_maps
from go4align_plugins.benchmarks.table import Benchmark


def predictions_grid(
    rows: Sequence[Mapping[str, Any]], path: str | Path, benchmark: Benchmark
) -> None:
    """Draws frames: the image, then for each task its true map and the map of every method.

    Args:
        rows: as for :func:`~go4align_plugins.benchmarks.maps.draw_maps`.
        path: of the picture; the suffix tells the format.
        benchmark: whose tasks and classes these are.

    Raises:
        ValueError: as there, and if the benchmark has no such task.
    """
    for row in rows:
        benchmark.select(row['truth'])
    save(draw_maps(rows, Legend.of(benchmark)), path)
