"""The computation of differences from a mean that depends only on latitude."""

from collections.abc import Mapping
from typing import Any

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


def _as_numbers(values: Any) -> tuple[float, ...]:
    numbers = values if isinstance(values, list | tuple) else ()
    if not numbers or not all(isinstance(number, int | float) and np.isfinite(number) for number in numbers):
        message = f"{values!r} is not a column of the table; accepted: a tuple of numbers"
        raise PluginConfigurationError(message)
    return tuple(map(float, numbers))


@frozen(kw_only=True)
class {{ cookiecutter.__class }}(Computation):
    """Compute the difference of a variable from its mean at the latitude of the row, interpolated from a small table.

    Parameters
    ----------
    variable
        Path of the variable, floating-point numbers along the axis; the name of the output is its name plus "_anomaly".
    latitude
        Path of the latitude, in degrees north.
    latitudes, means
        The table: ascending latitudes, and the mean at each, in the units of the variable. Interpolation is linear;
        beyond the ends of the table, the first or last mean applies.

    Raises
    ------
    PluginConfigurationError
        The table has columns of different lengths, or its latitudes do not ascend.
    """

    variable: str = "ssh"
    latitude: str = "latitude"
    latitudes: tuple[float, ...] = field(default=(-90.0, 0.0, 90.0), converter=_as_numbers)
    means: tuple[float, ...] = field(default=(-0.8, 0.6, -0.2), converter=_as_numbers)

    def __attrs_post_init__(self) -> None:
        """Check the conditions that concern several fields."""
        if len(self.latitudes) != len(self.means) or np.any(np.diff(self.latitudes) <= 0):
            message = (
                f"latitudes {self.latitudes} and means {self.means}; "
                "accepted: equal numbers of both, and ascending latitudes"
            )
            raise PluginConfigurationError(message)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The variable, and the latitude."""
        return (self.variable, self.latitude)

    @property
    def output(self) -> str:
        """Path of the computed variable."""
        return f"{self.variable}_anomaly"

    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return the one output, of the type of the variable.

        Raises
        ------
        SchemaError
            An input is missing, has other dimensions than the axis, or does not contain floating-point numbers.
        """
        variable, latitude = (schema.get_variable(path) for path in self.inputs)
        if variable.dtype.kind != "f" or latitude.dtype.kind != "f" or variable.dimensions != latitude.dimensions:
            message = (
                f"{self.variable!r} is {variable.dtype} along {variable.dimensions}, and {self.latitude!r} is "
                f"{latitude.dtype} along {latitude.dimensions}; accepted: floating-point numbers along the axis"
            )
            raise SchemaError(message)
        name = self.output.rpartition("/")[2]
        units = {key: value for key, value in variable.attrs.items() if key == "units"}
        return {
            self.output: VariableSchema(
                name, dtype=variable.dtype, dimensions=variable.dimensions, fill_value=np.nan, attrs=units
            )
        }

    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the differences; NaN where the variable or the latitude is missing.

        Parameters
        ----------
        rows
            The inputs.
        """
        # YOUR IDEA: compute from the variables in `inputs` one array for each variable of `outputs`.
        values, latitude = (rows.get_variable(path).to_numpy() for path in self.inputs)
        means = np.interp(latitude.astype(np.float64), self.latitudes, self.means)
        return {self.output: (values - means).astype(values.dtype)}
