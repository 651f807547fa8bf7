"""All readers: a line in one of these modules, and one is fuzzed by pytest and by ``run.py``."""

from __future__ import annotations

from . import checkpoints, frames, loaders, molecules, plans, results, weighting
from .target import Target

MODULES = (weighting, plans, frames, loaders, molecules, results, checkpoints)
TARGETS: dict[str, Target] = {
    name: target for module in MODULES for name, target in module.TARGETS.items()
}
