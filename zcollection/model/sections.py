"""Printed forms of objects: sections of tables and lines, limited in length, as text (as HTML: `sections_html`)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Self, TypeVar

import attrs

from zcollection.model.formatting import more, shortened

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], object]]
"""Functions that return the cells of an item, by name of the column; None is an empty cell."""

MOST_ROWS: Final = 40
_MOST_LISTED: Final = 20
_INDENT: Final = "    "


@attrs.frozen
class Table:
    """A table of strings.

    Attributes
    ----------
    title
        Title above the table; may be empty.
    columns
        The cells of each column, by name of the column. A table without columns is not shown.
    rest
        Number of rows that are not shown.
    has_header
        Whether the names of the columns are shown.
    """

    title: str
    columns: Mapping[str, Sequence[str]]
    rest: int
    has_header: bool

    @classmethod
    def of(
        cls, title: str, items: Collection[T], columns: Columns[T], *, most: int = MOST_ROWS, has_header: bool = True
    ) -> Self:
        """Return a table with a row for each of the first items, without empty columns.

        Examples
        --------
        >>> table = Table.of("Strings", ["a", "bcd"], {"text": str, "length": len, "empty": lambda text: None})
        >>> print(as_text(Section("Two", [table])))
        Two
        Strings:
            text  length
            a          1
            bcd        3
        """
        shown = list(islice(items, most))
        cells = {name: [_cell(function(item)) for item in shown] for name, function in columns.items()}
        used = {name: column for name, column in cells.items() if any(column)}
        return cls(title, used, len(items) - len(shown), has_header)

    @classmethod
    def pairs(cls, title: str, values: Mapping[str, object], *, most: int = MOST_ROWS) -> Self:
        """Return a table of names and values, without values that are None."""
        items = [(f"{shortened(name)}:", value) for name, value in values.items() if value is not None]
        columns: Columns[tuple[str, object]] = {"name": lambda item: item[0], "value": lambda item: item[1]}
        return cls.of(title, items, columns, most=most, has_header=False)

    @classmethod
    def listing(cls, title: str, items: Collection[object]) -> Self:
        """Return a table with the text of each item."""
        return cls.of(title, items, {"text": str}, most=_MOST_LISTED, has_header=False)

    @property
    def lines(self) -> Iterator[str]:
        """The lines below the title, with aligned columns."""
        columns = [_aligned([name] if self.has_header else [], cells) for name, cells in self.columns.items()]
        yield from ("  ".join(row).rstrip() for row in zip(*columns, strict=True))
        yield from more(self.rest)


@attrs.frozen
class Section:
    """A title and the parts below it.

    Attributes
    ----------
    title
        The title, one line.
    parts
        Lines, tables and sections.
    """

    title: str
    parts: "Sequence[Part]" = ()


Part = str | Table | Section


def as_text(section: Section) -> str:
    """Return a section as lines of text."""
    return "\n".join([section.title, *_lines(section.parts)])


def _lines(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Section) or part.columns:
            yield from [f"{part.title}:"] if part.title else []
            inner = _lines(part.parts) if isinstance(part, Section) else part.lines
            yield from (f"{_INDENT}{line}" for line in inner)


def are_numbers(cells: Iterable[str]) -> bool:
    """Return whether all cells of a column are numbers, so that the column is aligned to the right."""
    return all(cell.replace(",", "").isdigit() for cell in cells if cell)


def _aligned(header: list[str], cells: Sequence[str]) -> list[str]:
    side, lines = ">" if are_numbers(cells) else "<", [*header, *cells]
    width = max(map(len, lines))
    return [f"{line:{side}{width}}" for line in lines]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else shortened(value)


def named(*names: str) -> dict[str, Callable[[Any], object]]:
    """Return columns that show the attributes of these names."""
    return {name: attrgetter(name) for name in names}


def heading(item: object, name: object = "") -> str:
    """Return the first line of the printed form of an object: its class, and its name or a summary."""
    return f"<zcollection.{type(item).__name__}{' ' if name else ''}{shortened(name)}>"
