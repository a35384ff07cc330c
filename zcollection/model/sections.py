"""What people read of an object: sections of tables and lines, bounded, as text; `sections_html` makes HTML of the same."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Self, TypeVar

import attrs

from zcollection.model.texts import more, shortened

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], object]]
"""What a table says of an item, by the name of the column; None is an empty cell."""

MOST_ROWS: Final = 40
_MOST_LISTED: Final = 20
_INDENT: Final = "    "


@attrs.frozen
class Table:
    """Rows of texts.

    Attributes
    ----------
    title
        What stands above it; may be empty.
    columns
        The texts of each row, by the name of the column. Without any, the table is not shown.
    rest
        How many rows more there are than are shown.
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
        """Return a table with a row for each of the first items; columns that are empty are left out.

        Examples
        --------
        >>> table = Table.of("Texts", ["a", "bcd"], {"text": str, "length": len, "empty": lambda text: None})
        >>> print(as_text(Section("Two", [table])))
        Two
        Texts:
            text  length
            a          1
            bcd        3
        """
        shown = list(islice(items, most))
        cells = {name: [_cell(said(item)) for item in shown] for name, said in columns.items()}
        used = {name: texts for name, texts in cells.items() if any(texts)}
        return cls(title, used, len(items) - len(shown), has_header)

    @classmethod
    def pairs(cls, title: str, values: Mapping[str, object], *, most: int = MOST_ROWS) -> Self:
        """Return a table of values by name; those that are None are left out."""
        items = [(f"{shortened(name)}:", value) for name, value in values.items() if value is not None]
        columns: Columns[tuple[str, object]] = {"name": lambda item: item[0], "value": lambda item: item[1]}
        return cls.of(title, items, columns, most=most, has_header=False)

    @classmethod
    def listing(cls, title: str, items: Collection[object]) -> Self:
        """Return a table of what each item says."""
        return cls.of(title, items, {"text": str}, most=_MOST_LISTED, has_header=False)

    @property
    def lines(self) -> Iterator[str]:
        """What stands below the title, the columns aligned."""
        columns = [_aligned([name] if self.has_header else [], texts) for name, texts in self.columns.items()]
        yield from ("  ".join(row).rstrip() for row in zip(*columns, strict=True))
        yield from more(self.rest)


@attrs.frozen
class Section:
    """A title and what stands below it.

    Attributes
    ----------
    title
        One line.
    parts
        Lines, tables and further sections.
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


def are_numbers(texts: Iterable[str]) -> bool:
    """Return whether all cells of a column are numbers: these are aligned to the right."""
    return all(text.replace(",", "").isdigit() for text in texts if text)


def _aligned(header: list[str], texts: Sequence[str]) -> list[str]:
    cells, side = [*header, *texts], ">" if are_numbers(texts) else "<"
    width = max(map(len, cells))
    return [f"{cell:{side}{width}}" for cell in cells]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else shortened(value)


def named(*names: str) -> dict[str, Callable[[Any], object]]:
    """Return columns that are attributes of the items."""
    return {name: attrgetter(name) for name in names}


def heading(item: object, name: object = "") -> str:
    """Return the first line of what is printed of an object: its class, and what it is called or says in short."""
    return f"<zcollection.{type(item).__name__}{' ' if name else ''}{shortened(name)}>"
