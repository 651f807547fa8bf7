"""The types of inputs: how each is loaded, and the options that suit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from go4align_plugins.data import FACES, FRAMES, MOLECULES, Benchmark, get_benchmark
from go4align_plugins.libmtl.data import Loaders, build_loaders
from go4align_plugins.libmtl.faces import build_face_loaders
from go4align_plugins.libmtl.models import CNNS, DENSE_BACKBONES, MPNNS
from go4align_plugins.libmtl.molecules import build_molecule_loaders


@dataclass(frozen=True)
class InputType:
    """How a benchmark with one type of inputs is trained.

    Attributes:
        build_loaders: builds the loaders of a benchmark's data.
        allowed: the values that an option of the training tool may have.
    """

    build_loaders: Callable[..., Loaders]
    allowed: Mapping[str, Sequence[Any]]

    def check(self, config: Mapping[str, Any]) -> None:
        """Refuse options that do not suit the inputs.

        Raises:
            ValueError: if an option has a value that is not allowed.
        """
        for name, values in self.allowed.items():
            if config[name] not in values:
                known = ', '.join(map(str, values))
                raise ValueError(
                    f'Parameter `{name}` should be {"one of " * (len(values) > 1)}{known} for '
                    f'{config["benchmark"]}. Found `{config[name]}`.'
                )

    def load(self, benchmark: Benchmark, config: Mapping[str, Any]) -> Loaders:
        """Build the loaders for a run's configuration.

        Raises:
            ValueError: if the data is incomplete or broken, or does not suit the options.
        """
        options = {name: config[name] for name in ('batch_size', 'seed', 'workers')}
        if 'augment' not in self.allowed:
            options['augmented'] = config['augment']
        return self.build_loaders(benchmark, config['data'], config['tasks'], **options)


# LibMTL's other architectures share and split feature maps, which these backbones do not give.
HARD_SHARING = {'arch': ('HPS',), 'augment': (False,)}

INPUT_TYPES = {
    FRAMES: InputType(build_loaders, {'backbone': DENSE_BACKBONES}),
    MOLECULES: InputType(build_molecule_loaders, {'backbone': tuple(MPNNS), **HARD_SHARING}),
    FACES: InputType(build_face_loaders, {'backbone': tuple(CNNS), **HARD_SHARING}),
}


def get_input_type(benchmark: str) -> InputType:
    """Look up the type of a benchmark's inputs, by the benchmark's name."""
    return INPUT_TYPES[get_benchmark(benchmark).inputs]
