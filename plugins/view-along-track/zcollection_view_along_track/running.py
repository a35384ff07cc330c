"""Means and medians over a window that slides along the axis."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    Computation,
    Dataset,
    DatasetSchema,
    PluginConfigurationError,
    SchemaError,
    VariableSchema,
)
from zcollection_view_along_track.columns import absent, along, as_names, as_suffix, axis_values, declared, placed
from zcollection_view_along_track.windows import Reduce, counted, half_of, least, mean, median, timed


def _as_window(value: Any) -> Any:
    if isinstance(value, np.timedelta64):
        unit = np.datetime_data(value.dtype)[0]
        if not np.isnat(value) and value.astype(np.int64) > 0 and unit not in {"generic", "Y", "M"}:
            return value.astype(f"timedelta64[{unit}]")
    elif isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0 and value % 2:
        return int(value)
    message = f"window is {value!r}; accepted: an odd number of rows, or a numpy.timedelta64 above zero in weeks to attoseconds"
    raise PluginConfigurationError(message)


def _as_minimum(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        message = f"minimum is {value!r}; accepted: a number of values of at least 1"
        raise PluginConfigurationError(message)
    return int(value)


@frozen(kw_only=True)
class RunningMean(Computation):
    """Compute the mean of each variable over a window around each row; missing values are ignored.

    Parameters
    ----------
    variables
        Path of a variable along the axis, or of several.
    window
        Length of the window, centred on the row: an odd number of rows, or a ``numpy.timedelta64``, both ends included.
    axis
        The axis: the variable of the root group that orders the rows.
    suffix
        Suffix appended to the name of a variable to name the output.
    minimum
        Minimum number of values in a window; with fewer values, the output is missing.

    Raises
    ------
    PluginConfigurationError
        A setting is invalid.

    Examples
    --------
    >>> RunningMean("ssh", window=np.timedelta64(30, "s")).halo
    np.timedelta64(15,'s')
    """

    variables: tuple[str, ...] = field(converter=as_names, kw_only=False)
    # Compared by repr: NumPy cannot compare a number with a timedelta64.
    window: int | np.timedelta64 = field(converter=_as_window, eq=repr)
    axis: str = "time"
    suffix: str = field(default="_mean", converter=as_suffix)
    minimum: int = field(default=1, converter=_as_minimum)

    _method: ClassVar[str] = "mean"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables that `compute` reads."""
        return tuple(dict.fromkeys((*self.variables, self.axis)))

    @property
    def halo(self) -> int | np.timedelta64:
        """Half of the window."""
        return self.window // 2 if isinstance(self.window, int) else half_of(self.window)

    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return floating-point variables of the same dimensions.

        Raises
        ------
        SchemaError
            A variable is missing, or does not contain real numbers.
        """
        schema.get_variable(self.axis)
        attrs = {path: {"cell_methods": f"{self.axis}: {self._method}"} for path in self.variables}
        return declared(self.variables, schema, self.suffix, attrs)

    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the means of all rows."""
        outputs = self.outputs(rows.schema)
        return {
            path + self.suffix: placed(
                self._reduced(along(rows, path, self.axis), rows),
                rows,
                path,
                self.axis,
                outputs[path + self.suffix].dtype,
            )
            for path in self.variables
        }

    def _reduced(self, values: NDArray[np.float64], rows: Dataset) -> NDArray[np.float64]:
        reduce = least(self._reduction(), self.minimum)
        times = axis_values(rows.get_variable(f"/{self.axis}"))
        if isinstance(self.window, int):
            means = counted(values, self.window // 2, reduce)
            means[absent(times)] = np.nan
            return means
        if times.dtype.kind not in "mM":
            message = f"a window of {self.window} requires an axis of times, and {self.axis!r} is {times.dtype}; accepted: a number of rows"
            raise SchemaError(message)
        return timed(values, times, self.window, reduce)

    def _reduction(self) -> Reduce:
        return mean


@frozen(kw_only=True)
class RunningMedian(RunningMean):
    """Compute the median of each variable over a window around each row; missing values are ignored.

    The parameters are the same as for `RunningMean`.

    Examples
    --------
    >>> RunningMedian("ssh", window=31).halo
    15
    """

    suffix: str = field(default="_median", converter=as_suffix)

    _method: ClassVar[str] = "median"

    def _reduction(self) -> Reduce:
        return median
