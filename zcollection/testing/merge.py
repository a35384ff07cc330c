"""The conformance suite of merge strategies."""

from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.contracts.merge import MergeStrategy, RowPlan
from zcollection.model.dataset import Dataset
from zcollection.testing.merge_cases import (
    AXIS,
    FIXED,
    ROW,
    Case,
    cases,
    has_missing,
    implements_merge,
    merged,
    missing,
    results_of,
)
from zcollection.testing.repeatable import RepeatableSuite
from zcollection.testing.suite import a_quarter, skip_unless

__all__ = ["MergeSuite", "merged"]

Check = Callable[[MergeStrategy, Case], None]

_ONE_SIDED: tuple[tuple[list[int], list[int]], ...] = (([], []), ([], [2, 1, 3]), ([2, 1, 3], []))


class MergeSuite(RepeatableSuite):
    """Conformance of a merge strategy; subclass it, and set `examples`.

    The suite calls `rows`, `merge`, or both if the strategy implements both. Every variable of a row contains the number of
    the row, so that the checks hold for every strategy. Test in the plugin's own tests which rows are replaced.

    Attributes
    ----------
    examples
        Strategies to check, one for each configuration that behaves differently.
    axis_dtypes
        Types of axis that all examples accept; for a tolerance in time, ``("datetime64[ns]",)``.
    computes_values
        Whether the strategy computes values that no input row has; the checks of entire rows are then skipped.
    keeps_inserted
        Whether every inserted row is kept, or another inserted row with the same axis value.
    keeps_existing
        Whether every existing row is kept.
    sorts
        Whether the result is sorted by axis value, NaN and NaT last.

    Examples
    --------
    ::

        class TestTimeSeries(MergeSuite):
            examples = (TimeSeries(),)
            sorts = True
    """

    axis_dtypes: ClassVar[tuple[str, ...]] = ("int64", "float64", "datetime64[ns]")
    computes_values: ClassVar[bool] = False
    keeps_inserted: ClassVar[bool] = True
    keeps_existing: ClassVar[bool] = False
    sorts: ClassVar[bool] = False

    def test_inputs_are_not_modified(self) -> None:
        """The strategy modifies no array of either dataset, in any group."""

        def check(strategy: MergeStrategy, case: Case) -> None:
            for merge in case.ways(strategy):
                existing, inserted = case.datasets()
                merge(existing, inserted)
                assert (existing, inserted) == case.datasets(), "the strategy changed its inputs"

        self._explore(check)

    def test_result_rows_are_complete_input_rows(self) -> None:
        """No row is invented or repeated, and no row combines values of two rows."""
        skip_unless(not self.computes_values, "the strategy computes values")
        self._explore(_check_whole_rows)

    def test_immutable_variables_and_attributes_are_kept(self) -> None:
        """Schema, attributes, groups, and variables without the partitioned dimension equal those of the inputs."""

        def check(strategy: MergeStrategy, case: Case) -> None:
            existing, _ = case.datasets()
            for result in case.results(strategy):
                assert result.schema == existing.schema
                assert result.attrs == existing.attrs
                assert result.all_variables().keys() == existing.all_variables().keys()
                np.testing.assert_array_equal(result.get_variable(FIXED), existing.get_variable(FIXED))

        self._explore(check)

    def test_plan_contains_each_row_at_most_once(self) -> None:
        """The source of a plan is one-dimensional int64, within bounds, without repetition."""

        def check(strategy: MergeStrategy, case: Case) -> None:
            source = _plan(strategy, case).source
            assert (source.dtype, source.ndim) == (np.dtype(np.int64), 1)
            assert set(source.tolist()) <= {*range(-case.inserted.size, case.existing.size)}, "a source is out of range"
            assert np.unique(source).size == source.size, "a row occurs twice"

        self._explore(check, self._planning())

    def test_replaced_is_the_number_of_replaced_rows(self) -> None:
        """`replaced` is the number of existing rows that are not in the plan."""

        def check(strategy: MergeStrategy, case: Case) -> None:
            plan = _plan(strategy, case)
            kept = np.unique(plan.source[plan.source >= 0])
            assert plan.replaced == case.existing.size - kept.size

        self._explore(check, self._planning())

    def test_rows_and_merge_agree(self) -> None:
        """A strategy with both `rows` and `merge` returns the same result from both."""
        both = [strategy for strategy in self._planning() if implements_merge(strategy)]
        skip_unless(both, "the strategy implements only one of rows() and merge()")

        def check(strategy: MergeStrategy, case: Case) -> None:
            by_rows, by_merge = case.results(strategy)
            assert by_rows == by_merge, "rows() and merge() disagree"

        self._explore(check, both)

    def test_results_are_deterministic(self) -> None:
        """Two calls with the same input return the same result."""

        def check(strategy: MergeStrategy, case: Case) -> None:
            assert case.results(strategy) == case.results(strategy)

        self._explore(check)

    def test_empty_inputs_are_accepted(self) -> None:
        """Empty inputs are not an error, and without inserted rows no existing row is replaced."""
        for strategy, dtype in product(self.examples, self.axis_dtypes):
            for existing, inserted in _ONE_SIDED:
                case = Case.of(existing, inserted, dtype)
                for check in self._declared_checks():
                    check(strategy, case)
                if strategy.reads_existing and not inserted:
                    lengths = {_axis(result).size for result in case.results(strategy)}
                    assert lengths == {len(existing)}, "existing rows were replaced, although no row was inserted"

    def test_duplicate_axis_values_are_accepted(self) -> None:
        """Duplicates in either or both inputs are not an error, and the declared properties hold."""
        self._check_cases(([0, 0, 0], [0, 0]), ([0, 0, 1], [2, 2]), ([3], [3, 3, 3]))

    def test_jittering_axis_values_are_accepted(self) -> None:
        """For a series inserted again with slightly different times, the declared properties hold."""
        regular = [*range(0, 60_000, 1000)]
        jitter = np.random.default_rng(0).integers(-20, 21, len(regular)).tolist()
        shifted = [value + shift for value, shift in zip(regular, jitter, strict=True)]
        self._check_cases((regular, shifted), (shifted, regular), (regular, shifted[20:40]))

    def test_missing_axis_values_are_accepted(self) -> None:
        """NaN and NaT as axis values are not an error, and the declared properties hold."""
        dtypes = [dtype for dtype in self.axis_dtypes if has_missing(dtype)]
        skip_unless(dtypes, "no accepted axis type can represent missing values")
        for check in self._declared_checks():
            self._explore(check, dtypes=dtypes, with_missing=True)

    def test_inserted_rows_are_kept(self) -> None:
        """The result contains every inserted row, or another inserted row with the same axis value."""
        skip_unless(self.keeps_inserted and not self.computes_values, "keeps_inserted is False")
        self._explore(_check_inserted)

    def test_existing_rows_are_kept(self) -> None:
        """The result contains every existing row."""
        skip_unless(self.keeps_existing and not self.computes_values, "keeps_existing is False")
        self._explore(_check_existing)

    def test_result_is_sorted(self) -> None:
        """The axis values of the result ascend, and missing ones come last."""
        skip_unless(self.sorts, "sorts is False")
        self._explore(_check_sorted)

    def test_order_of_the_input_does_not_matter(self) -> None:
        """Shuffled rows give the same set of axis values as sorted rows."""
        skip_unless(not self.computes_values, "the strategy computes values")

        def check(strategy: MergeStrategy, case: Case) -> None:
            ordered = Case(np.sort(case.existing), np.sort(case.inserted))
            for result, expected in zip(case.results(strategy), ordered.results(strategy), strict=True):
                np.testing.assert_array_equal(np.sort(_axis(result)), np.sort(_axis(expected)))

        self._explore(check)

    def test_existing_rows_are_not_read(self) -> None:
        """If `reads_existing` is False, the result equals the result for an empty partition."""
        blind = [strategy for strategy in self.examples if not strategy.reads_existing]
        skip_unless(blind, "the strategy reads the existing rows")

        def check(strategy: MergeStrategy, case: Case) -> None:
            unseen = Case(case.existing[:0], case.inserted)
            assert case.results(strategy) == unseen.results(strategy), "the result depends on the existing rows"

        self._explore(check, blind)

    def test_axis_values_are_not_compared(self) -> None:
        """If `compares_axis` is False, the plan depends only on the numbers of rows."""
        counting = [strategy for strategy in self._planning(required=False) if not strategy.compares_axis]
        skip_unless(counting, "the strategy compares axis values")

        def check(strategy: MergeStrategy, case: Case) -> None:
            plan = _plan(strategy, case)
            counted = _plan(strategy, Case(np.zeros_like(case.existing), np.zeros_like(case.inserted)))
            np.testing.assert_array_equal(plan.source, counted.source)

        self._explore(check, counting)

    def _function(self) -> Callable[..., Any]:
        return results_of

    def _inputs(self, example: MergeStrategy) -> st.SearchStrategy[Case]:  # noqa: ARG002 - equal for all examples
        return st.one_of([cases(dtype) for dtype in self.axis_dtypes])

    def _explore(
        self,
        check: Check,
        strategies: list[MergeStrategy] | None = None,
        *,
        dtypes: list[str] | None = None,
        with_missing: bool = False,
    ) -> None:
        chosen = self.examples if strategies is None else strategies
        for strategy, dtype in product(chosen, self.axis_dtypes if dtypes is None else dtypes):
            _run(check, strategy, dtype, with_missing=with_missing)

    def _check_cases(self, *columns: tuple[list[int], list[int]]) -> None:
        for strategy, dtype in product(self.examples, self.axis_dtypes):
            for existing, inserted in columns:
                for check in self._declared_checks():
                    check(strategy, Case.of(existing, inserted, dtype))

    def _declared_checks(self) -> list[Check]:
        rows = not self.computes_values
        checks: list[tuple[bool, Check]] = [
            (True, _check_works),
            (self.sorts, _check_sorted),
            (rows, _check_whole_rows),
            (rows and self.keeps_inserted, _check_inserted),
            (rows and self.keeps_existing, _check_existing),
        ]
        return [check for declared, check in checks if declared]

    def _planning(self, *, required: bool = True) -> list[MergeStrategy]:
        simple = Case.of([1, 2], [2, 3], self.axis_dtypes[0])
        planning = [strategy for strategy in self.examples if simple.plan(strategy) is not None]
        skip_unless(planning or not required, "the strategy returns no plan: it implements merge()")
        return planning


