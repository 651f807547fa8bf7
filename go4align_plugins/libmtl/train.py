"""The training tool: any benchmark in LibMTL, from the command line to a run folder."""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from go4align_plugins.data import BENCHMARKS, FRAMES, get_benchmark
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.compat import LibMTL, default_device
from go4align_plugins.libmtl.data import Loaders, build_loaders
from go4align_plugins.libmtl.grouped import OWN_LOOP
from go4align_plugins.libmtl.loop import RecordedTrainer
from go4align_plugins.libmtl.models import BACKBONES, RESNET_WIDTHS, build_model, build_task_dict
from go4align_plugins.libmtl.protocols import NAMES, PLATEAU, SMALL, get_protocol
from go4align_plugins.libmtl.strategies import OPTIONS
from go4align_plugins.libmtl.trainer import as_offered
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.files import explain
from go4align_plugins.utils.options import require
from go4align_plugins.utils.run_folder import CHECKPOINT, RunFolder, describe_environment

OF_PROTOCOL = ('arch', 'backbone', 'epochs', 'batch_size', 'augment')
OF_TRAINER = ('optim_param', 'scheduler_param', 'weight_args', 'arch_args')
"""The options in a run's configuration that LibMTL's command line makes for its Trainer."""

EPILOG = """\
Options of LibMTL's own are handed on, with LibMTL's names: --calpha 0.5 (CAGrad), --T 2 (DWA),
--GO4Align_num_groups 2, --GO4Align_step_size 1e-4, --optim sgd, ...; --libmtl-help lists them.
AGRM_NAME is LibMTL's NAME with its weights shared within groups (--AGRM_num_groups 2).

examples:
  python tools/prepare_data.py rooms --out data/rooms
  python tools/train_libmtl.py --dataset rooms --weighting GO4Align
  python tools/train_libmtl.py --dataset rooms --weighting GO4Align --resume
  python tools/train_libmtl.py --dataset rooms --weighting EW --tasks depth --out runs/stl-depth
  python tools/train_libmtl.py --dataset nyuv2 --data /data/nyuv2 --protocol paper --seed 1
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the command line of ``tools/train_libmtl.py``."""
    parser = argparse.ArgumentParser(
        prog='train_libmtl.py',
        description='Train dense prediction (segmentation, depth, normals), molecules (QM9) or '
        'faces (CelebA) in LibMTL, by GO4Align or any weighting strategy that LibMTL has.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    switch: dict[str, Any] = {'action': argparse.BooleanOptionalAction}
    backbones = sum(BACKBONES.values(), ())
    add('--dataset', required=True, choices=BENCHMARKS, help='which benchmark the data is')
    add('--data', type=Path, help='folder that prepare_data.py check accepts (data/DATASET)')
    add('--weighting', default='GO4Align', help='weighting strategy (GO4Align)')
    add('--tasks', nargs='+', help='train these tasks only; one: a single-task baseline (all)')
    add('--protocol', choices=NAMES, default=SMALL, help='preset of the next seven (small)')
    add('--arch', help="architecture, LibMTL's name: HPS, MTAN, Cross_stitch, ...")
    add('--backbone', choices=backbones, help='segnet*, resnet* (dilated), mpnn*, cnn*')
    add('--epochs', type=int, help='number of epochs')
    add('--batch-size', type=int, help='samples a step')
    add('--lr', type=float, help='learning rate')
    add('--weight-decay', '--weight_decay', type=float, help="the optimizer's weight decay")
    add('--augment', **switch, help='zoom and flip frames at random')
    add('--pretrained', **switch, default=True, help="let ResNets begin with ImageNet's weights")
    add('--seed', type=int, default=0, help='of initialisation, order and augmentation (0)')
    add('--out', type=Path, help='run folder (runs/DATASET/WEIGHTING-SEED)')
    add('--resume', action='store_true', help='go on with the run in that folder')
    add('--gpu-id', '--gpu_id', default='0', help='which GPU; the CPU where there is none (0)')
    add('--device', help='cpu, cuda:1, ...: overrides --gpu-id')
    add('--workers', type=int, default=0, help='processes that read the data (0: the training one)')
    add('--libmtl-help', action='store_true', help="list LibMTL's own options and exit")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if '--libmtl-help' in arguments:
        LibMTL.config.LibMTL_args.print_help()
        return 0
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    try:
        config = resolve(options, rest)
        trainer, loaders = build(config)
        folder = RunFolder(config['out'], config, options.resume)
        trainer.fit(loaders, config['epochs'], folder)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        message = explain(error, 'then go on by --resume', (ValueError, OSError, ImportError))
        if message is None:
            raise
        print(f'{parser.prog}: error: {message}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resume = shlex.join([*(word for word in arguments if word != '--resume'), '--resume'])
        print('Interrupted. The finished epochs are kept; to go on:', file=sys.stderr)
        print(f'  python tools/train_libmtl.py {resume}', file=sys.stderr)
        return 130
    print(f'The run is in {folder.path}')
    return 0


def resolve(options: argparse.Namespace, rest: Sequence[str] = ()) -> dict[str, Any]:
    """Resolve all options of a run, with the ``rest`` for LibMTL, to those in ``config.json``."""
    benchmark = get_benchmark(options.dataset)
    protocol = get_protocol(options.protocol, options.dataset)
    given = {name: value for name, value in vars(options).items() if value is not None}
    protocol = replace(protocol, **{name: given[name] for name in vars(protocol) if name in given})
    tasks = [task.name for task in benchmark.select(options.tasks)]
    name = f'STL-{tasks[0]}' if len(tasks) == 1 else options.weighting
    config: dict[str, Any] = {
        'framework': 'libmtl',
        'benchmark': options.dataset,
        'tasks': tasks,
        'weighting': options.weighting,
        'protocol': options.protocol,
        **{name: vars(protocol)[name] for name in OF_PROTOCOL},
        'seed': options.seed,
        'data': str(options.data or Path('data', options.dataset)),
        'out': str(options.out or Path('runs', options.dataset, f'{name}-{options.seed}')),
        'device': options.device or str(default_device(options.gpu_id)),
        'workers': options.workers,
        'pretrained': protocol.backbone in RESNET_WIDTHS and options.pretrained,
    }
    for name, least in (('epochs', 1), ('batch_size', 2), ('workers', 0), ('seed', 0)):
        require(config[name] >= least, name, f'be at least {least}', config[name])
    allowed: dict[str, Sequence[Any]] = {'backbone': BACKBONES[benchmark.inputs]}
    if benchmark.inputs != FRAMES:
        # LibMTL's other architectures share and split feature maps, which these backbones lack.
        allowed |= {'arch': ('HPS',), 'augment': (False,)}
    for name, values in allowed.items():
        known = f'{"one of " * (len(values) > 1)}{", ".join(map(str, values))}'
        require(config[name] in values, name, f'be {known} for {benchmark.name}', config[name])
    rule = f'not be one of {", ".join(OWN_LOOP)}, which LibMTL trains by a loop of their own'
    require(options.weighting not in OWN_LOOP, 'weighting', rule, options.weighting)
    as_offered(options.weighting, LibMTL.weighting)
    as_offered(protocol.arch, LibMTL.architecture)
    # LibMTL's command line reads the rest; it does not know the schedule of its own QM9 example.
    preset = {**vars(options), **vars(protocol), 'mode': 'train', 'gamma': 0.5}
    params = LibMTL.config.LibMTL_args.parse_args(list(rest), argparse.Namespace(**preset))
    plateau = params.scheduler == PLATEAU['scheduler']
    params.scheduler = None if plateau else params.scheduler
    kwargs, optim_param, scheduler_param = LibMTL.config.prepare_args(params)
    schedule = dict(PLATEAU) if plateau else scheduler_param
    config |= {'optim_param': optim_param, 'scheduler_param': schedule, **kwargs}
    config['rep_grad'] = params.rep_grad
    prefix = getattr(getattr(LibMTL.weighting, options.weighting), 'prefix', None)
    if prefix in OPTIONS:
        num_groups = min(benchmark.num_groups, len(tasks))
        config['weight_args'].setdefault(f'{prefix}num_groups', num_groups)
    packages = ('torch', 'torchvision', 'numpy', 'LibMTL', 'torch_geometric')
    return {**config, **describe_environment(*packages)}


def build(config: dict[str, Any]) -> tuple[RecordedTrainer, Loaders]:
    """Build the Trainer and the loaders of a configuration, and record the data's size in it."""
    benchmark = get_benchmark(config['benchmark'])
    tasks = benchmark.select(config['tasks'])
    options = {name: config[name] for name in ('tasks', 'batch_size', 'seed', 'workers')}
    loaders = build_loaders(benchmark, config['data'], augmented=config['augment'], **options)
    schedule = (config['scheduler_param'] or {}).get('scheduler')
    rule = f'not be plateau for {benchmark.name}, which has no split for validation'
    fits = schedule != PLATEAU['scheduler'] or loaders.val is not None
    require(fits, 'scheduler', rule, schedule)
    config['image_size'] = loaders.image_size and list(loaders.image_size)
    config['num_frames'] = loaders.lengths
    LibMTL.utils.set_random_seed(config['seed'])
    model = build_model(config['backbone'], config['arch'], tasks, config['pretrained'])
    trainer = RecordedTrainer(
        build_task_dict(tasks, loaders.scales), config['weighting'], *model, config['rep_grad'],
        multi_input=False, image_size=loaders.image_size, single_task=benchmark.single_task,
        device=config['device'], **{name: config[name] for name in OF_TRAINER},
    )  # fmt: skip
    return trainer, loaders


@torch.no_grad()
def predict(
    folder: str | Path, config: dict[str, Any], frames: Sequence[int]
) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    """Predict test frames, by their numbers, from the last checkpoint of a run folder.

    Returns the truth and the prediction of each frame: its ``'image'`` (H, W, 3), in the truth
    alone, and a map (H, W) or (H, W, 3) a task.
    """
    if get_benchmark(config['benchmark']).inputs != FRAMES:
        raise ValueError(f'{folder}: should be a run on frames. Found {config["benchmark"]}.')
    with contextlib.redirect_stdout(io.StringIO()):
        trainer, loaders = build({**config, 'pretrained': False, 'device': 'cpu'})
    trainer.model.load_state_dict(checkpoint.load(Path(folder) / CHECKPOINT)['model'])
    trainer.model.eval()
    data: Any = loaders.test.dataset
    for frame in frames:
        require(0 <= frame < len(data), 'frames', f'be between 0 and {len(data) - 1}', frame)
    truths, predictions = [], []
    for image, targets in map(data.__getitem__, frames):
        output = trainer.process_preds(trainer.model(image[None]))
        truth = {task: MAPS[task].to_array(target) for task, target in targets.items()}
        truths.append({'image': image.movedim(0, -1).numpy(), **truth})
        finished = {task: MAPS[task].finish(maps[0]) for task, maps in output.items()}
        predictions.append({task: MAPS[task].to_array(each) for task, each in finished.items()})
    return truths, predictions
