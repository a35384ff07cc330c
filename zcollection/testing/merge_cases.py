"""Test input for merge strategies: pairs of datasets whose rows can be identified in the result."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from attrs import frozen
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.contracts.merge import MergeStrategy, RowPlan, apply_plan
from zcollection.model.builder import Schema
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema

AXIS = "time"
DIMENSION = "num_lines"
ROW = "data/ku/row"
FIXED = "angle"

Merge = Callable[[Dataset, Dataset], Dataset]


def merged(strategy: MergeStrategy, existing: Dataset, inserted: Dataset, axis: str, dimension: str) -> Dataset:
    """Merge two datasets as a collection does: with `rows`, or with `merge` if `rows` returns None.

    Parameters
    ----------
    strategy
        The strategy to apply.
    existing, inserted
        Datasets with the same schema.
    axis
        Name of the axis variable.
    dimension
        Name of the partitioned dimension.

    Returns
    -------
    Dataset
        The merged partition.
    """
    plan = strategy.rows(existing.get_variable(axis).to_numpy(), inserted.get_variable(axis).to_numpy())
    if plan is None:
        return strategy.merge(existing, inserted, axis=axis, dimension=dimension)
    return apply_plan(existing, inserted, plan, dimension=dimension)


@frozen
class Case:
    """The axis values of the existing and of the inserted rows.

    Row s of the existing dataset has the number s in every variable, and row s of the inserted dataset has ``~s``: the
    numbers that a plan uses for them.
    """

    existing: NDArray[Any]
    inserted: NDArray[Any]

    @classmethod
    def of(cls, existing: Sequence[int | None], inserted: Sequence[int | None], dtype: str) -> "Case":
        """Return a case with axis values of a type; None is NaN or NaT."""
        return cls(as_axis(existing, dtype), as_axis(inserted, dtype))

    def datasets(self) -> tuple[Dataset, Dataset]:
        """Create two datasets: the existing and the inserted rows."""
        numbers = np.arange(self.existing.size), ~np.arange(self.inserted.size)
        return _dataset(self.existing, numbers[0]), _dataset(self.inserted, numbers[1])

    def plan(self, strategy: MergeStrategy) -> RowPlan | None:
        """Return the plan of a strategy, computed from copies of the axis values."""
        return strategy.rows(self.existing.copy(), self.inserted.copy())

    def ways(self, strategy: MergeStrategy) -> tuple[Merge, ...]:
        """Return the ways in which the strategy can be applied: by its plan, by its own `merge`, or both."""

        def by_default(existing: Dataset, inserted: Dataset) -> Dataset:
            return merged(strategy, existing, inserted, AXIS, DIMENSION)

        def by_merge(existing: Dataset, inserted: Dataset) -> Dataset:
            return strategy.merge(existing, inserted, axis=AXIS, dimension=DIMENSION)

        both = implements_merge(strategy) and self.plan(strategy) is not None
        return (by_default, by_merge) if both else (by_default,)

    def results(self, strategy: MergeStrategy) -> list[Dataset]:
        """Return the results of the strategy for the case, one for each way to apply it."""
        return [merge(*self.datasets()) for merge in self.ways(strategy)]

    def numbered(self, numbers: NDArray[Any]) -> Dataset:
        """Return the rows with these numbers.

        Raises
        ------
        AssertionError
            No input row has one of the numbers.
        """
        known = [*range(self.existing.size), *range(-self.inserted.size, 0)]
        unknown = sorted(set(numbers.tolist()) - set(known))
        assert not unknown, f"rows {unknown} are not input rows"
        both = Dataset.concat(self.datasets(), DIMENSION)
        return both.isel({DIMENSION: np.where(numbers >= 0, numbers, self.existing.size + ~numbers)})


def results_of(strategy: MergeStrategy, case: Case) -> list[Dataset]:
    """Return the results of a strategy for a case, one for each way to apply it."""
    return case.results(strategy)


def implements_merge(strategy: MergeStrategy) -> bool:
    """Return whether the strategy overrides `merge`."""
    return type(strategy).merge is not MergeStrategy.merge


def as_axis(values: Sequence[int | None], dtype: str) -> NDArray[Any]:
    """Return axis values of a type; times count nanoseconds from 1970, and None is NaN or NaT."""
    if np.dtype(dtype).kind == "M":
        return np.array(["NaT" if value is None else value for value in values], dtype=dtype)
    return np.array([np.nan if value is None else value for value in values]).astype(dtype)


def has_missing(dtype: str) -> bool:
    """Return whether a dtype has a missing value (NaN or NaT)."""
    return np.dtype(dtype).kind in "fmM"


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask of NaN and NaT, the only values that differ from themselves."""
    differing: NDArray[np.bool_] = np.not_equal(values, values)
    return differing


def cases(dtype: str, *, with_missing: bool = False) -> st.SearchStrategy[Case]:
    """Return cases with rows on both sides, in any order, with duplicates and jitter.

    Parameters
    ----------
    dtype
        Type of the axis.
    with_missing
        Whether some rows have the axis value NaN or NaT.
    """
    regular = st.integers(-5, 5).map(lambda step: step * 1000)
    value = st.builds(int.__add__, regular, st.sampled_from([0, 0, 0, -1, 1]))
    column = st.lists(value | st.none() if with_missing else value, min_size=1, max_size=8)
    ordered = st.booleans().flatmap(lambda ascending: column.map(_sorted) if ascending else column)
    return st.builds(Case.of, ordered, ordered, st.just(dtype))


def _sorted(column: list[int | None]) -> list[int | None]:
    return sorted(column, key=lambda value: (value is None, value or 0))


@cache
def _schema(dtype: np.dtype[Any]) -> DatasetSchema:
    return (
        Schema()
        .with_dimension(DIMENSION)
        .with_dimension("pixel", size=3)
        .with_attribute("title", "a merge")
        .with_variable(AXIS, dtype=dtype, dimensions=(DIMENSION,))
        .with_variable("swath", dtype="float64", dimensions=(DIMENSION, "pixel"), fill_value=np.nan)
        .with_variable(FIXED, dtype="float64", dimensions=("pixel",))
        .with_group("data/ku", attrs={"band": "Ku"})
        .with_dimension("gate", size=2, group="data/ku")
        .with_variable("row", dtype="int64", dimensions=(DIMENSION,), group="data/ku")
        .with_variable("power", dtype="int32", dimensions=("gate", DIMENSION), group="data/ku")
        .build()
    )


def _dataset(axis: NDArray[Any], numbers: NDArray[np.int64]) -> Dataset:
    values = {
        AXIS: axis.copy(),
        "swath": numbers[:, None] + np.array([0.25, 0.5, np.nan]),
        FIXED: np.array([-1.0, 0.0, 1.0]),
        ROW: numbers,
        "data/ku/power": np.array([[2], [3]]) * numbers,
    }
    return Dataset(_schema(axis.dtype), values)
