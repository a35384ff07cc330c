"""The strategy that keeps, of the rows with the same axis value, the row with the better quality flag."""

from typing import Any

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray
from zcollection.plugin import Dataset, MergeStrategy, RowPlan, SchemaError, apply_plan


@frozen(kw_only=True)
class {{ cookiecutter.__class }}(MergeStrategy):
    """Keep, of the rows with the same axis value, the row with the smallest quality flag; an inserted row wins a tie.

    Flags follow the CF conventions, where 0 is good. Existing rows are kept if no inserted row has their axis value.
    Rows without an axis value (NaN, NaT) are all kept. The result is sorted by axis value.

    Parameters
    ----------
    flag
        Path of the flag variable, which has an integer for each row.

    Raises
    ------
    SchemaError
        The dataset has no such variable, or the variable has other dimensions or another type.
    """

    flag: str = field(default="quality_flag", validator=[validators.instance_of(str), validators.min_len(1)])

    def merge(self, existing: Dataset, inserted: Dataset, *, axis: str, dimension: str) -> Dataset:
        """Return the dataset of the rows that are kept.

        Parameters
        ----------
        existing, inserted
            Datasets with the same schema.
        axis
            Name of the axis variable.
        dimension
            Name of the partitioned dimension.

        Raises
        ------
        SchemaError
            See `{{ cookiecutter.__class }}`.
        """
        both = (existing, inserted)
        plan = self.plan(
            *(dataset.get_variable(axis).to_numpy() for dataset in both),
            *(self._flags(dataset, dimension) for dataset in both),
        )
        return apply_plan(existing, inserted, plan, dimension=dimension)

    def plan(self, existing: NDArray[Any], inserted: NDArray[Any], old: NDArray[Any], new: NDArray[Any]) -> RowPlan:
        """Return the plan of the rows that are kept, in order.

        Parameters
        ----------
        existing, inserted
            Axis values, shapes (n,) and (m,).
        old, new
            Flags of the existing and of the inserted rows, shapes (n,) and (m,).
        """
        # YOUR IDEA: a plan refers to existing row s by the number s, and to inserted row s by ~s.
        number = np.concatenate([np.arange(existing.size), ~np.arange(inserted.size)])
        axis = np.concatenate([existing, inserted])
        # Sort by axis value, then by flag; of rows with equal flags, the last inserted row comes first.
        order = np.lexsort([number, np.concatenate([old, new]), axis])
        number, axis = number[order], axis[order]
        best = np.concatenate([np.ones(min(axis.size, 1), dtype=np.bool_), axis[1:] != axis[:-1]])
        kept = number[best | ~np.isin(axis, inserted)]
        return RowPlan(kept.astype(np.int64), replaced=existing.size - int(np.count_nonzero(kept >= 0)))

    def _flags(self, dataset: Dataset, dimension: str) -> NDArray[Any]:
        variable = dataset.get_variable(self.flag)
        if variable.dimensions != (dimension,) or variable.dtype.kind not in "iu":
            message = (
                f"the flag {self.flag!r} has the dimensions {variable.dimensions} and the type {variable.dtype}; "
                f"accepted: integers along {dimension!r}"
            )
            raise SchemaError(message)
        return variable.to_numpy()
