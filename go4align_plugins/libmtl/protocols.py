"""The published training protocols, and one for a computer without a GPU, as named presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from go4align_plugins.data import FACES, FRAMES, MOLECULES, get_benchmark
from go4align_plugins.utils.options import require

NAMES = SMALL, LIBMTL, PAPER = 'small', 'libmtl', 'paper'

PLATEAU: dict[str, Any] = {'scheduler': 'plateau', 'factor': 0.7, 'patience': 5, 'min_lr': 1e-5}
"""The published schedule on QM9, for torch's ``ReduceLROnPlateau``, as in NashMTL and FAMO.

It follows delta_m on the validation split, or its mean loss where no single tasks are published.
"""


@dataclass(frozen=True)
class Protocol:
    """How to train, apart from data, weighting and seed; the first seven are the tool's options."""

    arch: str
    backbone: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float = 0.0
    augment: bool = False
    scheduler: str | None = None
    step_size: int = 100  # epochs after which the scheduler 'step' halves the learning rate


PROTOCOLS: dict[str, dict[str, Protocol]] = {
    FRAMES: {
        # Minutes on two cores: for the embedded data, demonstrations and trends.
        SMALL: Protocol('HPS', 'segnet-small', 10, 4, 2e-3),
        # LibMTL's own NYUv2 and CityScapes examples: dilated ResNet-50 and ASPP heads.
        LIBMTL: Protocol('HPS', 'resnet50', 200, 8, 1e-4, 1e-5, scheduler='step'),
        # NashMTL's, FAMO's and GO4Align's: SegNet with MTAN's attention, from scratch.
        PAPER: Protocol('MTAN', 'segnet', 200, 2, 1e-4, augment=True, scheduler='step'),
    },
    MOLECULES: {
        SMALL: Protocol('HPS', 'mpnn-small', 10, 120, 2e-3),
        # LibMTL's QM9 example, with its options' defaults.
        LIBMTL: Protocol('HPS', 'mpnn', 300, 128, 1e-4, 1e-5, scheduler='plateau'),
        # NashMTL's and FAMO's; GO4Align's chooses the rate among 1e-3, 5e-4 and 1e-4.
        PAPER: Protocol('HPS', 'mpnn', 300, 120, 1e-3, scheduler='plateau'),
    },
    FACES: {
        SMALL: Protocol('HPS', 'cnn-small', 5, 64, 1e-3),
        # FAMO's and GO4Align's; LibMTL has no example.
        PAPER: Protocol('HPS', 'cnn', 15, 256, 3e-4),
    },
}


def get_protocol(name: str, benchmark: str) -> Protocol:
    """Look up a protocol for a benchmark; a ValueError names those that there are."""
    protocols = PROTOCOLS[get_benchmark(benchmark).inputs]
    rule = f'be one of {", ".join(protocols)} for {benchmark}'
    require(name in protocols, 'protocol', rule, name)
    size = get_benchmark(benchmark).batch_sizes.get(name, protocols[name].batch_size)
    return replace(protocols[name], batch_size=size)
