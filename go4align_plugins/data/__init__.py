"""The benchmarks: facts, readers and checks. No training framework is imported here."""

from go4align_plugins.data.table import BENCHMARKS, Benchmark, get_benchmark
from go4align_plugins.tasks import Metric, Task

__all__ = ['BENCHMARKS', 'Benchmark', 'Metric', 'Task', 'get_benchmark']
