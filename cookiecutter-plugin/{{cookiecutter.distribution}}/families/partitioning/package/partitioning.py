"""The partitioning by bands of latitude."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray
from zcollection.plugin import Field, PartitionError, Partitioning, PluginConfigurationError, as_dimension, as_variables


def _as_degrees(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or 180 % value:
        message = f"degrees is {value!r}; accepted: a divisor of 180, such as 1, 5, 10 or 30"
        raise PluginConfigurationError(message)
    return value


@frozen
class {{ cookiecutter.__class }}(Partitioning):
    """Partition rows by bands of latitude; the key of a partition is the southern edge of its band.

    Parameters
    ----------
    variables
        Path of the latitude in degrees north, in a tuple.
    degrees
        Height of a band, a divisor of 180. The north pole belongs to the northernmost band.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        A parameter is invalid.

    Examples
    --------
    >>> bands = {{ cookiecutter.__class }}(degrees=10)
    >>> bands.keys({"latitude": np.array([-90.0, -0.5, 43.6, 90.0])})["south"].tolist()
    [-90, -10, 40, 80]
    >>> bands.encode({"south": -10})
    'south=-10'
    """

    variables: tuple[str, ...] = field(default=("latitude",), converter=as_variables)
    degrees: int = field(default=10, kw_only=True, converter=_as_degrees)
    dimension: str | None = field(default=None, kw_only=True, converter=as_dimension)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The southern edge of the band, in degrees north."""
        return (Field("south"),)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the southern edge of the band of every row.

        Parameters
        ----------
        columns
            The latitude, in degrees north, shape (rows,).

        Returns
        -------
        mapping
            The field "south", int64, shape (rows,).

        Raises
        ------
        PartitionError
            The latitude of a row is missing, or not between -90 and 90.
        """
        # YOUR IDEA: compute from the columns in `variables` one integer (or string) per row for each field.
        latitude = self._latitude(columns)
        south = np.floor(latitude / self.degrees).astype(np.int64) * self.degrees
        return {"south": np.minimum(south, 90 - self.degrees)}

    def _latitude(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        path = self.variables[0]
        column = columns[path]
        if column.dtype.kind not in "fiu":
            message = f"the variable {path!r} is {column.dtype}; accepted: numbers, degrees north"
            raise PartitionError(message)
        latitude = column.astype(np.float64)
        wrong = ~((latitude >= -90) & (latitude <= 90))
        if wrong.any():
            first = int(np.argmax(wrong))
            message = f"{path!r} is {column[first]} at position {first}; accepted: -90 to 90; correct or drop the row"
            raise PartitionError(message)
        return latitude
