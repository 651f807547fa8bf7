"""The published training protocols, and one for a computer without a GPU, as named presets."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALL, LIBMTL, PAPER = 'small', 'libmtl', 'paper'


@dataclass(frozen=True)
class Protocol:
    """How to train, apart from data, weighting and seed.

    Attributes:
        arch: architecture, one of LibMTL's.
        backbone: see :mod:`go4align_plugins.libmtl.models`.
        epochs: number of epochs.
        batch_size: frames a step.
        learning_rate: of Adam.
        weight_decay: of Adam.
        halve_every: epochs after which the learning rate is halved; None: never.
        augmented: whether frames are zoomed and flipped at random.
    """

    arch: str
    backbone: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    halve_every: int | None
    augmented: bool


PROTOCOLS: dict[str, Protocol] = {
    # Minutes on two cores: for the embedded data, demonstrations and trends.
    SMALL: Protocol('HPS', 'segnet-small', 10, 4, 2e-3, 0.0, None, False),
    # LibMTL's own NYUv2 and CityScapes examples: dilated ResNet-50 and ASPP heads.
    LIBMTL: Protocol('HPS', 'resnet50', 200, 8, 1e-4, 1e-5, 100, False),
    # NashMTL's, FAMO's and GO4Align's: SegNet with MTAN's attention, from scratch.
    PAPER: Protocol('MTAN', 'segnet', 200, 2, 1e-4, 0.0, 100, True),
}

# CityScapes' smaller images come in larger batches.
BATCH_SIZES = {(PAPER, 'cityscapes'): 8, (LIBMTL, 'cityscapes'): 64}


def get_protocol(name: str, benchmark: str) -> Protocol:
    """The protocol of that name for a benchmark.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in PROTOCOLS:
        known = ', '.join(PROTOCOLS)
        raise ValueError(f'Parameter `protocol` should be one of {known}. Found `{name}`.')
    protocol = PROTOCOLS[name]
    return replace(protocol, batch_size=BATCH_SIZES.get((name, benchmark), protocol.batch_size))
