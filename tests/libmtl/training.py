"""What the tests of the training tool share: its command line, and the entries of a run."""

from __future__ import annotations

import json
from pathlib import Path


def arguments(data: Path, out: Path, *options: str, weighting: str = 'GO4Align') -> list[str]:
    return [
        '--dataset', 'rooms', '--data', str(data), '--out', str(out), '--weighting', weighting,
        '--epochs', '3', '--batch-size', '4', *options,
    ]  # fmt: skip


def entries(folder: Path) -> list[dict]:
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for entry in found:
        del entry['seconds']
    return found
