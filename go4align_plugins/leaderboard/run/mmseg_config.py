"""Build the config of a cell that MMSegmentation trains. The import needs MMSegmentation."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config

import go4align_plugins
import go4align_plugins.mmengine
import go4align_plugins.mmseg
from go4align_plugins.leaderboard.run.plan import OWN, Cell, Method, Plan, literal
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.mmseg.apis.launch import EVALUATORS, LOADERS, register_package, select_tasks
from go4align_plugins.utils.options import require
from go4align_plugins.weighting import GO4Align

PLAIN = ('OptimWrapper', 'AmpOptimWrapper')


def build_config(plan: Plan, cell: Cell) -> Config:
    """Complete the plan's config by the data, seed, tasks and weighting of a cell."""
    register_package()
    config = Config.fromfile(plan.config or find_config(plan.benchmark))
    # A config that names a method could not serve the others.
    kind = config.get('optim_wrapper', {}).get('type', PLAIN[0])
    names = [str(hook.get('type')) for hook in config.get('custom_hooks') or ()]
    found = [name for name in names if name.endswith(('GO4AlignHook', 'LibMTLHook'))]
    found += [kind] if kind not in PLAIN else []
    found += [f'no {key}' for key in (*LOADERS, *EVALUATORS, 'model') if not config.get(key)]
    rule = 'weight all tasks equally (a method is put in) and have a model, loaders, evaluators'
    require(not found, 'config', f'{rule}, not {", ".join(found)}', plan.config)
    imports = config.get('custom_imports', {'imports': []})
    modules = dict.fromkeys([*imports['imports'], 'go4align_plugins.mmseg'])
    config.custom_imports = {**imports, 'imports': [*modules]}
    config.randomness = {**config.get('randomness', {}), 'seed': cell.seed}
    hooks = dict(config.get('default_hooks', {}))  # a Config's setdefault returns a copy
    hooks.setdefault('run_folder', {'type': 'RunFolderHook'})  # which a leaderboard reads
    hooks.setdefault('epoch_seed', {'type': 'EpochSeedHook'})  # a killed run goes on exactly
    saving = hooks.setdefault('checkpoint', {'type': 'CheckpointHook', 'interval': 1})
    if saving.get('type') == 'CheckpointHook':
        saving['type'] = 'SafeCheckpointHook'
    config.default_hooks = hooks
    for loader in LOADERS:
        config[loader].dataset.data_root = str(plan.data_folder)
    if cell.task or plan.tasks:
        select_tasks(config, [cell.task] if cell.task else list(plan.task_names))
    config.optim_wrapper.update(weighting_options(cell.method, len(plan.task_names)))
    return config


def find_config(benchmark: str) -> Path:
    """Find the config of the small SegNet with equal weighting; ValueError if there is none."""
    package = Path(go4align_plugins.__file__).parent
    name = f'segnet/segnet-small_ew_{benchmark}-*.py'
    folders = (package.parent / 'configs', package / '.mim/configs')
    found = [path for folder in folders for path in sorted(folder.glob(name))]
    rule = 'be rooms, streets, nyuv2 or cityscapes with framework mmseg, or `config` be given'
    require(bool(found), 'benchmark', rule, benchmark)
    return found[0]


def weighting_options(method: Method, num_tasks: int) -> dict[str, Any]:
    """Give a method's options for an optimizer wrapper with M tasks, checked by the method."""
    if method.name in (SINGLE_TASK, EQUAL_WEIGHTING) and not method.arguments:
        return {}
    options = {name: literal(value) for name, value in method.libmtl_options.items()}
    if method.name == 'GO4Align':
        options = {name.removeprefix(OWN): value for name, value in options.items()}
        known = [*signature(GO4Align).parameters][1:]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise ValueError(f'GO4Align takes {", ".join(known)}. Found `{unknown[0]}`.')
        GO4Align(num_tasks, **options)
        return {'type': 'GO4AlignOptimWrapper', **options}
    from go4align_plugins.mmengine.libmtl_bridge import find_strategy

    find_strategy(method.name, options)
    return {'type': 'LibMTLOptimWrapper', 'weighting': method.name, 'weight_args': options}
