"""The contract of computations: how a view derives its variables from its base collection."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zcollection.contracts.configurable import Configurable
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema, VariableSchema


class Computation(Configurable):
    """A computation of new variables from the variables of a base collection, row by row or from neighbouring rows.

    Attributes
    ----------
    inputs
        Paths of the variables that `compute` reads; it receives no other variables. Define a property if they depend on
        the configuration.
    contract_versions
        The versions of this contract that this release of zcollection accepts.
    """

    __slots__ = ()

    contract_versions: ClassVar[tuple[int, ...]] = (1,)

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables that `compute` reads."""

    @property
    def halo(self) -> int | np.timedelta64:
        """Neighbouring rows that `compute` needs on each side: a number of rows, or a duration along the axis."""
        return 0

    @abstractmethod
    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return the schemas of the variables that `compute` returns, by path, for a base with this schema.

        Each variable has the partitioned dimension of the base. Its fill value is what queries return for rows that have
        not been computed. The default is NaN for floating-point numbers and NaT for times.

        Raises
        ------
        SchemaError
            An input is missing from the schema, or has a type that the computation cannot use.
        """

    @abstractmethod
    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the output arrays, by path, for all rows of the input, in the declared types; the kernel trims the halo.

        Parameters
        ----------
        rows
            The inputs, sorted by the axis if there is a halo. The dataset may have no rows. Its arrays must not be
            modified.
        """
