"""How a view derives its variables from its base."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zcollection.contracts.configurable import Configurable
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema, VariableSchema


class Computation(Configurable):
    """Variables derived row by row, or from a neighbourhood of rows, from those of a base collection.

    Attributes
    ----------
    inputs
        Paths of the variables that `compute` reads; no others are given to it. A property where they follow from the
        configuration.
    contract_versions
        The versions of this contract that this release of zcollection works with.
    """

    __slots__ = ()

    contract_versions: ClassVar[tuple[int, ...]] = (1,)

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables that `compute` reads."""

    @property
    def halo(self) -> int | np.timedelta64:
        """Neighbouring rows needed on each side: a number of rows, or a length of time along the axis."""
        return 0

    @abstractmethod
    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return the variables that `compute` returns, by path, for a base of this schema.

        Each has the dimension along which the base is partitioned, and a fill value: what is read where nothing has been
        computed. Without one, floating-point numbers have NaN, and times NaT.

        Raises
        ------
        SchemaError
            An input is missing from the schema, or is of a type that the computation cannot use.
        """

    @abstractmethod
    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the outputs, by path, for all rows given, in the declared types; the kernel trims the halo.

        Parameters
        ----------
        rows
            The inputs, in the order of the axis where there is a halo. It may have no rows, and no arrays of it may be
            changed.
        """