def _run(check: Check, strategy: MergeStrategy, dtype: str, *, with_missing: bool) -> None:
    @a_quarter()
    @given(case=cases(dtype, with_missing=with_missing))
    def explore(case: Case) -> None:
        check(strategy, case)

    explore()


def _plan(strategy: MergeStrategy, case: Case) -> RowPlan:
    plan = case.plan(strategy)
    assert plan is not None, "rows() returns a plan for some rows and None for others"
    return plan


def _check_works(strategy: MergeStrategy, case: Case) -> None:
    assert case.results(strategy)


def _check_whole_rows(strategy: MergeStrategy, case: Case) -> None:
    for result in case.results(strategy):
        numbers = result.get_variable(ROW).to_numpy()
        assert np.unique(numbers).size == numbers.size, "a row occurs twice in the result"
        assert result == case.numbered(numbers), "a row has values of several rows"


def _check_inserted(strategy: MergeStrategy, case: Case) -> None:
    for result in case.results(strategy):
        numbers = result.get_variable(ROW).to_numpy()
        kept = ~numbers[numbers < 0]
        lost = np.setdiff1d(np.arange(case.inserted.size), kept)
        alone = [row for row in lost.tolist() if case.inserted[row] not in case.inserted[kept]]
        assert not alone, f"inserted rows {alone} are lost"


def _check_existing(strategy: MergeStrategy, case: Case) -> None:
    for result in case.results(strategy):
        lost = np.setdiff1d(np.arange(case.existing.size), result.get_variable(ROW).to_numpy())
        assert not lost.size, f"existing rows {lost.tolist()} are lost"


def _check_sorted(strategy: MergeStrategy, case: Case) -> None:
    for result in case.results(strategy):
        axis = _axis(result)
        present = axis[: axis.size - np.count_nonzero(missing(axis))]
        assert not missing(present).any(), "a missing axis value does not come last"
        assert (present[1:] >= present[:-1]).all(), "the result is not sorted"


def _axis(dataset: Dataset) -> NDArray[Any]:
    return dataset.get_variable(AXIS).to_numpy()
