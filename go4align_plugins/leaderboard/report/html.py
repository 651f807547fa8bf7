"""A report as one HTML page that needs no network: sortable tables, curves and weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from itertools import groupby
from math import isfinite
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from go4align_plugins.benchmarks.canvas import PALETTE
from go4align_plugins.leaderboard.analyse.pictures import relative_weights
from go4align_plugins.leaderboard.report.table import FAILED, OPTIMISTIC, Column, Report, Row
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method

TEMPLATES = Path(__file__).with_name('templates')
MAX_BINS = 60  # columns of a heat map; of a longer training each is the mean of some epochs


def render_html(report: Report) -> str:
    """The page. All that it shows is escaped: names and reasons come from outside."""
    parts = {
        'title': escape(f'{report.benchmark.title} leaderboard'),
        'style': _template('report.css'),
        'script': _template('report.js'),
        'table': _section(report),
        'best': f'<h2>{OPTIMISTIC}</h2>{_section(report.best)}' if report.best else '',
        'failures': _failures(report),
        # No text in it can end the script's element.
        'data': json.dumps(_data(report), allow_nan=False).replace('<', '\\u003c'),
    }
    return Template(_template('report.html')).substitute(parts)


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding='utf-8')


def _section(report: Report) -> str:
    """A table with its caption above and its notes below."""
    heads = ''.join(_head(column) for column in report.columns)
    body = ''.join(_rows(report, report.rows, ''))
    if report.published:
        span = len(report.columns)
        body += (
            '</tbody><tbody class="published"><tr class="block"><th scope="rowgroup">Published'
            f'</th><td colspan="{span}"></td></tr>'
            + ''.join(_rows(report, report.published, ' (published)'))
        )
    notes = ''.join(f'<li>{escape(note)}</li>' for note in report.notes)
    return (
        f'<p class="caption">{escape(report.caption)}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="results">'
        f'<table><thead><tr><td></td>{_tasks(report.columns)}</tr>'
        f'<tr><th scope="col" aria-sort="none"><button type="button">method</button></th>{heads}'
        f'</tr></thead><tbody>{body}</tbody></table></div><ul class="notes">{notes}</ul>'
    )


def _tasks(columns: Sequence[Column]) -> str:
    spans = ((task, len(list(group))) for task, group in groupby(columns, lambda c: c.key[0]))
    return ''.join(
        f'<th scope="colgroup" colspan="{span}">{escape(task)}</th>' for task, span in spans
    )


def _head(column: Column) -> str:
    better = 'high' if column.higher_is_better else 'low'
    unit = f'<small> {escape(column.unit)}</small>'
    return (
        f'<th scope="col" aria-sort="none" data-better="{better}">'
        f'<button type="button">{escape(column.title)}{unit}</button></th>'
    )


def _rows(report: Report, rows: Sequence[Row], mark: str) -> list[str]:
    lines = []
    for row, cells in zip(rows, report.cells(report.columns, rows)):
        figures = ''
        for column, (figure, spread, best) in zip(report.columns, cells):
            value = row.means.get(column.key)
            data = f' data-value="{value!r}"' if value is not None and isfinite(value) else ''
            shown = f'<strong>{escape(figure)}</strong>' if best else escape(figure)
            figures += f'<td{data}>{shown}<small>{escape(spread)}</small></td>'
        seeds = f' title="seeds {" ".join(map(str, row.seeds))}"' if row.seeds else ''
        name = escape(row.method + mark)
        lines.append(f'<tr><th scope="row"{seeds}>{name}</th>{figures}</tr>')
    return lines


def _failures(report: Report) -> str:
    if not report.failures:
        return ''
    lines = ''.join(
        f'<li><b>{escape(failure.method)}</b>, seed {failure.seed}: {escape(failure.reason)} '
        f'<code>{escape(failure.log)}</code></li>'
        for failure in report.failures
    )
    return f'<h2>Failed</h2><p>{FAILED}</p><ul class="failures">{lines}</ul>'


def _data(report: Report) -> dict[str, Any]:
    """What the page draws: curves of every metric, and weights of every method that has them."""
    methods = by_method(report.runs)
    metrics = [column for column in report.columns if column.key[0]]
    names = [method for method in methods if method != SINGLE_TASK]
    weights = [_weights(method, methods[method]) for method in names]
    return {
        'colours': {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)},
        'dashes': {name: index // len(PALETTE) for index, name in enumerate(names)},
        'curves': [_curves(column, methods) for column in metrics] if methods else [],
        'weights': [panel for panel in weights if panel is not None],
    }


def _curves(column: Column, methods: dict[str, list[Run]]) -> dict[str, Any]:
    """A metric over the epochs: each method's mean, and its range over the seeds."""
    task, name = column.key
    lines = []
    for method, runs in methods.items():
        values = [
            [entry['test']['metrics'][task][name] for entry in run.epochs]
            for run in runs
            if task in run.tasks
        ]
        if values:
            figures = column.factor * np.array(values, dtype=float)
            band = (figures.mean(0), figures.min(0), figures.max(0))
            lines.append({'method': method, 'values': [list(map(_short, part)) for part in band]})
    return {'title': f'{task}: {column.title}', 'unit': column.unit, 'lines': lines}


def _weights(method: str, runs: Sequence[Run]) -> dict[str, Any] | None:
    """Each task's weight relative to the epoch's mean weight; the mean over the seeds."""
    try:
        panels = np.array([relative_weights(run) for run in runs])
    except ValueError:  # a method without weights, such as one that projects gradients
        return None
    mean = panels.mean(axis=0)
    bins = np.array_split(np.arange(len(mean)), min(len(mean), MAX_BINS))
    return {
        'method': method,
        'tasks': list(runs[0].tasks),
        'epochs': [f'{part[0]}' if len(part) == 1 else f'{part[0]}-{part[-1]}' for part in bins],
        'values': [[_short(mean[part, index].mean()) for part in bins] for index in
                   range(mean.shape[1])],
    }  # fmt: skip


def _short(value: float) -> float | None:
    """Five digits, which no eye can tell from more; JSON knows no NaN."""
    return float(f'{value:.5g}') if isfinite(value) else None
