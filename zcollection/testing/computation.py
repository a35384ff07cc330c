"""The conformance suite of computations."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.collection.read.neighbours import as_halo
from zcollection.contracts.computation import Computation
from zcollection.errors import SchemaError
from zcollection.model.dtypes import same_values
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.testing.computation_cases import DIMENSION, Case, base_schema, cases, result_of
from zcollection.testing.repeatable import RepeatableSuite
from zcollection.testing.suite import a_quarter, skip_unless

Check = Callable[[Computation, Case], None]


class ComputationSuite(RepeatableSuite):
    """Conformance of a computation; subclass it and give `examples`.

    Each is applied to rows along a track: its inputs are there as floating-point numbers in metres, some of them
    missing, beside an axis of times in the dimension ``num_lines``. What it computes is for the plugin's own tests.

    Attributes
    ----------
    examples
        Computations to check, each configured in one way that matters.
    schema
        The base to apply them to, where one with the inputs as floating-point numbers will not do; its partitioned
        dimension is ``num_lines``.
    axis
        Name of the axis.
    tolerance
        Relative difference allowed between results that are computed in parts and at once.

    Examples
    --------
    ::

        class TestExpression(ComputationSuite):
            examples = (Expression({"sla": "ssh - mss"}),)
    """

    schema: ClassVar[DatasetSchema | None] = None
    axis: ClassVar[str] = "time"
    tolerance: ClassVar[float] = 1e-9

    def test_its_outputs_are_variables_of_the_base(self) -> None:
        """Each is declared by its path, runs along the partitioned dimension, and can be missing."""
        for computation in self.examples:
            schema = self._base(computation)
            outputs = computation.outputs(schema)
            assert outputs, f"{computation!r} declares no output"
            extended = schema.with_variables(outputs)
            for path, variable in outputs.items():
                assert isinstance(variable, VariableSchema)
                assert extended.spans(path, DIMENSION), f"{path!r} does not span the partitioned dimension"
                assert variable.fill_value is not None or variable.dtype.kind in "fcmM", f"{path!r} has no fill value"

    def test_it_depends_on_its_inputs_alone(self) -> None:
        """Outputs follow from the inputs' part of the schema, and an input that is missing is named."""
        for computation in self.examples:
            schema = self._base(computation)
            assert computation.outputs(schema.select(computation.inputs)) == computation.outputs(schema)
            for path in computation.inputs:
                with pytest.raises(SchemaError, match=path.rpartition("/")[2]):
                    computation.outputs(schema.without_variable(path))

    def test_it_returns_what_it_declares(self) -> None:
        """Names, types and shapes are those of the outputs."""

        def check(computation: Computation, case: Case) -> None:
            declared = computation.outputs(case.rows.schema)
            made = case.result(computation)
            assert made.keys() == {path.removeprefix("/") for path in declared}
            for path, variable in declared.items():
                _check_array(made[path.removeprefix("/")], variable, case, path)

        self._explore(check)

    def test_the_inputs_are_left_as_they_were(self) -> None:
        """No array of what it is given changes."""

        def check(computation: Computation, case: Case) -> None:
            given_rows = case.given(computation)
            computation.compute(given_rows)
            assert given_rows == case.given(computation), "the computation changed its inputs"

        self._explore(check)

    def test_the_same_input_gives_the_same_result(self) -> None:
        """A computation has no memory and no dice."""

        def check(computation: Computation, case: Case) -> None:
            first, again = case.result(computation), case.result(computation)
            assert all(same_values(first[path], again[path]) for path in first), "the results differ"

        self._explore(check)

    def test_no_rows_give_no_rows(self) -> None:
        """An empty input is no error."""

        def check(computation: Computation, case: Case) -> None:
            empty = case.part(slice(0, 0))
            declared = computation.outputs(case.rows.schema)
            for path, values in empty.result(computation).items():
                _check_array(values, declared[path], empty, path)

        self._explore(check)

    def test_rows_that_are_all_missing_are_no_error(self) -> None:
        """A pass over land has its axis and nothing else."""

        def check(computation: Computation, case: Case) -> None:
            arrays = {path: variable.to_numpy().copy() for path, variable in case.rows.all_variables().items()}
            for path, variable in case.rows.schema.all_variables().items():
                if path != self.axis and variable.fill_value is not None:
                    arrays[path][...] = variable.fill_value
            lost = Case(rows=type(case.rows)(case.rows.schema, arrays), axis=case.axis, cuts=())
            declared = computation.outputs(case.rows.schema)
            for path, values in lost.result(computation).items():
                _check_array(values, declared[path], lost, path)

        self._explore(check)

    def test_partition_by_partition_gives_what_all_at_once_gives(self) -> None:
        """The halo suffices: a row's result depends on no row beyond it."""

        def check(computation: Computation, case: Case) -> None:
            whole, parts = case.result(computation), case.in_parts(computation)
            for path, values in whole.items():
                assert _are_close(values, parts[path], self.tolerance), f"{path!r} depends on where the rows are cut"

        self._explore(check)

    def test_its_halo_is_a_depth(self) -> None:
        """It is a number of rows, or a length of time, and neither is negative."""
        for computation in self.examples:
            assert len(as_halo(computation.halo)) <= 1

    def test_a_halo_is_needed(self) -> None:
        """Where one is declared, a row beside a cut has another result without it: neighbours are not read for nothing."""
        wide = [computation for computation in self.examples if as_halo(computation.halo)]
        skip_unless(wide, "no example has a halo")
        for computation in wide:
            found: list[bool] = []

            def check(computation: Computation, case: Case, found: list[bool] = found) -> None:
                alone = [case.part(slice(at, at + 1)).result(computation) for at in range(case.length)]
                whole = case.result(computation)
                found.extend(
                    not _are_close(values[at : at + 1], alone[at][path], self.tolerance)
                    for path, values in whole.items()
                    for at in range(case.length)
                )

            _run(check, computation, self._base(computation), self.axis)
            assert any(found), f"{computation!r} has the halo {computation.halo!r} and does without"

    def _function(self) -> Callable[..., Any]:
        return result_of

    def _inputs(self, example: Computation) -> st.SearchStrategy[Case]:
        return cases(example, self._base(example), self.axis)

    @staticmethod
    def _are_same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> bool:
        return left.keys() == right.keys() and all(same_values(left[path], right[path]) for path in left)

    def _base(self, computation: Computation) -> DatasetSchema:
        return base_schema(computation, self.axis) if self.schema is None else self.schema

    def _explore(self, check: Check) -> None:
        for computation in self.examples:
            _run(check, computation, self._base(computation), self.axis)


def _run(check: Check, computation: Computation, schema: DatasetSchema, axis: str) -> None:
    @a_quarter()
    @given(case=cases(computation, schema, axis))
    def explore(case: Case) -> None:
        check(computation, case)

    explore()


def _check_array(values: NDArray[Any], variable: VariableSchema, case: Case, path: str) -> None:
    assert values.dtype == variable.dtype, f"{path!r} is declared {variable.dtype} and was returned as {values.dtype}"
    schema = case.rows.schema.with_variables({path: variable})
    shape = tuple(case.length if item.name == DIMENSION else item.size for item in schema.dimensions_of(path))
    assert values.shape == shape, f"{path!r} has the shape {values.shape} for {case.length} rows"


def _are_close(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> bool:
    if left.dtype.kind in "fc":
        finest = max(tolerance, 100 * float(np.finfo(left.dtype).eps))
        return left.shape == right.shape and np.allclose(left, right, rtol=finest, atol=finest, equal_nan=True)
    return same_values(left, right)
