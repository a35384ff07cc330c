"""The partitioning by the values of integer variables."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import Field, Partitioning, as_dimension, as_int64, as_variables, fields_of


@frozen
class Sequence(Partitioning):
    """Rows with the same values of integer variables belong together: one partition for each half orbit, for instance.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first. Each is a field of the keys, under the last name of its path.
    dimension
        The dimension to partition along; None means that of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        One of them is something else, or two variables would be fields of one name.

    Examples
    --------
    >>> by_pass = Sequence(("data/cycle_number", "data/pass_number"))
    >>> by_pass.encode({"cycle_number": 2, "pass_number": 17})
    'cycle_number=2/pass_number=17'
    """

    variables: tuple[str, ...] = field(converter=as_variables)
    dimension: str | None = field(default=None, converter=as_dimension)

    def __attrs_post_init__(self) -> None:
        fields_of(self.variables)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The variables, by the last names of their paths; numbers are not padded."""
        return fields_of(self.variables)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values themselves.

        Parameters
        ----------
        columns
            The variables, each of shape (rows,), integers of any size.

        Returns
        -------
        mapping
            For each field an int64 array, shape (rows,).

        Raises
        ------
        PartitionError
            A column does not hold integers, or a value is beyond int64.
        """
        return {
            item.name: as_int64(columns[path], path) for item, path in zip(self.fields, self.variables, strict=True)
        }
