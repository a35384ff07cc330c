"""Sampling of a partition's axis: runs of rows in which each value is one step after the previous one.

A year of one row per second needs one run for each partition, and one more for each gap. So coverage and gaps are
known without reading values.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.model.schema import VariableSchema

MOST: Final = 256
"""Largest number of runs stored for a partition; an axis with more runs counts as not sampled regularly."""

_COUNTED: Final = 4096
"""Up to this number of steps, the most frequent is found by counting; of more steps it is the median, if most are equal to it."""


@frozen(kw_only=True)
class Sampling:
    """The axis of a partition, in the order of its rows.

    Attributes
    ----------
    step
        The most frequent difference between consecutive rows, the smallest one if there are several; None for fewer than
        two rows. A plain number, for times in the unit of the axis's dtype.
    starts
        The first value of each run: int64 or float64, shape (runs,).
    rows
        The number of rows of each run: int64, shape (runs,).
    missing
        The number of rows without a value; they belong to no run.
    """

    step: int | float | None
    starts: NDArray[Any] = field(eq=False, repr=False)
    rows: NDArray[np.int64] = field(eq=False, repr=False)
    missing: int = 0

    @classmethod
    def of(cls, values: NDArray[Any], variable: VariableSchema, *, most: int | None = MOST) -> Self | None:
        """Return the sampling of values; None if they are not finite numbers, or need more runs than allowed.

        Parameters
        ----------
        values
            Values of the axis, of its declared type, shape (rows,).
        variable
            The axis; its fill value marks missing values.
        most
            The largest number of runs allowed; None for any number.
        """
        numbers = _present(values, variable)
        if numbers is None:
            return None
        missing = len(values) - len(numbers)
        if len(numbers) < 2:
            return cls(step=None, starts=numbers, rows=np.ones(len(numbers), np.int64), missing=missing)
        steps = np.diff(numbers)
        step = steps[0] if (steps == steps[0]).all() else _most_frequent(steps, exact=most is None)
        breaks = np.flatnonzero(steps != step) + 1
        if most is not None and len(breaks) >= most:
            return None
        edges = np.concatenate([[0], breaks, [len(numbers)]])
        return cls(step=step.item(), starts=numbers[edges[:-1]], rows=np.diff(edges), missing=missing)

    @property
    def values(self) -> NDArray[Any]:
        """The values that are present, in the order of the rows: int64 or float64."""
        within = np.arange(self.rows.sum()) - np.repeat(np.cumsum(self.rows) - self.rows, self.rows)
        step = np.asarray(self.step or 0, self.starts.dtype)
        values: NDArray[Any] = np.repeat(self.starts, self.rows) + within * step
        return values

    def axis(self, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        """Return the values of all rows, of the declared type of the axis; None unless they are known exactly.

        Floats are not: a start and some steps need not add up to the value that was stored.
        """
        step = 0 if self.step is None else self.step
        is_exact = isinstance(step, int) and abs(step) <= np.iinfo(np.int64).max and self.starts.dtype == np.int64
        if not is_exact or self.missing or dtype.kind not in "iumM":
            return None
        # In place, to need few arrays of this length. An intermediate overflow is harmless: integers wrap around.
        values = np.arange(self.rows.sum(), dtype=np.int64)
        values *= step
        offsets = self.starts - (np.cumsum(self.rows) - self.rows) * step
        values += offsets if len(offsets) == 1 else np.repeat(offsets, self.rows)
        return values.view(dtype.newbyteorder("=")) if dtype.kind in "mM" else values.astype(dtype, copy=False)

    def to_json(self) -> dict[str, Any]:
        """Return the sampling as JSON; `from_json` is the inverse."""
        return {
            "step": self.step,
            "starts": self.starts.tolist(),
            "rows": self.rows.tolist(),
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any], *, rows: int) -> Self | None:
        """Return a sampling of `rows` rows from the result of `to_json`; None if it is invalid."""
        try:
            # An empty list has no type; int64 leaves the type of other values unchanged when they are concatenated.
            starts = np.array(found["starts"]) if found["starts"] else np.empty(0, np.int64)
            counts = np.array(found["rows"], np.int64)
            step, missing = found["step"], int(found["missing"])
            if (
                starts.dtype.kind not in "if"
                or (counts < 1).any()
                or starts.shape != counts.shape
                or counts.sum() + missing != rows
            ):
                return None
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return cls(step=step, starts=starts, rows=counts, missing=missing)


def are_present(values: NDArray[Any], variable: VariableSchema) -> NDArray[np.bool_]:
    """Return a mask of the values that are not missing."""
    present: NDArray[np.bool_] = values == values  # noqa: PLR0124 - NaN and NaT differ from themselves
    if variable.fill_value is not None:
        present &= values != variable.fill_value
    return present


def _present(values: NDArray[Any], variable: VariableSchema) -> NDArray[Any] | None:
    """Return the values that are not missing, as int64 or float64; None if they or their differences are not finite numbers."""
    kind = values.dtype.kind
    if kind not in "iufmM" or values.dtype == np.uint64:
        return None
    present = are_present(values, variable)
    chosen = values if present.all() else values[present]
    numbers = (
        chosen.view(np.int64) if kind in "mM" else chosen.astype(np.float64 if kind == "f" else np.int64, copy=False)
    )
    if numbers.size and kind == "f" and not np.isfinite(numbers).all():
        return None
    if numbers.size and kind != "f" and int(numbers.max()) - int(numbers.min()) > np.iinfo(np.int64).max:
        return None  # a difference would overflow
    return numbers


def _most_frequent(steps: NDArray[Any], *, exact: bool) -> Any:
    """Return the most frequent step; unless `exact`, the median of many steps, which is the step that most of them share."""
    if not exact and len(steps) > _COUNTED:
        return np.partition(steps, len(steps) // 2)[len(steps) // 2]
    found, counts = np.unique(steps, return_counts=True)
    return found[np.argmax(counts)]
