"""The training tool: any benchmark in LibMTL, from the command line to a run folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.libmtl.compat import default_device, import_libmtl
from go4align_plugins.libmtl.data import Loaders
from go4align_plugins.libmtl.grouped import OWN_LOOP
from go4align_plugins.libmtl.input_types import get_input_type
from go4align_plugins.libmtl.loop import RecordedTrainer
from go4align_plugins.libmtl.models import BACKBONES, RESNET_WIDTHS, build_model
from go4align_plugins.libmtl.options import own_prefix
from go4align_plugins.libmtl.protocols import NAMES, PLATEAU, SMALL, Protocol, get_protocol
from go4align_plugins.libmtl.tasks import build_task_dict
from go4align_plugins.libmtl.trainer import as_offered
from go4align_plugins.utils.files import explain
from go4align_plugins.utils.run_folder import RunFolder, describe_environment

LibMTL: Any = import_libmtl()

PRESET = ('arch', 'backbone', 'epochs', 'batch_size', 'augment', 'lr', 'weight_decay')
"""The options that a protocol presets."""

HANDED_ON = ('arch', 'lr', 'weight_decay', 'scheduler', 'step_size')
"""The part of a protocol that LibMTL's command line knows by the same names."""

EPILOG = """\
Options of LibMTL's own are handed on, with LibMTL's names: --calpha 0.5 (CAGrad), --T 2 (DWA),
--GO4Align_num_groups 2, --GO4Align_step_size 1e-4, --optim sgd, ...; --libmtl-help lists them.
AGRM_NAME is LibMTL's NAME with its weights shared within groups (--AGRM_num_groups 2).

examples:
  python tools/prepare_data.py rooms --out data/rooms
  python tools/train_libmtl.py --dataset rooms --weighting GO4Align
  python tools/train_libmtl.py --dataset rooms --weighting EW --tasks depth --out runs/stl-depth
  python tools/train_libmtl.py --dataset nyuv2 --data /data/nyuv2 --protocol paper \\
      --weighting GO4Align --seed 1 --out runs/nyuv2/GO4Align-1
  python tools/train_libmtl.py --dataset rooms --weighting GO4Align --resume
  python tools/train_libmtl.py --dataset qm9 --data /data/QM9 --weighting GO4Align
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
    add('--dataset', required=True, choices=BENCHMARKS, help='which benchmark the data is')
    add(
        '--data', type=Path, help='folder that prepare_data.py check DATASET accepts (data/DATASET)'
    )
    add('--weighting', default='GO4Align', help='weighting strategy (GO4Align)')
    add('--tasks', nargs='+', help='train these tasks only; one: a single-task baseline (all)')
    add('--protocol', choices=NAMES, default=SMALL, help='preset of the next seven (small)')
    add('--arch', help="architecture, LibMTL's name: HPS, MTAN, Cross_stitch, ...")
    add(
        '--backbone',
        choices=BACKBONES,
        help='resnet*: dilated, with ASPP heads; mpnn*: molecules; cnn*: faces',
    )
    add('--epochs', type=int, help='number of epochs')
    add('--batch-size', type=int, help='samples a step')
    add('--lr', type=float, help='learning rate')
    add('--weight-decay', '--weight_decay', type=float, help="the optimizer's weight decay")
    add('--augment', action=argparse.BooleanOptionalAction, help='zoom and flip frames at random')
    add('--pretrained', action=argparse.BooleanOptionalAction, default=True,
        help="begin a ResNet with ImageNet's weights, downloaded by torch (default)")  # fmt: skip
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
        config, libmtl_options = resolve(options, rest)
        trainer, loaders = build(config, libmtl_options)
        folder = RunFolder(config['out'], config, options.resume)
        trainer.fit(loaders, config['epochs'], folder)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        message = explain(error, 'then go on by --resume', (ValueError, OSError, ImportError))
        if message is None:
            raise
        print(f'{parser.prog}: error: {message}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resume = [arg for arg in arguments if arg != '--resume'] + ['--resume']
        print(
            'Interrupted. The finished epochs are kept; to go on:\n'
            f'  python tools/train_libmtl.py {shlex.join(resume)}',
            file=sys.stderr,
        )
        return 130
    print(f'The run is in {folder.path}')
    return 0


def resolve(
    options: argparse.Namespace, rest: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolve all options of a run, those that LibMTL reads included.

    Args:
        options: as :func:`build_parser` reads them.
        rest: options of LibMTL's own.

    Returns:
        The configuration, plain values as in ``config.json``; and the Trainer's ``weight_args``,
        ``arch_args``, ``optim_param`` and ``scheduler_param``.

    Raises:
        ValueError: if an option is out of its range.
    """
    benchmark = get_benchmark(options.dataset)
    given = {name: vars(options)[name] for name in PRESET if vars(options)[name] is not None}
    protocol = replace(get_protocol(options.protocol, options.dataset), **given)
    tasks = [task.name for task in benchmark.select(options.tasks)]
    config = {
        'framework': 'libmtl',
        'benchmark': options.dataset,
        'tasks': tasks,
        'weighting': options.weighting,
        'protocol': options.protocol,
        **{name: getattr(protocol, name) for name in PRESET if name not in ('lr', 'weight_decay')},
        'seed': options.seed,
        'data': str(options.data or Path('data', options.dataset)),
        'out': str(options.out or default_folder(options.dataset, tasks, options)),
        'device': options.device or str(default_device(options.gpu_id)),
        'workers': options.workers,
        'pretrained': protocol.backbone in RESNET_WIDTHS and options.pretrained,
    }
    for name, least in (('epochs', 1), ('batch_size', 2), ('workers', 0), ('seed', 0)):
        if config[name] < least:
            raise ValueError(
                f'Parameter `{name}` should be at least {least}. Found `{name} = {config[name]}`.'
            )
    get_input_type(options.dataset).check(config)
    if config['weighting'] in OWN_LOOP:
        raise ValueError(
            f'Parameter `weighting` should not be one of {", ".join(OWN_LOOP)}, which LibMTL '
            f'trains by a loop of their own. Found `{config["weighting"]}`.'
        )
    as_offered(config['weighting'], LibMTL.weighting)
    as_offered(config['arch'], LibMTL.architecture)
    libmtl_options, rep_grad = _ask_libmtl(options, protocol, rest)
    prefix = own_prefix(config['weighting'])
    if prefix:
        num_groups = min(benchmark.num_groups, len(tasks))
        libmtl_options['weight_args'].setdefault(f'{prefix}num_groups', num_groups)
    config.update(libmtl_options, rep_grad=rep_grad)
    config.update(
        describe_environment('torch', 'torchvision', 'numpy', 'LibMTL', 'torch_geometric')
    )
    return config, libmtl_options


