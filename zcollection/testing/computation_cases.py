"""Test input for computations: rows along a track, split into partitions, each with the neighbouring rows of its halo."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import evolve, frozen
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.collection.read.neighbours import as_halo
from zcollection.contracts.computation import Computation
from zcollection.model.builder import Schema
from zcollection.model.dataset import Dataset
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema, VariableSchema

DIMENSION = "num_lines"


def base_schema(computation: Computation, axis: str) -> DatasetSchema:
    """Return the schema of a base: a time axis, the inputs of a computation and one other variable, as floats."""
    builder = Schema().with_dimension(DIMENSION).with_dimension("x", size=2)
    builder = builder.with_variable(axis, dtype="datetime64[ns]", dimensions=(DIMENSION,))
    inputs = {normalise_path(path) for path in computation.inputs} - {axis}
    variables = {
        path: VariableSchema(
            path.rpartition("/")[2], dtype="float64", dimensions=(DIMENSION,), fill_value=np.nan, attrs={"units": "m"}
        )
        for path in sorted(inputs | {"an/other"})
    }
    return builder.build().with_variables(variables)


@frozen(kw_only=True)
class Case:
    """Rows, and the positions at which they are split into partitions.

    Attributes
    ----------
    rows
        All rows, sorted by the axis.
    axis
        Name of the axis.
    cuts
        Positions of the first rows of partitions, ascending.
    """

    rows: Dataset
    axis: str
    cuts: tuple[int, ...]

    @property
    def length(self) -> int:
        """Number of rows."""
        return self.rows.sizes[DIMENSION]

    def part(self, rows: slice) -> "Case":
        """Return some of the rows, as one partition."""
        return evolve(self, rows=self.rows.isel({DIMENSION: rows}), cuts=())

    def inputs(self, computation: Computation) -> Dataset:
        """Return copies of the inputs of a computation."""
        chosen = self.rows.select(computation.inputs)
        arrays = {path: variable.to_numpy().copy() for path, variable in chosen.all_variables().items()}
        return Dataset(chosen.schema, arrays)

    def result(self, computation: Computation) -> dict[str, NDArray[Any]]:
        """Return the result of a computation for all rows at once, by path."""
        outputs = computation.compute(self.inputs(computation))
        return {normalise_path(path): np.asarray(values) for path, values in outputs.items()}

    def result_by_partition(self, computation: Computation) -> dict[str, NDArray[Any]]:
        """Return the result of a computation that runs on each partition and its neighbouring rows, by path."""
        found: dict[str, list[NDArray[Any]]] = {}
        for start, stop in pairwise([0, *self.cuts, self.length]):
            if start == stop:
                continue
            first, last = self._window(start, stop, computation)
            outputs = computation.outputs(self.rows.schema)
            for path, values in self.part(slice(first, last)).result(computation).items():
                axis = outputs[path].dimensions.index(DIMENSION)
                found.setdefault(path, []).append(values.take(range(start - first, stop - first), axis=axis))
        return {path: np.concatenate(parts, axis=0) for path, parts in found.items()}

    def _window(self, start: int, stop: int, computation: Computation) -> tuple[int, int]:
        times = self.rows.get_variable(self.axis).to_numpy()
        for depth in as_halo(computation.halo):
            if isinstance(depth, np.timedelta64):
                within = (times >= times[start] - depth) & (times <= times[stop - 1] + depth)
                start, stop = int(np.flatnonzero(within)[0]), int(np.flatnonzero(within)[-1]) + 1
            else:
                start, stop = max(start - depth, 0), min(stop + depth, self.length)
        return start, stop


def result_of(computation: Computation, case: Case) -> dict[str, NDArray[Any]]:
    """Return the result of a computation for all rows of a case at once, by path."""
    return case.result(computation)


def cases(computation: Computation, schema: DatasetSchema, axis: str) -> st.SearchStrategy[Case]:
    """Return a Hypothesis strategy for cases: time steps similar to the halo, and some missing values."""
    step = _step(computation)

    def make(gaps: Sequence[int], seed: int, cuts: Sequence[int]) -> Case:
        times = np.datetime64("2024-01-01", "ns") + np.cumsum(np.array(gaps, dtype=np.int64)) * step
        return Case(rows=_rows(schema, axis, times, seed), axis=axis, cuts=tuple(sorted(cuts)))

    def cut(gaps: list[int]) -> st.SearchStrategy[Case]:
        places = st.lists(st.integers(0, len(gaps)), max_size=4)
        return st.builds(make, st.just(gaps), st.integers(0, 2**32 - 1), places)

    return st.lists(st.integers(1, 3), min_size=1, max_size=24).flatmap(cut)


def _step(computation: Computation) -> np.timedelta64:
    """Return a time step that is a third of the halo, or a second if the halo is not a duration."""
    durations = [depth for depth in as_halo(computation.halo) if isinstance(depth, np.timedelta64)]
    return (
        max([duration // 3 for duration in durations] + [np.timedelta64(1, "s")])
        if durations
        else np.timedelta64(1, "s")
    )


def _rows(schema: DatasetSchema, axis: str, times: NDArray[Any], seed: int) -> Dataset:
    random = np.random.default_rng(seed)
    arrays: dict[str, NDArray[Any]] = {}
    for path, variable in schema.all_variables().items():
        if path == axis:
            arrays[path] = times.astype(variable.dtype)
            continue
        sizes = [times.size if item.name == DIMENSION else item.size or 0 for item in schema.dimensions_of(path)]
        values = random.integers(-50, 50, sizes).astype(variable.dtype)
        if variable.fill_value is not None:
            values[random.random(sizes) < 0.15] = variable.fill_value
        arrays[path] = values
    return Dataset(schema, arrays)
