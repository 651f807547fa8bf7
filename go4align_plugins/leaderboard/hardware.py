"""What something was timed on, and how its figures are printed."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


def describe_machine() -> dict[str, Any]:
    """The machine, as far as it matters for times."""
    gpus = [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]
    return {'system': platform.system(), 'processor': platform.machine(), 'gpus': gpus}


def describe_hardware() -> dict[str, Any]:
    """The machine, its processor, and how much of it torch uses."""
    return {
        **describe_machine(),
        'model': _processor_name(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
    }


def use_threads(count: int | None) -> None:
    """Let torch use so many threads on the CPU; None: one a core."""
    torch.set_num_threads(count or os.cpu_count() or 1)


def _processor_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """A table as text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join(
        '  '.join((line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])))
        for line in lines
    )
