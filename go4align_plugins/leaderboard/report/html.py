"""Print a table as one HTML page that needs no network: sortable tables, curves and weights."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from math import isfinite, nan
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from go4align_plugins.leaderboard.report.table import FAILED, OPTIMISTIC, Column, Table
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method
from go4align_plugins.plots.canvas import PALETTE

TEMPLATES = Path(__file__).with_name('templates')
MAX_BINS = 60  # columns of a heat map; of a longer training each is the mean of some epochs


def render_html(table: Table) -> str:
    """Print the page. All texts are escaped: names and reasons come from outside."""
    page, style, script = (
        (TEMPLATES / f'report.{suffix}').read_text(encoding='utf-8')
        for suffix in ('html', 'css', 'js')
    )
    failures = ''.join(
        f'<li><b>{escape(failure.method)}</b>, seed {failure.seed}: {escape(failure.reason)} '
        f'<code>{escape(failure.log)}</code></li>'
        for failure in table.failures
    )
    return Template(page).substitute(
        title=escape(f'{table.benchmark.title} leaderboard'),
        style=style,
        script=script,
        table=_section(table),
        best=f'<h2>{OPTIMISTIC}</h2>{_section(table.best)}' if table.best else '',
        failures=failures and f'<h2>Failed</h2><p>{FAILED}</p><ul class="failures">{failures}</ul>',
        # No text in it can end the script's element.
        data=json.dumps(_data(table), allow_nan=False).replace('<', '\\u003c'),
    )


def _section(table: Table) -> str:
    """Print a table with its caption above and its notes below."""
    tasks = ''.join(
        f'<th scope="colgroup" colspan="{span}">{escape(task)}</th>'
        for task, span in Counter(column.key[0] for column in table.columns).items()
    )
    heads = ''.join(
        f'<th scope="col" aria-sort="none" data-better="{"high" if c.higher_is_better else "low"}">'
        f'<button type="button">{escape(c.title)}<small> {escape(c.unit)}</small></button></th>'
        for c in table.columns
    )
    rows = ''
    for number, (row, cells) in enumerate(table.cells(table.columns)):
        if number == len(table.rows):
            rows += (
                '</tbody><tbody class="published"><tr class="block"><th scope="rowgroup">Published'
                f'</th><td colspan="{len(table.columns)}"></td></tr>'
            )
        seeds = f' title="seeds {" ".join(map(str, row.seeds))}"' if row.seeds else ''
        rows += f'<tr><th scope="row"{seeds}>{escape(row.method)}</th>'
        for column, (figure, spread, best) in zip(table.columns, cells):
            value = row.means.get(column.key, nan)
            data = f' data-value="{value!r}"' if isfinite(value) else ''
            shown = f'<strong>{escape(figure)}</strong>' if best else escape(figure)
            rows += f'<td{data}>{shown}<small>{escape(spread)}</small></td>'
        rows += '</tr>'
    notes = ''.join(f'<li>{escape(note)}</li>' for note in table.notes)
    return (
        f'<p class="caption">{escape(table.caption)}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="results">'
        f'<table><thead><tr><td></td>{tasks}</tr>'
        f'<tr><th scope="col" aria-sort="none"><button type="button">method</button></th>{heads}'
        f'</tr></thead><tbody>{rows}</tbody></table></div><ul class="notes">{notes}</ul>'
    )


def _data(table: Table) -> dict[str, Any]:
    """Collect curves of every metric, and weights of every method that has them."""
    methods = by_method(table.runs)
    metrics = [column for column in table.columns if column.key[0]] if methods else []
    names = [method for method in methods if method != SINGLE_TASK]
    return {
        'colours': {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)},
        'dashes': {name: index // len(PALETTE) for index, name in enumerate(names)},
        'curves': [_curves(column, methods) for column in metrics],
        'weights': [panel for name in names for panel in _weights(name, methods[name])],
    }


def _curves(column: Column, methods: dict[str, list[Run]]) -> dict[str, Any]:
    """Collect a metric over the epochs: each method's mean, and its range over the seeds."""
    lines = []
    for method, runs in methods.items():
        values = [run.curve(*column.key) for run in runs if column.key[0] in run.tasks]
        if values:
            figures = column.factor * np.array(values, dtype=float)
            band = (figures.mean(0), figures.min(0), figures.max(0))
            lines.append({'method': method, 'values': [list(map(_short, part)) for part in band]})
    title = f'{column.key[0]}: {column.title}'
    return {'title': title, 'unit': column.unit, 'lines': lines}


def _weights(method: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Average each task's relative weight over the seeds; none of a method without weights."""
    try:
        mean = np.array([run.relative_weights() for run in runs]).mean(axis=0)
    except ValueError:  # it projects gradients, for example
        return []
    bins = np.array_split(np.arange(len(mean)), min(len(mean), MAX_BINS))
    epochs = [f'{part[0]}' if len(part) == 1 else f'{part[0]}-{part[-1]}' for part in bins]
    values = [[_short(line[part].mean()) for part in bins] for line in mean.T]
    return [{'method': method, 'tasks': list(runs[0].tasks), 'epochs': epochs, 'values': values}]


def _short(value: float) -> float | None:
    """Round to five digits, which no eye can tell from more; JSON knows no NaN."""
    return float(f'{value:.5g}') if isfinite(value) else None
