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
    """Conformance of a computation; subclass it, and set `examples`.

    The suite applies each example to rows along a track: an axis of times along the dimension ``num_lines``, and the inputs
    as floating-point numbers in metres, some of them missing. Test the computed values in the plugin's own tests.

    Attributes
    ----------
    examples
        Computations to check, one for each configuration that behaves differently.
    schema
        Schema of the base, for computations whose inputs are not floating-point numbers; its partitioned dimension has to
        be ``num_lines``.
    axis
        Name of the axis.
    tolerance
        Largest relative difference between results computed by partition and all at once.

    Examples
    --------
    ::

        class TestExpression(ComputationSuite):
            examples = (Expression({"sla": "ssh - mss"}),)
    """

    schema: ClassVar[DatasetSchema | None] = None
    axis: ClassVar[str] = "time"
    tolerance: ClassVar[float] = 1e-9

    def test_outputs_span_the_partitioned_dimension(self) -> None:
        """Each output is declared by its path, spans the partitioned dimension, and has a fill value."""
        for computation in self.examples:
            schema = self._base(computation)
            outputs = computation.outputs(schema)
            assert outputs, f"{computation!r} declares no output"
            extended = schema.with_variables(outputs)
            for path, variable in outputs.items():
                assert isinstance(variable, VariableSchema)
                assert extended.spans(path, DIMENSION), f"{path!r} does not span the partitioned dimension"
                assert variable.fill_value is not None or variable.dtype.kind in "fcmM", f"{path!r} has no fill value"

    def test_outputs_depend_only_on_inputs(self) -> None:
        """`outputs` depends only on the schema of the inputs, and names a missing input in its error."""
        for computation in self.examples:
            schema = self._base(computation)
            assert computation.outputs(schema.select(computation.inputs)) == computation.outputs(schema)
            for path in computation.inputs:
                with pytest.raises(SchemaError, match=path.rpartition("/")[2]):
                    computation.outputs(schema.without_variable(path))

    def test_results_match_the_declared_outputs(self) -> None:
        """Names, types and shapes of the results match the declared outputs."""

        def check(computation: Computation, case: Case) -> None:
            declared = computation.outputs(case.rows.schema)
            result = case.result(computation)
            assert result.keys() == {path.removeprefix("/") for path in declared}
            for path, variable in declared.items():
                _check_array(result[path.removeprefix("/")], variable, case, path)

        self._explore(check)

    def test_inputs_are_not_modified(self) -> None:
        """The computation modifies no input array."""

        def check(computation: Computation, case: Case) -> None:
            inputs = case.inputs(computation)
            computation.compute(inputs)
            assert inputs == case.inputs(computation), "the computation changed its inputs"

        self._explore(check)

    def test_results_are_deterministic(self) -> None:
        """Two calls with the same input return the same result."""

        def check(computation: Computation, case: Case) -> None:
            first, again = case.result(computation), case.result(computation)
            assert all(same_values(first[path], again[path]) for path in first), "the results differ"

        self._explore(check)

    def test_no_rows_give_empty_results(self) -> None:
        """Input without rows is not an error."""

        def check(computation: Computation, case: Case) -> None:
            empty = case.part(slice(0, 0))
            declared = computation.outputs(case.rows.schema)
            for path, values in empty.result(computation).items():
                _check_array(values, declared[path], empty, path)

        self._explore(check)

    def test_missing_inputs_are_accepted(self) -> None:
        """Rows whose inputs are all missing, for instance over land, are not an error."""

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

    def test_halo_is_sufficient(self) -> None:
        """The halo is sufficient: the result of a row does not depend on rows beyond the halo."""

        def check(computation: Computation, case: Case) -> None:
            whole, parts = case.result(computation), case.result_by_partition(computation)
            for path, values in whole.items():
                assert _are_close(values, parts[path], self.tolerance), (
                    f"{path!r} depends on the boundaries of partitions"
                )

        self._explore(check)

    def test_halo_is_valid(self) -> None:
        """The halo is a number of rows or a duration, and is not negative."""
        for computation in self.examples:
            assert len(as_halo(computation.halo)) <= 1

    def test_halo_is_necessary(self) -> None:
        """A declared halo is necessary: without it, the result of some row at the edge of a partition differs."""
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
            assert any(found), f"{computation!r} has the halo {computation.halo!r} and does not need it"

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
