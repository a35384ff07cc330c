"""Sections as HTML, for notebooks: parts that open and close, every text escaped, no scripts, colours those of the page."""

from collections.abc import Iterable, Sequence
from html import escape

from zcollection.model.sections import Part, Section, Table, are_numbers
from zcollection.model.texts import more


def as_html(section: Section) -> str:
    """Return a section as HTML."""
    return f"<div><strong>{escape(section.title)}</strong>{_blocks(section.parts)}</div>"


def _blocks(parts: Sequence[Part]) -> str:
    return "".join(map(_block, parts))


def _block(part: Part) -> str:
    if isinstance(part, str):
        return f"<div>{escape(part)}</div>"
    body = _blocks(part.parts) if isinstance(part, Section) else _table(part)
    if not part.title or not body:
        return body
    return f"<details open style='margin-left:1em'><summary>{escape(part.title)}</summary>{body}</details>"


def _table(table: Table) -> str:
    sides = ["right" if are_numbers(texts) else "left" for texts in table.columns.values()]
    rows = [_row("td", row, sides) for row in zip(*table.columns.values(), strict=True)]
    header = [_row("th", table.columns, sides)] if table.has_header else []
    rest = "".join(f"<div>{line}</div>" for line in more(table.rest))
    return f"<table>{''.join([*header, *rows])}</table>{rest}" if rows else ""


def _row(tag: str, texts: Iterable[str], sides: Iterable[str]) -> str:
    cells = zip(sides, map(escape, texts), strict=True)
    row = "".join(f"<{tag} style='padding:0 1em 0 0;text-align:{side}'>{text}</{tag}>" for side, text in cells)
    return f"<tr>{row}</tr>"
