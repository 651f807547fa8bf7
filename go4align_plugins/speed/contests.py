"""Contests: entrants that do the same work, timed side by side and compared with one of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from go4align_plugins.benchmarks.canvas import GREY, PALETTE, add_caption, new_figure, save
from go4align_plugins.benchmarks.files import save_json
from go4align_plugins.benchmarks.run_folder import describe_environment
from go4align_plugins.speed.hardware import align_columns, describe_hardware
from go4align_plugins.speed.rounds import Ratios, compare, time_in_rounds


@dataclass(frozen=True)
class Contest:
    """Entrants that do the same work.

    Attributes:
        title: what the work is.
        base: the entrant that the others are compared with.
        turns: entrant -> what is called at its turn.
        amount: how much work a turn is, in the unit that the table counts (frames, iterations).
        failures: entrants that could not be set up, and why.
    """

    title: str
    base: str
    turns: Mapping[str, Callable[[], object]]
    amount: int = 1
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result(Ratios):
    """An entrant's times, of one unit of work each, and their ratios to the base's.

    Attributes:
        contest: its title.
        entrant: its name.
    """

    contest: str
    entrant: str


def add_contest_options(parser: argparse.ArgumentParser, name: str, rounds: int) -> None:
    """Add the options that every contest has."""
    add = parser.add_argument
    add('--rounds', type=int, default=rounds, help=f'after two to warm up ({rounds})')
    add('--threads', type=int, help='of torch on the CPU (one a core)')
    add('--json', type=Path, default=Path(f'speed-{name}.json'), help=f'(speed-{name}.json)')
    add('--picture', type=Path, help='.png, .pdf or .svg (the name of --json with .png)')


def hold(contests: Sequence[Contest], rounds: int) -> tuple[list[Result], dict[str, str]]:
    """Time all entrants of all contests, each once a round.

    Args:
        contests: with different titles.
        rounds: after some to warm up.

    Returns:
        The results, and who failed and why.

    Raises:
        ValueError: if ``rounds`` is below 1, or the base of a contest fails.
    """
    turns = {(c.title, entrant): turn for c in contests for entrant, turn in c.turns.items()}
    bases = [(contest.title, contest.base) for contest in contests]
    seconds, failures = time_in_rounds(turns, rounds, ', '.join, required=bases)
    results = []
    for contest in contests:
        base = seconds[contest.title, contest.base]
        for entrant in contest.turns:
            own = seconds.get((contest.title, entrant))
            if own is not None:
                _, ratios = compare(own, base)
                per_unit = tuple(each / contest.amount for each in own)
                results.append(Result(per_unit, ratios, contest.title, entrant))
    failed = {f'{c.title}, {name}': why for c in contests for name, why in c.failures.items()}
    return results, {**failed, **{', '.join(key): why for key, why in failures.items()}}


def publish(
    options: argparse.Namespace,
    contests: Sequence[Contest],
    unit: str,
    notes: Sequence[str] = (),
    packages: Sequence[str] = ('torch',),
    **more: Any,
) -> int:
    """Hold contests, print the table, draw the picture and write all figures.

    Args:
        options: those of :func:`add_contest_options`.
        contests: to hold.
        unit: the unit of work.
        notes: to print below the table.
        packages: whose versions to write down.
        **more: to write down besides.

    Returns:
        The exit status: 1 if an entrant failed.
    """
    results, failures = hold(contests, options.rounds)
    hardware = describe_hardware()
    caption = (
        f'Time per {unit}, median of {options.rounds} rounds, and ratio to the first of each '
        f'block (median and quartiles of the rounds); {hardware["model"]}, '
        f'{hardware["threads"]} thread(s).'
    )
    print(contest_table(results, unit), caption, *notes, sep='\n\n')
    for name, why in failures.items():
        print(f'{name}: failed. {why}')
    picture = options.picture or options.json.with_suffix('.png')
    record = {
        'hardware': hardware,
        **describe_environment(*packages),
        'rounds': options.rounds,
        'unit': unit,
        'notes': [*notes],
        'results': [
            {**asdict(each), 'median_seconds': median(each.seconds), 'median_ratio': each.ratio}
            for each in results
        ],
        'failures': failures,
        **more,
    }
    save_json(options.json, record)
    draw_contests(results, caption, picture)
    print(f'All figures: {options.json}\nThe picture: {picture}')
    return 1 if failures else 0


def contest_table(results: Sequence[Result], unit: str) -> str:
    """A block a contest, a line an entrant: time, ratio and its quartiles, units per second."""
    lines = []
    for title in dict.fromkeys(result.contest for result in results):
        lines.append([title, f'ms per {unit}', 'ratio', 'quartiles', f'{unit}s per second'])
        for result in results:
            if result.contest == title:
                seconds = median(result.seconds)
                low, high = result.quartiles
                lines.append([
                    f'  {result.entrant}', f'{seconds * 1e3:,.3f}', f'{result.ratio:.3f}',
                    f'{low:.3f} to {high:.3f}', f'{1 / seconds:,.1f}',
                ])  # fmt: skip
    return align_columns(lines)


def draw_contests(results: Sequence[Result], caption: str, path: str | Path) -> None:
    """Draws each entrant's ratio with its quartiles on a log scale, a block a contest.

    Args:
        results: of :func:`hold`.
        caption: what was timed on what.
        path: of the picture; the suffix tells the format.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    titles = list(dict.fromkeys(result.contest for result in results))
    blocks = [[result for result in results if result.contest == title] for title in titles]
    heights = [len(block) for block in blocks]
    figure = new_figure(8, 0.9 + 0.3 * sum(heights) + 0.45 * len(blocks))
    grid = figure.subplots(
        len(blocks), 1, sharex=True, squeeze=False, gridspec_kw={'height_ratios': heights}
    )
    for axes, title, block in zip(grid[:, 0], titles, blocks):
        for row, result in enumerate(block):
            low, high = result.quartiles
            colour = PALETTE[0] if 'GO4Align' in result.entrant else GREY
            axes.plot([low, high], [row, row], color=colour, linewidth=3, alpha=0.4)
            axes.plot(result.ratio, row, 'o', color=colour)
            axes.annotate(
                f'{result.ratio:.3g}', (high, row), xytext=(6, 0), textcoords='offset points',
                va='center', fontsize=8, annotation_clip=False,
            )  # fmt: skip
        axes.set_title(title, fontsize=10, loc='left')
        axes.set_yticks(range(len(block)), [result.entrant for result in block])
        axes.set_ylim(len(block) - 0.5, -0.5)
        axes.axvline(1, color='0.8', linewidth=1, zorder=0)
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis='x', color='0.93')
        axes.tick_params(axis='y', length=0)
        axes.spines[['top', 'right', 'left']].set_visible(False)
    grid[-1, 0].set_xlabel('time, relative to the first of the block')
    add_caption(figure, caption)
    save(figure, path)
