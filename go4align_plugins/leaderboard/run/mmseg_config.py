"""Build the config of a cell that MMSegmentation trains. The import needs MMSegmentation."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from mmengine.config import Config

import go4align_plugins
import go4align_plugins.mmengine
import go4align_plugins.mmseg
from go4align_plugins.leaderboard.run.cli_values import literal
from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.mmseg.apis.launch import EVALUATORS, LOADERS, register_package, select_tasks
from go4align_plugins.weighting import GO4Align

SMALL = 'segnet/segnet-small_ew_{}-*.py'
PLUGINS = 'go4align_plugins.mmseg'
PLAIN = ('OptimWrapper', 'AmpOptimWrapper')
PREFIX = 'GO4Align_'  # of its options in LibMTL


def build_config(plan: Plan, cell: Cell) -> Config:
    """Complete the plan's config by the data, seed, tasks and weighting of a cell.

    Raises:
        ValueError: if the plan's config does not serve, or a method's arguments are wrong.
        FileNotFoundError: if the config is missing.
    """
    register_package()
    config = Config.fromfile(plan.config or find_config(plan.benchmark))
    _check_plain(config, plan)
    config.setdefault('custom_imports', {'imports': []})
    imports = config.custom_imports['imports']
    config.custom_imports['imports'] = [*dict.fromkeys([*imports, PLUGINS])]
    config.randomness = {**config.get('randomness', {}), 'seed': cell.seed}
    # A leaderboard reads the run folder; the seeds make a killed run go on exactly.
    hooks = config.setdefault('default_hooks', {})
    for name, kind in {'run_folder': 'RunFolderHook', 'epoch_seed': 'EpochSeedHook'}.items():
        hooks.setdefault(name, {'type': kind})
    saving = hooks.setdefault('checkpoint', {'type': 'CheckpointHook', 'interval': 1})
    if saving.get('type') == 'CheckpointHook':
        saving['type'] = 'SafeCheckpointHook'
    for loader in LOADERS:
        config[loader].dataset.data_root = str(plan.data_folder)
    if cell.task or plan.tasks:
        select_tasks(config, [cell.task] if cell.task else list(plan.task_names))
    config.optim_wrapper.update(weighting_options(cell.method, len(plan.task_names)))
    return config


def find_config(benchmark: str) -> Path:
    """Find the config of the small SegNet with equal weighting.

    Raises:
        ValueError: if the benchmark has none.
    """
    package = Path(go4align_plugins.__file__).parent
    for folder in (package.parent / 'configs', package / '.mim/configs'):
        found = sorted(folder.glob(SMALL.format(benchmark)))
        if found:
            return found[0]
    raise ValueError(
        'Parameter `benchmark` should be rooms, streets, nyuv2 or cityscapes with framework mmseg, '
        f'or `config` be given. Found `{benchmark}`.'
    )


def weighting_options(method: Method, num_tasks: int) -> dict[str, Any]:
    """Give a method's options for an optimizer wrapper, with M tasks.

    Raises:
        ValueError: if the method or an argument is unknown, or a value out of its range.
        ImportError: if the method needs LibMTL, which is not installed.
    """
    arguments = {name: literal(value) for name, value in method.arguments}
    if method.name in (SINGLE_TASK, EQUAL_WEIGHTING) and not arguments:
        return {}
    if method.name == 'GO4Align':
        arguments = {name.removeprefix(PREFIX): value for name, value in arguments.items()}
        known = [*inspect.signature(GO4Align).parameters][1:]
        unknown = [name for name in arguments if name not in known]
        if unknown:
            raise ValueError(f'GO4Align takes {", ".join(known)}. Found `{unknown[0]}`.')
        GO4Align(num_tasks, **arguments)
        return {'type': 'GO4AlignOptimWrapper', **arguments}
    from go4align_plugins.mmengine.libmtl_bridge import find_strategy

    named = {name: literal(value) for name, value in method.libmtl_options}
    find_strategy(method.name, named)
    return {'type': 'LibMTLOptimWrapper', 'weighting': method.name, 'weight_args': named}


def _check_plain(config: Config, plan: Plan) -> None:
    """Refuse a config that names a method: it could not serve the others."""
    kind = config.get('optim_wrapper', {}).get('type', PLAIN[0])
    hooks = [str(hook.get('type')) for hook in config.get('custom_hooks') or ()]
    weighting = [name for name in hooks if name.endswith(('GO4AlignHook', 'LibMTLHook'))]
    if kind not in PLAIN or weighting:
        raise ValueError(
            'Parameter `config` should weight all tasks equally: the leaderboard puts each method '
            f'into it. Found `{weighting[0] if weighting else kind}` in {plan.config}.'
        )
    missing = [key for key in (*LOADERS, *EVALUATORS, 'model') if not config.get(key)]
    if missing:
        raise ValueError(
            'Parameter `config` should have a model, loaders and evaluators. '
            f'Found none under `{missing[0]}` in {plan.config}.'
        )
