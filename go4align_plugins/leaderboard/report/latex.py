"""A report as LaTeX: a table for the package booktabs."""

from __future__ import annotations

from itertools import groupby

from go4align_plugins.leaderboard.report.table import OPTIMISTIC, Column, Report

SYMBOLS = str.maketrans(
    {
        '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$',
        '#': r'\#', '_': r'\_', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
        '<': '$<$', '>': '$>$', '±': r'$\pm$', '–': '--', '×': r'$\times$',  # noqa: RUF001
        '↑': r'$\uparrow$', '↓': r'$\downarrow$', '°': r'$^\circ$', '²': '$^2$', '³': '$^3$',
        '[': '{[}', ']': '{]}', '\n': ' ', '\r': ' ',
    }
)  # fmt: skip


def render_latex(report: Report) -> str:
    """The table, and that of the best epochs if there is one, each with its caption and notes."""
    parts = [r'% \usepackage{booktabs, graphicx}', _table(report)]
    if report.best is not None:
        parts += [rf'% {OPTIMISTIC}', _table(report.best)]
    return '\n'.join(parts)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return text.translate(SYMBOLS)


def _table(report: Report) -> str:
    columns = report.brief
    lines = [
        r'\begin{table}',
        r'\centering',
        rf'\caption{{{escape(report.caption)}}}',
        r'\resizebox{\linewidth}{!}{%',
        rf'\begin{{tabular}}{{l{"r" * len(columns)}}}',
        r'\toprule',
        *_heads(columns),
        r'\midrule',
    ]
    for row, cells in zip(report.rows, report.cells(columns, report.rows)):
        texts = [escape(cell.text) for cell in cells]
        marked = [rf'\textbf{{{t}}}' if cell.best else t for t, cell in zip(texts, cells)]
        lines.append(_line([escape(row.method), *marked]))
    if report.published:
        lines.append(r'\midrule')
    for row, cells in zip(report.published, report.cells(columns, report.published)):
        texts = [f'{row.method} (published)', *(cell.text for cell in cells)]
        lines.append(_line([rf'\textit{{{escape(text)}}}' for text in texts]))
    lines += [r'\bottomrule', r'\end{tabular}}']
    lines += [rf'\par\smallskip\footnotesize {escape(note)}' for note in report.notes]
    lines += [rf'\par\footnotesize Failed: {escape(str(failure))}' for failure in report.failures]
    return '\n'.join([*lines, r'\end{table}', ''])


def _heads(columns: tuple[Column, ...]) -> list[str]:
    """The tasks over their metrics, then the metrics with their units."""
    tasks, rules, start = [''], [], 2
    for task, group in groupby(columns, lambda column: column.key[0]):
        count = len(list(group))
        tasks.append(rf'\multicolumn{{{count}}}{{c}}{{{escape(task)}}}')
        if task:
            rules.append(rf'\cmidrule(lr){{{start}-{start + count - 1}}}')
        start += count
    titles = [
        escape(f'{column.title} ({column.unit})' if column.unit else column.title)
        for column in columns
    ]
    return [_line(tasks), ''.join(rules), _line(['method', *titles])]


def _line(cells: list[str]) -> str:
    return ' & '.join(cells) + r' \\'
