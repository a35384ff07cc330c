"""How the axis of a partition is sampled: runs of rows of which each is one step after the one before.

A year of one row a second is a run for each partition, and one more for each gap: what is there and what is missing is
known without reading a value.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.model.schema import VariableSchema

MOST: Final = 256
"""Runs that are kept of a partition at most: beyond, its rows have no step."""

_FEW: Final = 4096
"""Rows up to which all steps are counted; of more, one that most of them share is their median."""


@frozen(kw_only=True)
class Sampling:
    """The axis of a partition, in the order of its rows.

    Attributes
    ----------
    step
        The most frequent difference between a row and the next, the smallest one of several; None for fewer than two rows.
        In the numbers that the axis declares: of times, in the unit of its type.
    starts
        The value with which each run begins: int64 or float64, shape (runs,).
    rows
        The number of rows of each run: int64, shape (runs,).
    missing
        Rows without a value; they are in no run.
    """

    step: int | float | None
    starts: NDArray[Any] = field(eq=False, repr=False)
    rows: NDArray[np.int64] = field(eq=False, repr=False)
    missing: int = 0

    @classmethod
    def of(cls, values: NDArray[Any], variable: VariableSchema, *, most: int | None = MOST) -> Self | None:
        """Return how values are sampled; None where they are no finite numbers, or make more runs than are allowed.

        Parameters
        ----------
        values
            Of the axis, of its declared type, shape (rows,).
        variable
            The axis, whose fill value is missing.
        most
            Runs at most; None for any number.
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
        whole: NDArray[Any] = np.repeat(self.starts, self.rows) + within * np.asarray(self.step or 0, self.starts.dtype)
        return whole

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "step": self.step,
            "starts": self.starts.tolist(),
            "rows": self.rows.tolist(),
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any], *, rows: int) -> Self | None:
        """Return what `to_json` wrote of so many rows; None where it is something else."""
        try:
            # Of no values nothing tells the type; integers make floats of no others.
            starts = np.array(found["starts"]) if found["starts"] else np.empty(0, np.int64)
            counts = np.array(found["rows"], np.int64)
            step, missing = found["step"], int(found["missing"])
            if starts.dtype.kind not in "if" or starts.shape != counts.shape or counts.sum() + missing != rows:
                return None
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return cls(step=step, starts=starts, rows=counts, missing=missing)


def are_present(values: NDArray[Any], variable: VariableSchema) -> NDArray[np.bool_]:
    """Return which values are not missing."""
    present: NDArray[np.bool_] = values == values  # noqa: PLR0124 - NaN and NaT differ from themselves
    if variable.fill_value is not None:
        present &= values != variable.fill_value
    return present


def _present(values: NDArray[Any], variable: VariableSchema) -> NDArray[Any] | None:
    """Return the values that are not missing, as int64 or float64; None where they are no finite numbers between which lies one."""
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
        return None  # a difference would wrap
    return numbers


def _most_frequent(steps: NDArray[Any], *, exact: bool) -> Any:
    """Return the most frequent step; where not exactly, that which most of them share if there is one."""
    if not exact and len(steps) > _FEW:
        return np.partition(steps, len(steps) // 2)[len(steps) // 2]
    found, counts = np.unique(steps, return_counts=True)
    return found[np.argmax(counts)]
