"""Sections as HTML for notebooks: collapsible parts, escaped text, no scripts, colours of the page."""

from collections.abc import Iterable, Iterator, Sequence
from xml.etree.ElementTree import Element

from zcollection.model.formatting import more
from zcollection.model.markup import tag, to_html
from zcollection.model.sections import Part, Section, Table, are_numbers


def as_html(section: Section) -> str:
    """Return a section as HTML."""
    return to_html(tag("div", tag("strong", section.title), elements_of(section.parts)))


def elements_of(parts: Sequence[Part]) -> list[Element]:
    """Return parts of a section as HTML elements."""
    return [element for part in parts for element in _block(part)]


def _block(part: Part) -> Iterator[Element]:
    if isinstance(part, str):
        yield tag("div", part)
        return
    body = elements_of(part.parts) if isinstance(part, Section) else list(_table(part))
    if not part.title or not body:
        yield from body
    else:
        yield tag("details", tag("summary", part.title), body, open="", style="margin-left:1em")


def _table(table: Table) -> Iterator[Element]:
    sides = ["right" if are_numbers(cells) else "left" for cells in table.columns.values()]
    rows = [_row("td", row, sides) for row in zip(*table.columns.values(), strict=True)]
    if not rows:
        return
    element = tag("table", _row("th", table.columns, sides) if table.has_header else None, rows)
    yield tag("div", element, style="overflow-x:auto")  # scrolls if it is wider than the page
    yield from (tag("div", line) for line in more(table.rest))


def _row(name: str, cells: Iterable[str], sides: Iterable[str]) -> Element:
    aligned = zip(sides, cells, strict=True)
    return tag("tr", [tag(name, cell, style=f"padding:0 1em 0 0;text-align:{side}") for side, cell in aligned])
