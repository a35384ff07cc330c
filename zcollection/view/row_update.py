"""Computes selected rows of a partition of a view; the values of all other rows are kept."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.collection.read.request import Request
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.window import Window
from zcollection.collection.write.update import UpdateFunction, applied
from zcollection.contracts.partitioning import KeyValue
from zcollection.errors import SchemaError
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.view.open_view import OpenView


@frozen(kw_only=True)
class RowUpdate:
    """The user's function, called with the selected rows of a partition.

    Attributes
    ----------
    opened, request
        The view, and the requested rows.
    function, given, conventions
        The function, the variables that it receives, and how attributes of the returned variables are treated.
    keys
        The keys of the partitions, by path.
    """

    opened: OpenView
    request: Request
    function: UpdateFunction
    given: DatasetSchema
    conventions: Conventions
    keys: Mapping[str, Mapping[str, KeyValue]]

    def compute(self, window: Window, path: str) -> Dataset:
        """Return the variables of the view that the function returns, with the existing values in all other rows.

        Parameters
        ----------
        window
            All rows of the partition, with all variables of the base and of the view.
        path
            The path of the partition.
        """
        own, dimension = self.opened.own.schema, self.opened.own.dimension
        positions = self._positions(window.rows, path)
        if not positions.size:
            return Dataset(own, {})
        rows = window.rows.select(self.given.all_variables()).isel({dimension: positions})
        chosen = Window(rows, slice(0, positions.size), positions.size)
        after = applied(self.function, chosen, own, dimension, path, conventions=self.conventions)
        return Dataset(own, dict(self._merged(after, window.rows, positions)))

    def _positions(self, rows: Dataset, path: str) -> NDArray[np.intp]:
        where = self.request.where
        if isinstance(where, Rows):
            part = where.part(path)
            return np.empty(0, np.intp) if part is None else part.selected.positions
        bound, key = self.request.bound, self.keys[path]
        columns = {name: rows.get_variable(name).to_numpy() for name in bound.variables}
        mask = bound.mask(columns | {name: key[name] for name in bound.fields}, rows.sizes[self.opened.own.dimension])
        return np.flatnonzero(mask)

    def _merged(self, after: Dataset, before: Dataset, positions: NDArray[np.intp]) -> Iterator[tuple[str, object]]:
        theirs = self.opened.base.schema.all_variables()
        for path, variable in after.all_variables().items():
            if path in theirs:
                message = (
                    f"variable {path!r} of the view shadows a variable of the base, and cannot be updated in selected rows; "
                    f"accepted: update() without where, or a variable with another name"
                )
                raise SchemaError(message)
            values = before.get_variable(path).to_numpy().copy()
            at = variable.dimensions.index(self.opened.own.dimension)
            index: tuple[Any, ...] = (*(slice(None),) * at, positions)
            values[index] = variable.to_numpy()
            yield path, values
