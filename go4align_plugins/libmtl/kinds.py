"""What differs between kinds of inputs, as one table: data, models, and what is fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from go4align_plugins.data import Benchmark, Task, get_benchmark
from go4align_plugins.data.table import FACES, FRAMES, MOLECULES
from go4align_plugins.libmtl.data import Loaders, build_loaders
from go4align_plugins.libmtl.faces import build_face_loaders
from go4align_plugins.libmtl.models import (
    CNNS,
    DENSE_BACKBONES,
    MPNNS,
    Model,
    build_dense_model,
    build_face_model,
    build_molecule_model,
)
from go4align_plugins.libmtl.molecules import build_molecule_loaders

LOADING = ('batch_size', 'seed', 'workers')


@dataclass(frozen=True)
class Kind:
    """How a benchmark with one kind of inputs is trained.

    Attributes:
        backbones: names of those that take such inputs.
        load: the benchmark and a run's configuration -> its loaders.
        build_model: backbone, architecture, tasks, whether pretrained -> the model.
        fixed: options that can have one value only.
    """

    backbones: Sequence[str]
    load: Callable[[Benchmark, Mapping[str, Any]], Loaders]
    build_model: Callable[[str, str, Sequence[Task], bool], Model]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def check(self, config: Mapping[str, Any]) -> None:
        """Refuse what such inputs cannot be trained with.

        Raises:
            ValueError: if the backbone is for other inputs, or a fixed option has another value.
        """
        allowed = {'backbone': self.backbones, **{key: [self.fixed[key]] for key in self.fixed}}
        for name, values in allowed.items():
            if config[name] not in values:
                known = ', '.join(map(str, values))
                raise ValueError(
                    f'Parameter `{name}` should be {"one of " * (len(values) > 1)}{known} for '
                    f'{config["benchmark"]}. Found `{config[name]}`.'
                )


def _load_frames(benchmark: Benchmark, config: Mapping[str, Any]) -> Loaders:
    options = {name: config[name] for name in LOADING}
    return build_loaders(
        benchmark, config['data'], config['tasks'], augmented=config['augment'], **options
    )


def _load_molecules(benchmark: Benchmark, config: Mapping[str, Any]) -> Loaders:
    options = {name: config[name] for name in LOADING}
    return build_molecule_loaders(benchmark, config['data'], config['tasks'], **options)


def _load_faces(benchmark: Benchmark, config: Mapping[str, Any]) -> Loaders:
    options = {name: config[name] for name in LOADING}
    return build_face_loaders(benchmark, config['data'], config['tasks'], **options)


# LibMTL's other architectures share and split feature maps, which these backbones do not give.
HARD_SHARING = {'arch': 'HPS', 'augment': False}

KINDS = {
    FRAMES: Kind(DENSE_BACKBONES, _load_frames, build_dense_model),
    MOLECULES: Kind(tuple(MPNNS), _load_molecules, build_molecule_model, HARD_SHARING),
    FACES: Kind(tuple(CNNS), _load_faces, build_face_model, HARD_SHARING),
}
BACKBONES = tuple(name for kind in KINDS.values() for name in kind.backbones)


def get_kind(benchmark: str) -> Kind:
    """The kind of a benchmark's inputs, by the benchmark's name."""
    return KINDS[get_benchmark(benchmark).inputs]
