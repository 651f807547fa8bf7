"""What a benchmark is, and the data that stands for it: no training framework is imported here."""

from go4align_plugins.data.table import BENCHMARKS, Benchmark, get_benchmark
from go4align_plugins.tasks import Metric, Task

__all__ = ['BENCHMARKS', 'Benchmark', 'Metric', 'Task', 'get_benchmark']
