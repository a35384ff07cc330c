"""The partitioning by the values of integer variables."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import Field, Partitioning, as_dimension, as_int64, as_variables, fields_of


@frozen
class Sequence(Partitioning):
    """Partition rows by the values of integer variables: one partition for each half orbit, for instance.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first. Each gives a field of the keys, named by the last part of its path.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        A parameter is invalid, or two variables would give fields of the same name.

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
        """One field for each variable, named by the last part of its path; numbers are not padded."""
        return fields_of(self.variables)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values of the variables as int64.

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
            A column does not contain integers, or a value is out of the range of int64.
        """
        return {
            item.name: as_int64(columns[path], path) for item, path in zip(self.fields, self.variables, strict=True)
        }
