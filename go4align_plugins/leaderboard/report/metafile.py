"""A report as an entry of a model index, in the form of MMSegmentation's ``metafile.yaml``."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from go4align_plugins.benchmarks.optional import import_optional
from go4align_plugins.leaderboard.report.table import Report, Row

TASKS = {
    'segmentation': 'Semantic Segmentation',
    'depth': 'Depth Estimation',
    'normal': 'Surface Normal Estimation',
    '': 'Multi-Task Learning',
}


def render_metafile(report: Report) -> str:
    """A collection, and a model for each method with its results as printed in the table.

    Raises:
        ImportError: if PyYAML is absent.
    """
    collection = f'{report.benchmark.title} leaderboard'
    content = {
        'Collections': [
            {
                'Name': collection,
                'Metadata': {'Training Data': [report.benchmark.title]},
                'Paper': {
                    'Title': 'GO4Align: Group Optimization for Multi-Task Alignment',
                    'URL': 'https://arxiv.org/abs/2404.06486',
                },
                'Frameworks': ['PyTorch'],
            }
        ],
        'Models': [_model(report, row, collection) for row in report.rows],
    }
    yaml = import_optional('yaml')
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _model(report: Report, row: Row, collection: str) -> dict[str, Any]:
    config = report.config
    facts = {
        'Training Data': report.benchmark.title,
        'Weighting': row.method,
        'Architecture': [config[key] for key in ('arch', 'backbone') if config.get(key)],
        'Protocol': config.get('protocol'),
        'Epochs': config.get('epochs'),
        'Batch Size': config.get('batch_size'),
        'Seeds': list(row.seeds),
    }
    return {
        'Name': re.sub(
            r'[^a-z0-9.=-]+', '-', f'{row.method}_{report.benchmark.title}'.lower()
        ).strip('-'),
        'In Collection': collection,
        'Metadata': {key: value for key, value in facts.items() if value},
        'Results': _results(report, row),
    }


def _results(report: Report, row: Row) -> list[dict[str, Any]]:
    """A result a task; what judges the method as a whole is a result of its own."""
    results = []
    for task, columns in groupby(report.columns, lambda column: column.key[0]):
        metrics = {
            column.key[1]: round(row.means[column.key] * column.factor, column.digits)
            for column in columns
            if column.key in row.means
        }
        if metrics:
            results.append(
                {
                    'Task': TASKS.get(task, task),
                    'Dataset': report.benchmark.title,
                    'Metrics': metrics,
                }
            )
    return results
