"""The suite of merge strategies passes what is sound, and each of its checks finds the fault that it is there for."""

import time
from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from attrs import frozen
from suites import failing, passes

from zcollection.plugin import Dataset, MergeStrategy, RowPlan, Schema
from zcollection.testing.merge import MergeSuite, merged
from zcollection.testing.repeatable import RepeatableSuite

INPUTS = "test_inputs_are_not_modified"
WHOLE = "test_result_rows_are_complete_input_rows"
FIXED = "test_immutable_variables_and_attributes_are_kept"
PLAN = "test_plan_contains_each_row_at_most_once"
REPLACED = "test_replaced_is_the_number_of_replaced_rows"
AGREE = "test_rows_and_merge_agree"
SAME = "test_results_are_deterministic"
EMPTY = "test_empty_inputs_are_accepted"
DUPLICATES = "test_duplicate_axis_values_are_accepted"
JITTER = "test_jittering_axis_values_are_accepted"
MISSING = "test_missing_axis_values_are_accepted"
INSERTED = "test_inserted_rows_are_kept"
EXISTING = "test_existing_rows_are_kept"
SORTED = "test_result_is_sorted"
ORDER = "test_order_of_the_input_does_not_matter"
BLIND = "test_existing_rows_are_not_read"
COUNTS = "test_axis_values_are_not_compared"

PROCESS = "test_results_are_equal_in_another_process"
CLOCK = "test_results_do_not_depend_on_the_time"
CALLS = "test_results_do_not_depend_on_earlier_calls"

CHECKS = [name for each in (MergeSuite, RepeatableSuite) for name in vars(each) if name.startswith("test_")]


def appended(existing, inserted):
    return np.concatenate([np.arange(existing.size), ~np.arange(inserted.size)])


@frozen
class Append(MergeStrategy):
    def rows(self, existing, inserted):
        return RowPlan(appended(existing, inserted))


@frozen
class Sort(MergeStrategy):
    def rows(self, existing, inserted):
        order = np.argsort(np.concatenate([existing, inserted]), kind="stable")
        return RowPlan(appended(existing, inserted)[order])


@frozen
class AppendByMerge(MergeStrategy):
    def merge(self, existing, inserted, *, axis, dimension):
        return Dataset.concat([existing, inserted], dimension)


@frozen
class Average(MergeStrategy):
    """Shift every axis value: a strategy that computes."""

    def merge(self, existing, inserted, *, axis, dimension):
        both = Dataset.concat([existing, inserted], dimension)
        values = both.get_variable(axis).to_numpy()
        return Dataset(both.schema, {**both.all_variables(), axis: values + np.ones(1, dtype="int64").astype("m8[ns]")})


class ReversesItsInput(Append):
    def rows(self, existing, inserted):
        inserted[:] = inserted[::-1].copy()
        return super().rows(existing, inserted)


class ClearsANestedVariable(AppendByMerge):
    def merge(self, existing, inserted, *, axis, dimension):
        result = super().merge(existing, inserted, axis=axis, dimension=dimension)
        existing.get_variable("data/ku/power").to_numpy()[:] = 77
        return result


class LosesAnInsertedRow(Append):
    def rows(self, existing, inserted):
        return RowPlan(appended(existing, inserted[:1]))


class LosesAnExistingRowUnseen(Append):
    def rows(self, existing, inserted):
        return RowPlan(appended(existing, inserted)[existing.size > 1 :])


class CountsTooMany(Append):
    def rows(self, existing, inserted):
        return RowPlan(appended(existing, inserted), replaced=min(1, inserted.size))


class NamesARowThatIsNotThere(Append):
    def rows(self, existing, inserted):
        return RowPlan(np.append(appended(existing, inserted), ~inserted.size))


class NamesARowTwice(Append):
    def rows(self, existing, inserted):
        return RowPlan(np.concatenate([appended(existing, inserted), ~np.arange(inserted[:1].size)]))


