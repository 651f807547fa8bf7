"""Make LibMTL know the strategies of this package: by name, and on its command line."""

from __future__ import annotations

import argparse
import contextlib
import io
from typing import Any

from go4align_plugins.libmtl.cagrad import CAGrad
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.grouped import NOT_GROUPED, Grouped, GroupedSI, refuse_ungrouped
from go4align_plugins.libmtl.options import GROUPED, add_arguments, given_options
from go4align_plugins.libmtl.strategies import SI, AGRMWeighting, GO4Align
from go4align_plugins.libmtl.trainer import TAKES_NAMES, Trainer

STRATEGIES: dict[str, type[AGRMWeighting]] = {'GO4Align': GO4Align, 'SI': SI}
AVERAGES = {'MoCo': 'y', 'DB_MTL': 'grad_buffer'}
"""Strategies that weight running averages of the gradients, and where LibMTL keeps those."""


def register() -> None:
    """Add the strategies to ``LibMTL.weighting``, their options to its command line.

    Beside this package's own, each of LibMTL's that can be grouped gets an ``AGRM_<name>``.
    ``LibMTL.Trainer`` becomes :class:`~go4align_plugins.libmtl.trainer.Trainer`, a subclass that
    also runs where there is no GPU, and on today's torch; 1.1.5's CAGrad one for any number of
    tasks. Calling it again changes nothing.
    """
    library = import_libmtl()
    if library.Trainer is Trainer:
        return
    if not TAKES_NAMES:
        library.weighting.CAGrad = CAGrad
    _offer(library.weighting, STRATEGIES)
    _offer(library.weighting, build_grouped(library))
    add_arguments(library.config.LibMTL_args)
    library.config.prepare_args = _extend(library.config, library.weighting)
    # Not in its module: LibMTL's own code there asks for its class by that name.
    library.Trainer = Trainer


def _offer(weighting: Any, found: dict[str, type[AGRMWeighting]]) -> None:
    for name, strategy in found.items():
        setattr(weighting, name, strategy)
        weighting.__all__.append(name)


def build_grouped(library: Any) -> dict[str, type[AGRMWeighting]]:
    """Build a class ``AGRM_<name>`` for each strategy that LibMTL offers and AGRM can group."""
    found: dict[str, type[AGRMWeighting]] = {}
    for base_name in library.weighting.__all__:
        if base_name in NOT_GROUPED or base_name.startswith(('Abs', GROUPED)):
            continue
        name, base = GROUPED + base_name, getattr(library.weighting, base_name)
        if base is SI:
            found[name] = type(name, (GroupedSI,), {'__doc__': GroupedSI.__doc__})
            continue
        members = {
            '__doc__': f'{base_name} under AGRM; options and behaviour as of :class:`Grouped`.',
            'own_options': option_names(base_name, library.config),
            'average': AVERAGES.get(base_name),
        }
        found[name] = type(name, (Grouped, base), members)
    return found


def option_names(strategy: str, config: Any) -> tuple[str, ...] | None:
    """Names of a strategy's options; None where LibMTL's command line does not know it."""
    params = config.LibMTL_args.parse_args([])
    try:
        return tuple(_prepare_silently(config.prepare_args, params, strategy)[0]['weight_args'])
    except ValueError:
        return None


def _prepare_silently(prepare_args: Any, params: argparse.Namespace, weighting: str) -> Any:
    """Call LibMTL's ``prepare_args`` for another strategy, without the configuration it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return prepare_args(argparse.Namespace(**{**vars(params), 'weighting': weighting}))


def _extend(config: Any, weighting: Any) -> Any:
    """Extend ``prepare_args``, which knows a closed list of strategies, by those of this package.

    LibMTL answers for every other strategy, and for the part of a grouped one that is its own.
    """
    original = config.prepare_args

    def prepare_args(params: argparse.Namespace) -> tuple[dict, dict, dict | None]:
        """Return the configuration of hyperparameters, optimizer, and learning rate scheduler.

        Args:
            params: the command-line arguments.
        """
        refuse_ungrouped(params.weighting)
        strategy = vars(weighting).get(params.weighting)
        if not (isinstance(strategy, type) and issubclass(strategy, AGRMWeighting)):
            return original(params)
        base = params.weighting.removeprefix(GROUPED)
        known = 'EW' if base in STRATEGIES else base
        kwargs, optim_param, scheduler_param = _prepare_silently(original, params, known)
        kwargs['weight_args'].update(given_options(params.weighting, params))
        config._display(params, kwargs, optim_param, scheduler_param)
        return kwargs, optim_param, scheduler_param

    return prepare_args
