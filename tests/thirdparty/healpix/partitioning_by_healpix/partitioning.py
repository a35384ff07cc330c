"""The partitioning by HEALPix cell."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

from partitioning_by_healpix.cells import cell_of
from zcollection.plugin import Field, PartitionError, Partitioning, as_dimension, as_variables


@frozen
class HEALPix(Partitioning):
    """Rows of one HEALPix cell belong together.

    Parameters
    ----------
    variables
        Paths of the latitude and the longitude, in degrees.
    order
        The sphere has 12 * 4**order cells.
    dimension
        The dimension to partition along; None means that of the collection's axis.
    """

    variables: tuple[str, ...] = field(converter=as_variables, validator=[validators.min_len(2), validators.max_len(2)])
    order: int = field(default=3, kw_only=True, validator=[validators.ge(0), validators.le(20)])
    dimension: str | None = field(default=None, kw_only=True, converter=as_dimension)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The number of the cell, in ring order."""
        return (Field("cell"),)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the cell of every row."""
        latitude, longitude = (self._degrees(columns, path) for path in self.variables)
        if (np.abs(latitude) > 90).any():
            message = f"{self.variables[0]!r} has values beyond the poles; accepted: -90 to 90"
            raise PartitionError(message)
        return {"cell": cell_of(latitude, longitude, 2**self.order)}

    def _degrees(self, columns: Mapping[str, NDArray[Any]], path: str) -> NDArray[Any]:
        column = columns[path]
        if column.dtype.kind not in "fiu" or not np.isfinite(column).all() or (np.abs(column.astype("f8")) > 1e6).any():
            message = f"{path!r} is not a position in every row; accepted: degrees; drop the rows without"
            raise PartitionError(message)
        return column