class PlansInSmallIntegers(Append):
    def rows(self, existing, inserted):
        return RowPlan(appended(existing, inserted).astype("int8"))


class InventsARow(AppendByMerge):
    def merge(self, existing, inserted, *, axis, dimension):
        both = super().merge(existing, inserted, axis=axis, dimension=dimension)
        values = {path: variable.to_numpy().copy() for path, variable in both.all_variables().items()}
        values["data/ku/row"][:1] = 12345
        return Dataset(both.schema, values)


class MixesRows(AppendByMerge):
    def merge(self, existing, inserted, *, axis, dimension):
        both = super().merge(existing, inserted, axis=axis, dimension=dimension)
        return Dataset(both.schema, {**both.all_variables(), "swath": both.get_variable("swath").to_numpy()[::-1]})


class LosesAGroup(AppendByMerge):
    def merge(self, existing, inserted, *, axis, dimension):
        both = super().merge(existing, inserted, axis=axis, dimension=dimension)
        return both.select([axis, "swath", "angle", "data/ku/row"])


class ChangesWhatIsFixed(AppendByMerge):
    def merge(self, existing, inserted, *, axis, dimension):
        both = super().merge(existing, inserted, axis=axis, dimension=dimension)
        return Dataset(both.schema, {**both.all_variables(), "angle": np.zeros(3)})


class SaysOneThingAndDoesAnother(Append):
    def merge(self, existing, inserted, *, axis, dimension):
        return Dataset.concat([inserted, existing], dimension)


class FailsWithoutExistingRows(Append):
    def rows(self, existing, inserted):
        existing.max()
        return super().rows(existing, inserted)


class LosesRowsToNothing(Append):
    def rows(self, existing, inserted):
        return super().rows(existing, inserted) if inserted.size else RowPlan(np.arange(0), replaced=existing.size)


class FailsWhereAllRowsAreEqual(Append):
    def rows(self, existing, inserted):
        assert existing.size < 3 or existing.size > 8 or np.ptp(existing) > 0
        return super().rows(existing, inserted)


class LosesWhatIsNear(Append):
    def rows(self, existing, inserted):
        assert existing.size < 20
        return super().rows(existing, inserted)


class LosesRowsWithoutAnAxisValue(Append):
    def rows(self, existing, inserted):
        source = appended(existing, inserted)
        kept = source[np.concatenate([existing == existing, inserted == inserted])]
        return RowPlan(kept, replaced=existing.size - np.count_nonzero(kept >= 0))


class KeepsAscendingRows(Append):
    """It holds back the rows that are earlier than the first, and counts them."""

    def rows(self, existing, inserted):
        kept = np.flatnonzero(existing >= existing[:1]) if existing.size else np.arange(0)
        return RowPlan(np.concatenate([kept, ~np.arange(inserted.size)]), replaced=existing.size - kept.size)


class Alternates(Append):
    calls: ClassVar[count] = count()

    def rows(self, existing, inserted):
        plan = super().rows(existing, inserted)
        return plan if next(self.calls) % 2 else RowPlan(plan.source[::-1])


class PretendsToBeBlind(Append):
    reads_existing = False


class PretendsToCount(Sort):
    compares_axis = False


class OrdersByHash(Append):
    """Rows are ordered by the hash of a text that is made of their axis value."""

    def rows(self, existing, inserted):
        plan = super().rows(existing, inserted)
        values = np.concatenate([existing, inserted]).tolist()
        return RowPlan(plan.source[sorted(range(len(values)), key=lambda row: hash(str(values[row])))])


class KeepsTheOrderOfTheDay(Append):
    """On one day the existing rows come first, on another the inserted ones."""

    def rows(self, existing, inserted):
        plan = super().rows(existing, inserted)
        return RowPlan(plan.source[:: -1 if time.time() > LATER else 1])


class ReversesEveryHundredthTime(Append):
    calls: ClassVar[count] = count(1)

    def rows(self, existing, inserted):
        plan = super().rows(existing, inserted)
        return RowPlan(plan.source[:: -1 if next(self.calls) % 100 == 0 else 1])


