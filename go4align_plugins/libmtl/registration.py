"""Make LibMTL know the strategies of this package: by name, and on its command line."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Collection
from typing import Any

from go4align_plugins.libmtl.compat import CAGrad, LibMTL
from go4align_plugins.libmtl.grouped import AGRM_SI, NOT_GROUPED, Grouped, refuse_ungrouped
from go4align_plugins.libmtl.options import GROUPED, add_arguments, given_options
from go4align_plugins.libmtl.strategies import SI, AGRMWeighting, GO4Align
from go4align_plugins.libmtl.trainer import TAKES_NAMES, Trainer

STRATEGIES: dict[str, type[AGRMWeighting]] = {'GO4Align': GO4Align, 'SI': SI, 'AGRM_SI': AGRM_SI}
AVERAGES = {'MoCo': 'y', 'DB_MTL': 'grad_buffer'}
"""Strategies that weight running averages of the gradients, and where LibMTL keeps those."""


def register() -> None:
    """Add the strategies to ``LibMTL.weighting``, their options to its command line.

    Beside this package's own, each of LibMTL's that can be grouped gets an ``AGRM_<name>``.
    ``LibMTL.Trainer`` becomes :class:`~go4align_plugins.libmtl.trainer.Trainer`, a subclass that
    also runs where there is no GPU, and on today's torch; 1.1.5's CAGrad one for any number of
    tasks. Calling it again changes nothing.
    """
    if LibMTL.Trainer is Trainer:
        return
    if not TAKES_NAMES:
        LibMTL.weighting.CAGrad = CAGrad
    strategies = {**STRATEGIES, **build_grouped()}
    vars(LibMTL.weighting).update(strategies)
    LibMTL.weighting.__all__ += strategies
    add_arguments(LibMTL.config.LibMTL_args)
    LibMTL.config.prepare_args = _extend(LibMTL.config.prepare_args, strategies)
    # Not in its module: LibMTL's own code there asks for its class by that name.
    LibMTL.Trainer = Trainer


def build_grouped() -> dict[str, type[AGRMWeighting]]:
    """Build a class ``AGRM_<name>`` for each strategy that LibMTL offers and AGRM can group."""
    found: dict[str, type[AGRMWeighting]] = {}
    params = LibMTL.config.LibMTL_args.parse_args([])
    for name in LibMTL.weighting.__all__:
        if name in NOT_GROUPED or name.startswith('Abs'):
            continue
        own_options: tuple[str, ...] | None = None
        with contextlib.suppress(ValueError):  # LibMTL's command line does not know every strategy
            kwargs = _prepare_silently(LibMTL.config.prepare_args, params, name)[0]
            own_options = tuple(kwargs['weight_args'])
        members = {
            '__doc__': f'{name} under AGRM; options and behaviour as of :class:`Grouped`.',
            'own_options': own_options,
            'average': AVERAGES.get(name),
        }
        bases = (Grouped, getattr(LibMTL.weighting, name))
        found[GROUPED + name] = type(GROUPED + name, bases, members)
    return found


def _prepare_silently(prepare_args: Any, params: argparse.Namespace, weighting: str) -> Any:
    """Call LibMTL's ``prepare_args`` for another strategy, without the configuration it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return prepare_args(argparse.Namespace(**{**vars(params), 'weighting': weighting}))


def _extend(original: Any, strategies: Collection[str]) -> Any:
    """Extend LibMTL's ``prepare_args``, which knows a closed list, by this package's strategies."""

    def prepare_args(params: argparse.Namespace) -> tuple[dict, dict, dict | None]:
        """Return the configuration of hyperparameters, optimizer, and learning rate scheduler."""
        refuse_ungrouped(params.weighting)
        if params.weighting not in strategies:
            return original(params)
        base = params.weighting.removeprefix(GROUPED)
        known = 'EW' if base in STRATEGIES else base
        kwargs, optim_param, scheduler_param = _prepare_silently(original, params, known)
        kwargs['weight_args'].update(given_options(params.weighting, params))
        LibMTL.config._display(params, kwargs, optim_param, scheduler_param)
        return kwargs, optim_param, scheduler_param

    return prepare_args
