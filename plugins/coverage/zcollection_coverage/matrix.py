"""A matrix of the partitions by two key fields, such as cycle and pass: row counts and missing partitions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import Columns, Key, Printed, Section, Table, heading
from zcollection_coverage.records import PartCoverage

if TYPE_CHECKING:
    import pandas as pd


@frozen(kw_only=True, repr=False, eq=False)
class Matrix(Printed):
    """The row counts of partitions by their two key fields, such as cycle and pass.

    Attributes
    ----------
    row_name, row_values
        The first field and its values in order, including missing values between the first and the last one.
    column_name, column_values
        The second field and its existing values.
    rows
        The number of rows of each partition: int64, shape (row_values, column_values); 0 without a partition.
    shares
        The share of the expected rows of each partition: float64, of the same shape; NaN if it is unknown or without a partition.
    absent
        Whether a partition is missing, as listed in `Coverage.absent`; bool, of the same shape.
    """

    row_name: str
    row_values: tuple[Any, ...]
    column_name: str
    column_values: tuple[Any, ...]
    rows: NDArray[np.int64] = field(repr=False)
    shares: NDArray[np.float64] = field(repr=False)
    absent: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def of(cls, partitions: Sequence[PartCoverage], absent: Sequence[Key]) -> Self | None:
        """Return the matrix of existing and missing partitions; None unless keys have two fields."""
        keys = [*(part.key for part in partitions), *absent]
        if not keys or len(keys[0]) != 2:
            return None
        names = tuple(keys[0])
        values = [tuple(sorted({key[name] for key in keys})) for name in names]
        positions = [{value: position for position, value in enumerate(of_field)} for of_field in values]
        shape = [len(of_field) for of_field in values]
        rows, shares, missing = np.zeros(shape, np.int64), np.full(shape, np.nan), np.zeros(shape, np.bool_)
        for part in partitions:
            cell = _cell(part.key, positions)
            rows[cell], shares[cell] = part.rows, np.nan if part.share is None else part.share
        for key in absent:
            missing[_cell(key, positions)] = True
        return cls(
            row_name=names[0],
            row_values=values[0],
            column_name=names[1],
            column_values=values[1],
            rows=rows,
            shares=shares,
            absent=missing,
        )

    def to_pandas(self) -> "pd.DataFrame":
        """Return the rows as a `pandas.DataFrame`, the first field as its index and the second one as its columns."""
        import pandas as pd

        index = pd.Index(self.row_values, name=self.row_name)
        return pd.DataFrame(self.rows, index=index, columns=pd.Index(self.column_values, name=self.column_name))

    def _section(self) -> Section:
        title = f"{len(self.row_values):,} {self.row_name} × {len(self.column_values):,} {self.column_name}"
        columns: Columns[int] = {
            self.row_name: lambda at: f"{self.row_values[at]}",
            "rows": lambda at: int(self.rows[at].sum()),
            f"{self.column_name} present": lambda at: int((self.rows[at] > 0).sum()),
            f"{self.column_name} absent": lambda at: ", ".join(
                f"{self.column_values[position]}" for position in np.flatnonzero(self.absent[at])
            ),
        }
        return Section(f"{heading(self)} {title}", [Table.of("", range(len(self.row_values)), columns)])


def _cell(key: Key, positions: Sequence[dict[Any, int]]) -> tuple[int, int]:
    first, second = (position[value] for position, value in zip(positions, key.values(), strict=True))
    return first, second
