"""The rows of partitions that were read, several partitions at a time, by the generation of each partition."""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from zcollection.collection.read.consistent import Generation
from zcollection.engine.read import Outputs
from zcollection.model.schema import DatasetSchema


@frozen
class _Piece:
    """The rows of one partition: a range of arrays that were read together with other partitions."""

    generation: Generation
    arrays: Mapping[str, NDArray[Any]]
    start: int
    rows: int


@define
class Pieces:
    """The rows of partitions that have been read, several at a time, to be concatenated in any order.

    Attributes
    ----------
    schema
        Their variables; all of them span the dimension.
    dimension
        The partitioned dimension.
    """

    schema: DatasetSchema
    dimension: str
    _by_path: dict[str, _Piece] = field(factory=dict)

    def has(self, path: str, generation: Generation) -> bool:
        """Return whether this generation of a partition has been read."""
        return path in self._by_path and self._by_path[path].generation == generation

    def put(self, read: Iterable[tuple[str, Generation, int]], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays that contain partitions one after the other, each given as path, generation and number of rows."""
        start = 0
        for path, generation, rows in read:
            self._by_path[path] = _Piece(generation, arrays, start, rows)
            start += rows

    def remove(self, path: str) -> None:
        """Remove a partition."""
        self._by_path.pop(path, None)

    def joined(self, paths: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """Return the concatenated rows of partitions, in this order; arrays without rows if there are no partitions."""
        pieces = [self._by_path[path] for path in paths if path in self._by_path]
        if not pieces:
            return Outputs.allocated(self.schema, self.dimension, 0).arrays
        arrays, schema = pieces[0].arrays, self.schema.all_variables()
        starts = accumulate((piece.rows for piece in pieces), initial=0)
        follow = all(
            piece.arrays is arrays and piece.start == start for piece, start in zip(pieces, starts, strict=False)
        )
        rows = sum(piece.rows for piece in pieces)
        # The arrays have more rows if one of the partitions in them was found to be damaged and left out.
        if follow and all(
            values.shape[schema[name].dimensions.index(self.dimension)] == rows for name, values in arrays.items()
        ):
            return arrays
        return {name: self._concatenated(pieces, name, schema[name].dimensions) for name in arrays}

    def _concatenated(self, pieces: list[_Piece], name: str, dimensions: tuple[str, ...]) -> NDArray[Any]:
        position = dimensions.index(self.dimension)
        before = (slice(None),) * position
        parts = [piece.arrays[name][(*before, slice(piece.start, piece.start + piece.rows))] for piece in pieces]
        return np.concatenate(parts, axis=position)