def _ask_libmtl(
    options: argparse.Namespace, protocol: Protocol, rest: Sequence[str]
) -> tuple[dict[str, Any], bool]:
    """Let LibMTL's command line read the rest; return the Trainer's options, and ``rep_grad``."""
    known = {name: vars(options)[name] for name in ('weighting', 'seed', 'gpu_id')}
    known |= {name: getattr(protocol, name) for name in HANDED_ON}
    namespace = argparse.Namespace(mode='train', gamma=0.5, **known)
    params = LibMTL.config.LibMTL_args.parse_args(list(rest), namespace)
    # LibMTL's options do not know the schedule of its own QM9 example.
    plateau = params.scheduler == PLATEAU['scheduler']
    if plateau:
        params.scheduler = None
    kwargs, optim_param, scheduler_param = LibMTL.config.prepare_args(params)
    if plateau:
        scheduler_param = dict(PLATEAU)
    trainer_options = {'optim_param': optim_param, 'scheduler_param': scheduler_param, **kwargs}
    return trainer_options, params.rep_grad


def default_folder(dataset: str, tasks: Sequence[str], options: argparse.Namespace) -> Path:
    """Name the run folder ``runs/DATASET/WEIGHTING-SEED``; ``STL-TASK-SEED`` for a single task."""
    name = f'STL-{tasks[0]}' if len(tasks) == 1 else options.weighting
    return Path('runs', dataset, f'{name}-{options.seed}')


def build(
    config: dict[str, Any], libmtl_options: dict[str, Any]
) -> tuple[RecordedTrainer, Loaders]:
    """Build the Trainer and the loaders of a configuration, and record the data's size in it.

    Raises:
        ValueError: if the data is incomplete or broken, or does not suit the options.
    """
    benchmark = get_benchmark(config['benchmark'])
    tasks = benchmark.select(config['tasks'])
    loaders = get_input_type(config['benchmark']).load(benchmark, config)
    schedule = libmtl_options['scheduler_param'] or {}
    if schedule.get('scheduler') == PLATEAU['scheduler'] and loaders.val is None:
        raise ValueError(
            'Parameter `scheduler` should not be plateau for '
            f'{benchmark.name}, which has no split for validation.'
        )
    config['image_size'] = loaders.image_size and list(loaders.image_size)
    config['num_frames'] = loaders.lengths
    LibMTL.utils.set_random_seed(config['seed'])
    model = build_model(config['backbone'], config['arch'], tasks, config['pretrained'])
    trainer = RecordedTrainer(
        build_task_dict(tasks, loaders.scales), config['weighting'], model.architecture,
        model.encoder_class, model.decoders, config['rep_grad'], False,
        image_size=loaders.image_size, single_task=benchmark.single_task,
        device=config['device'], **libmtl_options,
    )  # fmt: skip
    return trainer, loaders
