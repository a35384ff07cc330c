"""Some rows of a view's partition computed: those of its variables change, and all others stay."""

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
from zcollection.view.pair import Pair


@frozen(kw_only=True)
class SomeRows:
    """A function of the user's, called with the rows that are asked for.

    Attributes
    ----------
    pair, request
        The view, and which rows of it.
    function, given, conventions
        The function, the variables that it is given, and what happens where those that it returns mean something else.
    keys
        The keys of the partitions, by path.
    """

    pair: Pair
    request: Request
    function: UpdateFunction
    given: DatasetSchema
    conventions: Conventions
    keys: Mapping[str, Mapping[str, KeyValue]]

    def compute(self, window: Window, path: str) -> Dataset:
        """Return the variables of the view that the function returns, with the values that there are in all other rows.

        Parameters
        ----------
        window
            All rows of the partition, with every variable of the base and of the view.
        path
            The partition.
        """
        own, dimension = self.pair.own.schema, self.pair.own.dimension
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
            return np.empty(0, np.intp) if part is None else part.found.positions
        bound, key = self.request.bound, self.keys[path]
        columns = {name: rows.get_variable(name).to_numpy() for name in bound.variables}
        mask = bound.mask(columns | {name: key[name] for name in bound.fields}, rows.sizes[self.pair.own.dimension])
        return np.flatnonzero(mask)

    def _merged(self, after: Dataset, before: Dataset, positions: NDArray[np.intp]) -> Iterator[tuple[str, object]]:
        theirs = self.pair.base.schema.all_variables()
        for path, variable in after.all_variables().items():
            if path in theirs:
                message = (
                    f"variable {path!r} of the view takes the place of the base's, and some of its rows cannot be computed alone; "
                    f"accepted: update() without where, or a variable of a name of its own"
                )
                raise SchemaError(message)
            values = before.get_variable(path).to_numpy().copy()
            at = variable.dimensions.index(self.pair.own.dimension)
            index: tuple[Any, ...] = (*(slice(None),) * at, positions)
            values[index] = variable.to_numpy()
            yield path, values
