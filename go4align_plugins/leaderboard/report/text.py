"""Print a table as Markdown, for the console, and as CSV."""

from __future__ import annotations

from collections.abc import Sequence

from go4align_plugins.leaderboard.report.table import FAILED, OPTIMISTIC, Cell, Column, Table, frame
from go4align_plugins.leaderboard.run.store import printable
from go4align_plugins.utils.optional import import_optional

BEST = 'best'  # in the column `epochs` of a CSV: the rest are means over the last epochs
PLAIN_MARKDOWN = {
    '\\': '\\\\', '&': '&amp;', '<': '&lt;', '|': '\\|', '](': ']\\(', '\n': ' ', '\r': ' '
}  # fmt: skip
FORMULA = ('=', '+', '-', '@', '\t', '\r')  # a spreadsheet takes these for the start of one


def render_markdown(table: Table) -> str:
    """Print as Markdown; the best of the multi-task methods is bold, a paper's rows italic."""
    columns = table.brief
    titles = [
        '<br>'.join(filter(None, (c.key[0], escape_markdown(c.title), c.unit))) for c in columns
    ]
    lines = []
    for name, cells, published in table.lines(columns):
        texts = [escape_markdown(name), *map(_bold, cells)]
        lines.append([f'*{text}*' for text in texts] if published else texts)
    parts = [_markdown(['method', *titles], lines)]
    parts += map(escape_markdown, (table.caption, *table.notes))
    details = [column for column in table.columns if column not in columns]
    if details:  # a line a metric and a column a method: 40 tasks are longer than a page is wide
        methods = [escape_markdown(row.method) for row in table.rows]
        lines = [
            [escape_markdown(_full_name(column)), *map(_bold, cells)]
            for column, *cells in zip(details, *table.cells(details, table.rows))
        ]
        parts.append(_markdown(['metric', *methods], lines))
    if table.failures:
        parts += [FAILED, '\n'.join(f'- {escape_markdown(str(each))}' for each in table.failures)]
    if table.best is not None:
        parts += [f'### {OPTIMISTIC}', render_markdown(table.best).rstrip('\n')]
    return '\n\n'.join(parts) + '\n'


def render_console(table: Table) -> str:
    """Print with aligned columns; the best of the multi-task methods carries a star.

    Raises:
        ImportError: if pandas is absent.
    """
    columns = table.brief
    lines = [
        [printable(name), *(f'{cell.text}{"*" if cell.best else " "}' for cell in cells)]
        for name, cells, _ in table.lines(columns)
    ]
    heads = [(c.key[0], f'{c.title} ', f'{c.unit} ') for c in columns]
    text = frame(lines, heads, 'method').to_string().splitlines()
    rule = '-' * len(text[0])
    for place in sorted({3, 3 + len(table.rows), len(text)}, reverse=True):
        text.insert(place, rule)
    text += [table.caption, *table.notes]
    if table.failures:
        text += [FAILED, *(f'  {printable(str(failure))}' for failure in table.failures)]
    if table.best is not None:
        text += ['', OPTIMISTIC, render_console(table.best).rstrip('\n')]
    return '\n'.join([text[0].rstrip(), *text[1:]]) + '\n'


def render_csv(table: Table) -> str:
    """Print as comma-separated values: one line a method, figures as stored at full precision.

    The best epochs' lines follow, marked in the column ``epochs``.

    Raises:
        ImportError: if pandas is absent.
    """
    marked = [('last', row) for row in table.rows]
    marked += [(BEST, row) for row in (table.best.rows if table.best else ())]
    rows = [row for _, row in marked]
    columns: dict[str, list] = {
        'method': [as_text(row.method) for row in rows],
        'seeds': [' '.join(map(str, row.seeds)) for row in rows],
        'benchmark': [table.benchmark.name] * len(rows),
    }
    if table.best is not None:
        columns['epochs'] = [epochs for epochs, _ in marked]
    for column in table.columns:
        key, name = column.key, '/'.join(filter(None, column.key))
        columns[name] = [row.means.get(key, '') for row in rows]
        if any(key in row.deviations for row in rows):
            columns[f'{name} std'] = [row.deviations.get(key, '') for row in rows]
        if any(key in row.intervals for row in rows):
            ends = [row.intervals.get(key, ('', '')) for row in rows]
            columns[f'{name} low'], columns[f'{name} high'] = map(list, zip(*ends))
    pandas = import_optional('pandas', user='Tables')
    return pandas.DataFrame(columns).to_csv(index=False, na_rep='nan', lineterminator='\n')


def escape_markdown(text: str) -> str:
    """Escape tags, pictures, links, ends of cells and new lines."""
    for character, safe in PLAIN_MARKDOWN.items():
        text = text.replace(character, safe)
    return text


def as_text(name: str) -> str:
    """Put a quote before a name that a spreadsheet would take for a formula."""
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def from_text(field: str) -> str:
    """Undo :func:`as_text`."""
    return field[1:] if field[:1] == "'" and field.lstrip("'").startswith(FORMULA) else field


def _markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ['---', *('---:' for _ in heads[1:])]
    return '\n'.join(f'| {" | ".join(line)} |' for line in (heads, rule, *lines))


def _bold(cell: Cell) -> str:
    return f'**{cell.text}**' if cell.best else cell.text


def _full_name(column: Column) -> str:
    return ' '.join(filter(None, (column.key[0], column.title, column.unit)))
