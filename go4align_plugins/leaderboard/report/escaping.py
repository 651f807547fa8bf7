"""Names and reasons as text that does nothing: on a console, in Markdown, in a spreadsheet."""

from __future__ import annotations

PLAIN_MARKDOWN = {
    '\\': '\\\\', '&': '&amp;', '<': '&lt;', '|': '\\|', '](': ']\\(', '\n': ' ', '\r': ' '
}  # fmt: skip
FORMULA = ('=', '+', '-', '@', '\t', '\r')  # what a spreadsheet takes for the begin of one


def printable(text: str) -> str:
    """A text of which no character steers a terminal."""
    return ''.join(character if character.isprintable() else ' ' for character in text)


def escape_markdown(text: str) -> str:
    """No tag, picture or link, no cell's end and no new line comes from what a table is given."""
    for character, safe in PLAIN_MARKDOWN.items():
        text = text.replace(character, safe)
    return text


def as_text(name: str) -> str:
    """A name as a CSV's field that no spreadsheet takes for a formula, by a quote before it."""
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def from_text(field: str) -> str:
    """The name that :func:`as_text` was given."""
    return field[1:] if field[:1] == "'" and field.lstrip("'").startswith(FORMULA) else field
