"""Print a table as Markdown, for the console, as LaTeX for the package booktabs, and as CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from go4align_plugins.leaderboard.report.table import FAILED, OPTIMISTIC, PARTS, Table, frame
from go4align_plugins.leaderboard.run.runs import printable
from go4align_plugins.utils.optional import import_optional

BEST = 'best'  # in the column `epochs` of a CSV: the rest are means over the last epochs
PLAIN_MARKDOWN = {
    '\\': '\\\\', '&': '&amp;', '<': '&lt;', '|': '\\|', '](': ']\\(', '\n': ' ', '\r': ' '
}  # fmt: skip
SYMBOLS = str.maketrans(
    {
        '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$',
        '#': r'\#', '_': r'\_', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
        '<': '$<$', '>': '$>$', '±': r'$\pm$', '–': '--', '×': r'$\times$',  # noqa: RUF001
        '↑': r'$\uparrow$', '↓': r'$\downarrow$', '°': r'$^\circ$', '²': '$^2$', '³': '$^3$',
        '[': '{[}', ']': '{]}', '\n': ' ', '\r': ' ',
    }
)  # fmt: skip
FORMULA = ('=', '+', '-', '@', '\t', '\r')  # a spreadsheet takes these for the start of one


def render_markdown(table: Table) -> str:
    """Print as Markdown; the best of the multi-task methods is bold, a paper's rows italic."""
    columns, plain = table.brief, escape_markdown
    heads = ['<br>'.join(filter(None, (c.key[0], plain(c.title), c.unit))) for c in columns]
    lines = table.lines(columns, plain, '**{}**', published='*{}*')
    parts = [_markdown(['method', *heads], lines), *map(plain, (table.caption, *table.notes))]
    details = [column for column in table.columns if column not in columns]
    if details:  # a line a metric and a column a method: 40 tasks are longer than a page is wide
        names = [plain(' '.join(filter(None, (c.key[0], c.title, c.unit)))) for c in details]
        methods, *figures = zip(*table.lines(details, plain, '**{}**')[: len(table.rows)])
        lines = [[name, *line] for name, line in zip(names, figures)]
        parts.append(_markdown(['metric', *methods], lines))
    if table.failures:
        parts += [FAILED, '\n'.join(f'- {plain(str(failure))}' for failure in table.failures)]
    if table.best is not None:
        parts += [f'### {OPTIMISTIC}', render_markdown(table.best).rstrip('\n')]
    return '\n\n'.join(parts) + '\n'


def render_console(table: Table) -> str:
    """Print with aligned columns; the best of the multi-task methods carries a star."""
    heads = [(c.key[0], f'{c.title} ', f'{c.unit} ') for c in table.brief]
    lines = table.lines(table.brief, printable, '{}*', '{} ')
    text = frame(lines, heads).to_string().splitlines()
    rule = '-' * len(text[0])
    for place in sorted({3, 3 + len(table.rows), len(text)}, reverse=True):
        text.insert(place, rule)
    text += map(printable, (table.caption, *table.notes))
    if table.failures:
        text += [FAILED, *(f'  {printable(str(failure))}' for failure in table.failures)]
    if table.best is not None:
        text += ['', OPTIMISTIC, render_console(table.best).rstrip('\n')]
    return '\n'.join([text[0].rstrip(), *text[1:]]) + '\n'


def render_latex(table: Table) -> str:
    """Print a float; the best epochs, if the table has them, are a second one."""
    columns = table.brief
    heads = [(escape(column.key[0]), escape(column.heading)) for column in columns]
    lines = table.lines(columns, escape, r'\textbf{{{}}}', published=r'\textit{{{}}}')
    # Styler's jinja2 comes with torch.
    tabular = frame(lines, heads).style.to_latex(
        hrules=True, multicol_align='c', column_format=f'l{"r" * len(columns)}'
    )
    body, rules, start = tabular.splitlines(), '', 2
    for task, span in Counter(column.key[0] for column in columns).items():
        rules += rf'\cmidrule(lr){{{start}-{start + span - 1}}}' if task else ''
        start += span
    body.insert(3, rules)
    if table.published:
        body.insert(-2 - len(table.published), r'\midrule')
    below = [rf'\par\smallskip\footnotesize {escape(note)}' for note in table.notes]
    below += [rf'\par\footnotesize Failed: {escape(str(each))}' for each in table.failures]
    text = [
        r'% \usepackage{booktabs, graphicx}', r'\begin{table}', r'\centering',
        rf'\caption{{{escape(table.caption)}}}', r'\resizebox{\linewidth}{!}{%',
        *body[:-1], rf'{body[-1]}}}', *below, r'\end{table}', '',
    ]  # fmt: skip
    if table.best is not None:
        text += [rf'% {OPTIMISTIC}', render_latex(table.best).partition('\n')[2]]
    return '\n'.join(text)


def render_csv(table: Table) -> str:
    """Print as comma-separated values: figures as stored; lines of best epochs are marked."""
    lines = []
    for epochs, rows in (('last', table.rows), (BEST, table.best.rows if table.best else ())):
        for row in rows:
            line: dict[str, Any] = {'method': as_text(row.method)}
            line['seeds'] = ' '.join(map(str, row.seeds))
            line['benchmark'] = table.benchmark.name
            if table.best:
                line['epochs'] = epochs
            for column in table.columns:
                name = '/'.join(filter(None, column.key))
                for part, own in PARTS.items():
                    line[f'{name}{part}'] = getattr(row, own).get(column.key, '')
            lines.append(line)
    data = import_optional('pandas', user='Tables').DataFrame(lines)
    absent = [name for name in data if name.endswith(tuple(PARTS)[1:]) and all(data[name] == '')]
    return data.drop(columns=absent).to_csv(index=False, na_rep='nan', lineterminator='\n')


def escape_markdown(text: str) -> str:
    """Escape tags, pictures, links, ends of cells and new lines."""
    for character, safe in PLAIN_MARKDOWN.items():
        text = text.replace(character, safe)
    return text


def escape(text: str) -> str:
    """Escape a text so that LaTeX prints it as it is."""
    return text.translate(SYMBOLS)


def as_text(name: str) -> str:
    """Put a quote before a name that a spreadsheet would take for a formula."""
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def from_text(field: str) -> str:
    """Undo :func:`as_text`."""
    return field[1:] if field[:1] == "'" and field.lstrip("'").startswith(FORMULA) else field


def _markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ['---', *('---:' for _ in heads[1:])]
    return '\n'.join(f'| {" | ".join(line)} |' for line in (heads, rule, *lines))
