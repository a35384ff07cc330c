"""Questions for rows, in words that every peer translates to its own, and their answers in plain NumPy."""

import operator
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen
from layouts import TIME, Arrays, Layout
from numpy.typing import NDArray

_OPERATORS: Final = {"==": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@frozen
class Comparison:
    """A variable, or a field of the partitions' keys, compared with a number.

    Attributes
    ----------
    name, operator
        Of the variable, and one of ``== > >= < <=``.
    value
        The number; of a time, nanoseconds since 1970.
    """

    name: str
    operator: str
    value: float

    def apply(self, values: Any) -> Any:
        """Return the comparison of an array, or of whatever has these operators."""
        return _OPERATORS[self.operator](values, self.value)


@frozen(kw_only=True)
class Question:
    """Which rows are asked for, and what of them.

    Attributes
    ----------
    comparisons
        All of them hold for such rows.
    keys
        What they say of the keys of partitions, where the peers are told so.
    box
        Edges by name, where the comparisons are those of a box.
    variables
        What is asked for of the rows; those that are compared are among them.
    """

    comparisons: tuple[Comparison, ...]
    variables: tuple[str, ...]
    keys: tuple[Comparison, ...] = ()
    box: Mapping[str, float] | None = None

    def mask(self, arrays: Arrays) -> NDArray[np.bool_]:
        """Return which rows are asked for."""
        mask: NDArray[np.bool_] = np.logical_and.reduce(
            [comparison.apply(arrays[comparison.name]) for comparison in self.comparisons]
        )
        return mask

    def answer(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return what is asked for."""
        mask = self.mask(arrays)
        return {path: arrays[path][mask] for path in self.variables}


def box(*, west: float, south: float, east: float, north: float) -> Question:
    """Return the question for a box of longitudes and latitudes."""
    return Question(
        comparisons=(
            Comparison("latitude", ">=", south),
            Comparison("latitude", "<=", north),
            Comparison("longitude", ">=", west),
            Comparison("longitude", "<=", east),
        ),
        variables=(TIME, "latitude", "longitude", "ssh"),
        box={"west": west, "south": south, "east": east, "north": north},
    )


def period(start: np.datetime64, hours: int, *, keys: tuple[Comparison, ...] = ()) -> Question:
    """Return the question for some hours."""
    stop = start + np.timedelta64(hours, "h")
    return Question(
        comparisons=(Comparison(TIME, ">=", _nanoseconds(start)), Comparison(TIME, "<", _nanoseconds(stop))),
        variables=(TIME, "ssh"),
        keys=keys,
    )


def flagged() -> Question:
    """Return a question whose rows lie everywhere; the number compared is a float32 as the variable is, for all peers."""
    return Question(
        comparisons=(Comparison("flag", "==", 1), Comparison("swh", ">", float(np.float32(0.9)))),
        variables=(TIME, "ssh", "flag", "swh"),
    )


def two_days(layout: Layout, position: int) -> tuple[Comparison, ...]:
    """Return what is true of the keys of two partitions that follow one another in a month."""
    first, last = (layout.partitions[number].key for number in (position, position + 1))
    return (
        Comparison("year", "==", first["year"]),
        Comparison("month", "==", first["month"]),
        Comparison("day", ">=", first["day"]),
        Comparison("day", "<=", last["day"]),
    )


def _nanoseconds(moment: np.datetime64) -> int:
    return int(moment.astype("datetime64[ns]").astype(np.int64))
