"""Describe the machine that something was trained or timed on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch


def describe_machine() -> dict[str, Any]:
    """Return system, architecture and GPUs."""
    gpus = [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]
    return {'system': platform.system(), 'processor': platform.machine(), 'gpus': gpus}


def describe_hardware() -> dict[str, Any]:
    """Return the machine, its processor, and the share of it that torch uses."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    model = names[0] if names else platform.processor()
    threads = torch.get_num_threads()
    return {**describe_machine(), 'model': model, 'cores': os.cpu_count(), 'threads': threads}
