"""Print a table as LaTeX, for the package booktabs."""

from __future__ import annotations

from go4align_plugins.leaderboard.report.table import OPTIMISTIC, Table, frame, spans

SYMBOLS = str.maketrans(
    {
        '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$',
        '#': r'\#', '_': r'\_', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
        '<': '$<$', '>': '$>$', '±': r'$\pm$', '–': '--', '×': r'$\times$',  # noqa: RUF001
        '↑': r'$\uparrow$', '↓': r'$\downarrow$', '°': r'$^\circ$', '²': '$^2$', '³': '$^3$',
        '[': '{[}', ']': '{]}', '\n': ' ', '\r': ' ',
    }
)  # fmt: skip


def render_latex(table: Table) -> str:
    """Print the table, and its best epochs if it has them, each with its caption and notes.

    Raises:
        ImportError: if pandas is absent.
    """
    parts = [r'% \usepackage{booktabs, graphicx}', _table(table)]
    if table.best is not None:
        parts += [rf'% {OPTIMISTIC}', _table(table.best)]
    return '\n'.join(parts)


def escape(text: str) -> str:
    """Escape a text so that LaTeX prints it as it is."""
    return text.translate(SYMBOLS)


def _table(table: Table) -> str:
    columns = table.brief
    body = []
    for name, cells, published in table.lines(columns):
        texts = [escape(text) for text in (name, *(cell.text for cell in cells))]
        marks = [r'\textit'] * len(texts) if published else ['', *_marks(cells)]
        body.append([rf'{mark}{{{t}}}' if mark else t for mark, t in zip(marks, texts)])
    heads = [
        (escape(c.key[0]), escape(f'{c.title} ({c.unit})' if c.unit else c.title)) for c in columns
    ]
    # Styler's jinja2 comes with torch.
    style = frame(body, heads, 'method').style
    width = f'l{"r" * len(columns)}'
    tabular = style.to_latex(hrules=True, multicol_align='c', column_format=width).splitlines()
    rules, start = '', 2
    for task, span in spans(columns):
        rules += rf'\cmidrule(lr){{{start}-{start + span - 1}}}' if task else ''
        start += span
    tabular.insert(3, rules)
    if table.published:
        tabular.insert(-2 - len(table.published), r'\midrule')
    notes = [rf'\par\smallskip\footnotesize {escape(note)}' for note in table.notes]
    failures = [rf'\par\footnotesize Failed: {escape(str(each))}' for each in table.failures]
    lines = [
        r'\begin{table}', r'\centering', rf'\caption{{{escape(table.caption)}}}',
        r'\resizebox{\linewidth}{!}{%', *tabular[:-1], rf'{tabular[-1]}}}', *notes, *failures,
        r'\end{table}', '',
    ]  # fmt: skip
    return '\n'.join(lines)


def _marks(cells: list) -> list[str]:
    return [r'\textbf' if cell.best else '' for cell in cells]
