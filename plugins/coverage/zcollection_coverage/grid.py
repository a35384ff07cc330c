"""The keys of partitions in rows and columns, folded to a readable number of cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from attrs import frozen

from zcollection.plugin import Key

MOST_CELLS: Final = 1600
"""The largest number of cells of a picture."""

_MOST_ROWS: Final = 60
_MOST_COLUMNS: Final = 64
_WRAPPED: Final = 31
"""The number of cells in a row if keys have a single field."""

_DATES: Final = ("year", "month", "day", "hour", "minute", "second")

Place = tuple[int, int]
"""The index of the row and of the column."""


@frozen(kw_only=True)
class Grid:
    """The keys of partitions in rows and columns.

    Attributes
    ----------
    rows, columns
        The labels of the rows and columns.
    cells
        The keys of each cell.
    row_names, column_name
        The key fields of the rows, and the key field of the columns.
    folded
        How keys are grouped in a cell; "" if each cell has one key.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[Place, Sequence[Key]]
    row_names: str
    column_name: str
    folded: str

    @classmethod
    def of(cls, keys: Iterable[Key]) -> "Grid":
        """Return the grid of keys, all of the same fields, in any order.

        With several fields, the last one gives the columns and the others give the rows. Fields are dropped from the end, and
        neighbours are grouped, until the number of cells is small enough.

        Examples
        --------
        >>> days = [Key({"year": 2024, "month": month, "day": day}) for month in (1, 2) for day in (1, 2, 9)]
        >>> grid = Grid.of(days)
        >>> grid.rows, grid.columns, len(grid.cells)
        (('2024-01', '2024-02'), ('1', '2', '3', '4', '5', '6', '7', '8', '9'), 6)
        """
        ordered = sorted(keys)
        names = list(ordered[0]) if ordered else []
        if len(names) < 2:
            return _wrapped(ordered, names)
        shown = list(names)
        while len(shown) > 2 and len({_part(key, shown) for key in ordered}) > MOST_CELLS:
            shown.pop()
        *outer, inner = shown
        rows = _Bins.of(sorted({_part(key, outer) for key in ordered}), _MOST_ROWS)
        columns = _Bins.of([(value,) for value in _between({key[inner] for key in ordered})], _MOST_COLUMNS)
        cells: dict[Place, list[Key]] = {}
        for key in ordered:
            cells.setdefault((rows.number[_part(key, outer)], columns.number[key[inner],]), []).append(key)
        left_out = names[len(shown) :]
        ways = [f"a {inner}"] if left_out else []
        ways += [f"{rows.size} rows of {'-'.join(outer)} together"] if rows.size > 1 else []
        ways += [f"{columns.size} of {inner} together"] if columns.size > 1 else []
        return cls(
            rows=rows.labels(lambda part: _label(outer, part)),
            columns=columns.labels(lambda part: f"{part[0]}"),
            cells=cells,
            row_names="-".join(outer),
            column_name=inner,
            folded=", ".join(ways),
        )


def _part(key: Key, names: Sequence[str]) -> tuple[int | str, ...]:
    return tuple(key[name] for name in names)


def _label(names: Sequence[str], values: Sequence[object]) -> str:
    if tuple(names) == _DATES[: len(names)] and all(isinstance(value, int) for value in values):
        return "-".join(f"{value:02d}" for value in values)
    return " ".join(map(str, values))


def _between(values: set[int | str]) -> Sequence[int | str]:
    """Return the values; for integers also the missing ones between the smallest and the largest, unless there are too many."""
    if any(isinstance(value, str | bool) for value in values):
        return sorted(values)
    numbers = range(int(min(values)), int(max(values)) + 1)
    return numbers if len(numbers) <= 20 * len(values) + _WRAPPED else sorted(values)


def _wrapped(ordered: Sequence[Key], names: Sequence[str]) -> Grid:
    """Return the grid of keys with one field: a single column if they are few, else several columns."""
    width = 1 if len(ordered) <= _WRAPPED else _WRAPPED
    bins = _Bins.of([_part(key, names) for key in ordered], MOST_CELLS)
    cells: dict[Place, list[Key]] = {}
    for key in ordered:
        cells.setdefault(divmod(bins.number[_part(key, names)], width), []).append(key)
    labels = bins.labels(lambda part: _label(names, part))
    return Grid(
        rows=labels[::width],
        columns=("",) * min(width, len(labels)),
        cells=cells,
        row_names="".join(names),
        column_name="",
        folded=f"{bins.size} of {''.join(names)} together" if bins.size > 1 else "",
    )


@frozen(kw_only=True)
class _Bins:
    """Values in order, with neighbours grouped to limit their number."""

    values: Sequence[tuple[int | str, ...]]
    size: int
    number: Mapping[tuple[int | str, ...], int]

    @classmethod
    def of(cls, values: Sequence[tuple[int | str, ...]], most: int) -> "_Bins":
        size = -(-len(values) // most) or 1
        return cls(values=values, size=size, number={value: at // size for at, value in enumerate(values)})

    def labels(self, text_of: Callable[[tuple[int | str, ...]], str]) -> tuple[str, ...]:
        return tuple(text_of(next(group)) for _, group in groupby(self.values, key=self.number.__getitem__))
