"""The numbers in which values of the axis are compared: integer counts of a unit of time, or the values themselves."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    PartitionSampling,
    SettingError,
    Variable,
    VariableSchema,
    as_times,
    duration_of,
    nanoseconds_of,
)
from zcollection_coverage.runs import Runs

Step = int | float | str | np.timedelta64 | dt.timedelta
"""A difference: a number; for times, a duration as an object or as text."""

INTERVAL: Final = "sampling_interval"
"""The attribute of the axis with the expected step between rows, such as ``"10 min"``."""

RESOLUTION: Final = "time_coverage_resolution"
"""The attribute of the collection with the expected step (ACDD convention): an ISO 8601 duration, such as ``"PT10M"``."""


@frozen(kw_only=True)
class Scale:
    """The meaning of the numbers of runs.

    Attributes
    ----------
    dtype
        datetime64 of any unit; timedelta64 since 1970-01-01 for calendars that datetime64 does not support; the dtype of the
        numbers if the axis is not a time.
    """

    dtype: np.dtype[Any]

    @property
    def is_time(self) -> bool:
        """Whether the numbers count time."""
        return self.dtype.kind in "mM"

    @property
    def unit(self) -> str:
        """The unit in which time is counted, as NumPy names it."""
        unit, count = np.datetime_data(self.dtype)
        return unit if count == 1 else f"{count}{unit}"

    def values(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Return numbers as values of the axis."""
        return numbers.astype(np.int64).view(self.dtype) if self.is_time else numbers

    def value(self, number: Any) -> Any:
        """Return one number as a value of the axis; None stays None."""
        return None if number is None else self.values(np.asarray([number]))[0]

    def lengths(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Return numbers as differences."""
        return numbers.astype(np.int64).view(f"timedelta64[{self.unit}]") if self.is_time else numbers

    def length(self, number: Any) -> Any:
        """Return one number as a difference; None stays None."""
        return None if number is None else self.lengths(np.asarray([number]))[0]

    def step(self, given: Step, *, name: str) -> int | float:
        """Return the number of a difference.

        Raises
        ------
        SettingError
            The argument is not a difference, not greater than zero, or finer than the unit of the axis.
        """
        if not self.is_time:
            if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
                message = f"{name} is {given!r}; accepted: a number greater than 0, because the axis is not a time"
                raise SettingError(message)
            return given
        length = duration_of(given, name=name)
        number, rest = divmod(nanoseconds_of(length), nanoseconds_of(np.ones(1, f"timedelta64[{self.unit}]")[0]))
        if rest or not 0 < number < 2**63:
            message = (
                f"{name} is {given!r}, which is {length}; accepted: a duration greater than 0 that is a whole number of the "
                f"unit of the axis, {self.unit!r}"
            )
            raise SettingError(message)
        return number


def declared_step(axis: VariableSchema, attributes: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the step in the attributes and the description of its attribute; None without such an attribute."""
    if INTERVAL in axis.attrs:
        return f"{axis.attrs[INTERVAL]}", f"attribute {INTERVAL!r} of the axis"
    if RESOLUTION in attributes:
        return f"{attributes[RESOLUTION]}", f"attribute {RESOLUTION!r} of the collection"
    return None


@frozen(eq=False, kw_only=True)
class Axis:
    """The axes of partitions as runs of numbers.

    Attributes
    ----------
    scale
        The meaning of the numbers.
    runs
        The runs; the owner is the number of the partition.
    """

    scale: Scale
    runs: Runs

    @classmethod
    def of(cls, samplings: Sequence[PartitionSampling], variable: VariableSchema) -> Self:
        """Return the axes of partitions."""
        return cls.of_numbers(declared_runs(samplings), variable)

    @classmethod
    def of_numbers(cls, runs: Runs, variable: VariableSchema) -> Self:
        """Return runs of stored numbers as runs of times if the axis is a time."""
        ends = _decoded(runs.ends, variable)
        if ends.dtype.kind not in "mM":
            return cls(scale=Scale(dtype=runs.starts.dtype), runs=runs)
        starts = _decoded(runs.starts, variable)
        # Their units may differ: the finer one is used.
        dtype = np.result_type(starts, ends)
        first, last = starts.astype(dtype).view(np.int64), ends.astype(dtype).view(np.int64)
        between = np.maximum(runs.rows - 1, 1)
        uneven = (last - first) % between != 0
        if uneven.any():  # floating-point steps that are not a whole number of the unit
            return cls.of_numbers(runs.apart(uneven), variable)
        steps = (last - first) // between
        return cls(scale=Scale(dtype=dtype), runs=Runs(starts=first, steps=steps, rows=runs.rows, owners=runs.owners))


def declared_runs(samplings: Sequence[PartitionSampling]) -> Runs:
    """Return the axes of partitions as runs of the stored numbers, in the order of the rows."""
    found = [item.sampling for item in samplings]
    starts = (
        np.concatenate([np.empty(0, np.int64), *(item.starts for item in found)]) if found else np.empty(0, np.int64)
    )
    counts = [len(item.starts) for item in found]
    steps = np.repeat(np.array([item.step or 0 for item in found], starts.dtype), counts)
    rows = np.concatenate([np.empty(0, np.int64), *(item.rows for item in found)])
    owners = np.repeat(np.arange(len(found), dtype=np.int64), counts)
    return Runs(starts=starts, steps=steps, rows=rows, owners=owners)


def _decoded(numbers: NDArray[Any], variable: VariableSchema) -> NDArray[Any]:
    if variable.dtype.kind in "mM":
        return numbers.view(variable.dtype)
    values: NDArray[Any] = as_times(Variable(variable, numbers.astype(variable.dtype)))
    return values