LATER = 2**31 + 10**8  # in 2041
"""In seconds: later than now, and before what the clocks that are ahead show."""


def described(value):
    return type(value).__name__ if isinstance(value, MergeStrategy) else str(value)


def suite_of(strategy, **promises):
    namespace = {"examples": (strategy,), "axis_dtypes": ("float64",), **promises}
    return type(f"{type(strategy).__name__}Suite", (MergeSuite,), namespace)


@pytest.mark.parametrize(
    ("strategy", "promises"),
    [
        (Append(), {"keeps_existing": True}),
        (Sort(), {"keeps_existing": True, "sorts": True}),
        (AppendByMerge(), {"keeps_existing": True}),
        (Average(), {"computes_values": True, "axis_dtypes": ("datetime64[ns]",)}),
    ],
    ids=described,
)
def test_a_sound_strategy_passes(strategy, promises):
    assert failing(suite_of(strategy, **promises), CHECKS) == set()


FOUND_BY_ONE_CHECK = [
    (ClearsANestedVariable(), {}, INPUTS),
    (ChangesWhatIsFixed(), {"computes_values": True}, FIXED),
    (PlansInSmallIntegers(), {}, PLAN),
    (CountsTooMany(), {}, REPLACED),
    (SaysOneThingAndDoesAnother(), {}, AGREE),
    (FailsWithoutExistingRows(), {}, EMPTY),
    (LosesRowsToNothing(), {}, EMPTY),
    (LosesWhatIsNear(), {}, JITTER),
    (LosesRowsWithoutAnAxisValue(), {}, MISSING),
    (PretendsToBeBlind(), {}, BLIND),
    (PretendsToCount(), {}, COUNTS),
]

FOUND_BY_SEVERAL_CHECKS = [
    (Alternates(), {}, SAME),
    (OrdersByHash(), {}, PROCESS),
    (KeepsTheOrderOfTheDay(), {}, CLOCK),
    (ReversesEveryHundredthTime(), {}, CALLS),
    (ReversesItsInput(), {}, INPUTS),
    (InventsARow(), {}, WHOLE),
    (MixesRows(), {}, WHOLE),
    (LosesAGroup(), {}, FIXED),
    (NamesARowThatIsNotThere(), {}, PLAN),
    (NamesARowTwice(), {}, PLAN),
    (LosesAnExistingRowUnseen(), {}, REPLACED),
    (FailsWhereAllRowsAreEqual(), {}, DUPLICATES),
    (LosesAnInsertedRow(), {}, INSERTED),
    (LosesAnExistingRowUnseen(), {"keeps_existing": True}, EXISTING),
    (Append(), {"sorts": True}, SORTED),
    (KeepsAscendingRows(), {}, ORDER),
]


@pytest.mark.parametrize(("strategy", "promises", "check"), FOUND_BY_ONE_CHECK, ids=described)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(strategy, promises, check):
    assert failing(suite_of(strategy, **promises), CHECKS) == {check}


@pytest.mark.parametrize(("strategy", "promises", "check"), FOUND_BY_SEVERAL_CHECKS, ids=described)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(strategy, promises, check):
    assert not passes(getattr(suite_of(strategy, **promises)(), check))


def test_every_check_is_there_for_a_fault():
    assert {check for _, _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)


def test_merged_goes_through_the_plan_and_failing_that_through_merge():
    schema = Schema().with_dimension("row").with_variable("time", dtype="int64", dimensions=("row",)).build()
    existing, inserted = Dataset(schema, {"time": [3, 1]}), Dataset(schema, {"time": [2]})
    assert merged(Sort(), existing, inserted, "time", "row")["time"].to_numpy().tolist() == [1, 2, 3]
    assert merged(AppendByMerge(), existing, inserted, "time", "row")["time"].to_numpy().tolist() == [3, 1, 2]
