"""Write a report in its forms, each by its file's suffix; as an entry of a model index, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from go4align_plugins.leaderboard.report.html import render_html
from go4align_plugins.leaderboard.report.table import Table, check
from go4align_plugins.leaderboard.report.text import (
    render_console,
    render_csv,
    render_latex,
    render_markdown,
)
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional

TASKS = {
    'segmentation': 'Semantic Segmentation',
    'depth': 'Depth Estimation',
    'normal': 'Surface Normal Estimation',
    '': 'Multi-Task Learning',
}


def render_metafile(table: Table) -> str:
    """Print a model for each method, in the form of MMSegmentation's ``metafile.yaml``."""
    title, config, models = table.benchmark.title, table.config, []
    for row in table.rows:
        facts = {
            'Training Data': title,
            'Weighting': row.method,
            'Architecture': [config[key] for key in ('arch', 'backbone') if config.get(key)],
            'Protocol': config.get('protocol'),
            'Epochs': config.get('epochs'),
            'Batch Size': config.get('batch_size'),
            'Seeds': list(row.seeds),
        }
        metrics: dict[str, dict[str, float]] = {}
        for column in table.columns:
            if column.key in row.means:
                task, name = column.key
                figure = round(row.means[column.key] * column.factor, column.digits)
                metrics.setdefault(TASKS.get(task, task), {})[name] = figure
        models.append({
            'Name': re.sub(r'[^a-z0-9.=-]+', '-', f'{row.method}_{title}'.lower()).strip('-'),
            'In Collection': f'{title} leaderboard',
            'Metadata': {key: value for key, value in facts.items() if value},
            'Results': [
                {'Task': task, 'Dataset': title, 'Metrics': own} for task, own in metrics.items()
            ],
        })  # fmt: skip
    collection = {
        'Name': f'{title} leaderboard',
        'Metadata': {'Training Data': [title]},
        'Paper': {
            'Title': 'GO4Align: Group Optimization for Multi-Task Alignment',
            'URL': 'https://arxiv.org/abs/2404.06486',
        },
        'Frameworks': ['PyTorch'],
    }
    content = {'Collections': [collection], 'Models': models}
    yaml = import_optional('yaml')
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


FORMATS: dict[str, tuple[str, Callable[[Table], str]]] = {
    'md': ('report.md', render_markdown),
    'csv': ('report.csv', render_csv),
    'tex': ('report.tex', render_latex),
    'yml': ('metafile.yml', render_metafile),
    'html': ('report.html', render_html),
}


class Report(Table):
    """A table of methods that prints and writes itself."""

    markdown = render_markdown
    console = render_console
    csv = render_csv

    def write(self, folder: str | Path, formats: Sequence[str] = ('md', 'csv')) -> list[Path]:
        """Write the report into a folder in some of ``FORMATS``; return the files.

        Raises:
            ValueError: if a format is unknown.
            OSError: if a file cannot be written; the message names it.
        """
        unknown = sorted(set(formats) - set(FORMATS))
        rule = f'Parameter `formats` should be of {", ".join(FORMATS)}'
        check(not unknown, rule, ', '.join(unknown))
        folder = Path(folder)
        texts = {folder / name: render(self) for name, render in map(FORMATS.__getitem__, formats)}
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            save_bytes(path, text.encode())
        return list(texts)
