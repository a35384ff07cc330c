"""How a view derives its variables from its base."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

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
        Paths of the variables that `compute` reads; no others are given to it.
    """

    __slots__ = ()

    inputs: tuple[str, ...]

    @property
    def halo(self) -> int | np.timedelta64:
        """Neighbouring rows needed on each side: a number of rows, or a length of time along the axis."""
        return 0

    @abstractmethod
    def outputs(self, schema: DatasetSchema) -> tuple[VariableSchema, ...]:
        """Return the variables that `compute` returns, for a base of this schema."""

    @abstractmethod
    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the outputs, by name, for all rows given; the kernel trims the halo."""
