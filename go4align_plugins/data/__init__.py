"""The benchmarks: one file each for its facts, reader and check. No framework is imported here."""

from go4align_plugins.data.benchmark import FACES, FRAMES, MOLECULES, Benchmark
from go4align_plugins.data.celeba import CELEBA
from go4align_plugins.data.cityscapes import CITYSCAPES
from go4align_plugins.data.nyuv2 import NYUV2
from go4align_plugins.data.qm9 import QM9
from go4align_plugins.data.rooms import ROOMS, STREETS
from go4align_plugins.tasks import Metric, Task
from go4align_plugins.utils.options import check_choice

__all__ = [
    'BENCHMARKS', 'FACES', 'FRAMES', 'MOLECULES', 'Benchmark', 'Metric', 'Task', 'get_benchmark'
]  # fmt: skip

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in (NYUV2, CITYSCAPES, ROOMS, STREETS, QM9, CELEBA)
}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; a ValueError that lists the names if there is none."""
    return BENCHMARKS[check_choice('benchmark', name, BENCHMARKS)]
