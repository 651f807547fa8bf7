"""Print a table as an entry of a model index, in the form of MMSegmentation's ``metafile.yaml``."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from go4align_plugins.leaderboard.report.table import Row, Table
from go4align_plugins.utils.optional import import_optional

TASKS = {
    'segmentation': 'Semantic Segmentation',
    'depth': 'Depth Estimation',
    'normal': 'Surface Normal Estimation',
    '': 'Multi-Task Learning',
}
PAPER = {
    'Title': 'GO4Align: Group Optimization for Multi-Task Alignment',
    'URL': 'https://arxiv.org/abs/2404.06486',
}


def render_metafile(table: Table) -> str:
    """Print a collection, and a model for each method with its results as in the table."""
    title = table.benchmark.title
    collection = {
        'Name': f'{title} leaderboard',
        'Metadata': {'Training Data': [title]},
        'Paper': PAPER,
        'Frameworks': ['PyTorch'],
    }
    content = {'Collections': [collection], 'Models': [_model(table, row) for row in table.rows]}
    yaml = import_optional('yaml')
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _model(table: Table, row: Row) -> dict[str, Any]:
    config, title = table.config, table.benchmark.title
    facts = {
        'Training Data': title,
        'Weighting': row.method,
        'Architecture': [config[key] for key in ('arch', 'backbone') if config.get(key)],
        'Protocol': config.get('protocol'),
        'Epochs': config.get('epochs'),
        'Batch Size': config.get('batch_size'),
        'Seeds': list(row.seeds),
    }
    results = []
    for task, columns in groupby(table.columns, lambda column: column.key[0]):
        metrics = {
            column.key[1]: round(row.means[column.key] * column.factor, column.digits)
            for column in columns
            if column.key in row.means
        }
        if metrics:
            results.append({'Task': TASKS.get(task, task), 'Dataset': title, 'Metrics': metrics})
    return {
        'Name': re.sub(r'[^a-z0-9.=-]+', '-', f'{row.method}_{title}'.lower()).strip('-'),
        'In Collection': f'{title} leaderboard',
        'Metadata': {key: value for key, value in facts.items() if value},
        'Results': results,
    }
