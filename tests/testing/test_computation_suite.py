"""The suite of computations passes what is sound, and each of its checks finds the fault that it is there for."""

import time
from itertools import count

import numpy as np
import pytest
from attrs import evolve, frozen
from suites import failing, passes

from zcollection.plugin import Computation, VariableSchema
from zcollection.testing import ComputationSuite
from zcollection.testing.repeatable import RepeatableSuite

OUTPUTS = "test_outputs_span_the_partitioned_dimension"
ALONE = "test_outputs_depend_only_on_inputs"
DECLARED = "test_results_match_the_declared_outputs"
INPUTS = "test_inputs_are_not_modified"
SAME = "test_results_are_deterministic"
EMPTY = "test_no_rows_give_empty_results"
MISSING = "test_missing_inputs_are_accepted"
PARTS = "test_halo_is_sufficient"
DEPTH = "test_halo_is_valid"
NEEDED = "test_halo_is_necessary"

PROCESS = "test_results_are_equal_in_another_process"
CLOCK = "test_results_do_not_depend_on_the_time"
CALLS = "test_results_do_not_depend_on_earlier_calls"

CHECKS = [name for each in (ComputationSuite, RepeatableSuite) for name in vars(each) if name.startswith("test_")]


def differences(values):
    """Return the difference to the row before, missing for the first."""
    return np.diff(values, prepend=np.full(min(values.size, 1), np.nan))


@frozen
class Anomaly(Computation):
    """Sound: a difference, row by row."""

    inputs = ("ssh", "mss")

    def outputs(self, schema):
        declared = schema.get_variable("ssh")
        schema.get_variable("mss")
        return {"sla": VariableSchema("sla", dtype="float64", dimensions=declared.dimensions)}

    def compute(self, rows):
        return {"sla": rows["ssh"].to_numpy() - rows["mss"].to_numpy()}


@frozen
class Step(Computation):
    """Sound: the difference to the row before, which is its halo."""

    inputs = ("ssh",)
    halo = 1

    def outputs(self, schema):
        return {"step": VariableSchema("step", dtype="float64", dimensions=schema.get_variable("ssh").dimensions)}

    def compute(self, rows):
        return {"step": differences(rows["ssh"].to_numpy())}


class DeclaresNothing(Anomaly):
    def outputs(self, schema):
        super().outputs(schema)
        return {}

    def compute(self, rows):
        return {}


class DeclaresWhatHasNoRows(Anomaly):
    def outputs(self, schema):
        return {"sla": evolve(super().outputs(schema)["sla"], dimensions=("x",))}

    def compute(self, rows):
        return {"sla": np.zeros(2)}


class DeclaresNoFillValue(Anomaly):
    def outputs(self, schema):
        return {"sla": evolve(super().outputs(schema)["sla"], dtype="int8")}

    def compute(self, rows):
        return {"sla": np.zeros(rows["ssh"].shape, "int8")}


class LooksAtAVariableThatItDoesNotDeclare(Anomaly):
    def outputs(self, schema):
        number = len(schema.all_variables())
        return {"sla": evolve(super().outputs(schema)["sla"], attrs={"of": number})}


class DoesNotMissAnInput(Anomaly):
    def outputs(self, schema):
        return {"sla": VariableSchema("sla", dtype="float64", dimensions=("num_lines",))}


class ReadsAVariableThatItDoesNotDeclare(Anomaly):
    def compute(self, rows):
        return {"sla": rows["ssh"].to_numpy() - rows.get_variable("an/other").to_numpy()}


class ReturnsAnotherType(Anomaly):
    def compute(self, rows):
        return {"sla": super().compute(rows)["sla"].astype("float32")}


class ReturnsAnotherName(Anomaly):
    def compute(self, rows):
        return {"ssha": super().compute(rows)["sla"]}


class ReturnsARowTooMany(Anomaly):
    def compute(self, rows):
        return {"sla": np.append(super().compute(rows)["sla"], 0.0)}


class SubtractsInPlace(Anomaly):
    def compute(self, rows):
        values = rows["ssh"].to_numpy()
        values -= 1.0
        return super().compute(rows)


class Counts(Anomaly):
    calls = count()

    def compute(self, rows):
        return {"sla": super().compute(rows)["sla"] + next(self.calls)}


class FailsWithoutRows(Anomaly):
    def compute(self, rows):
        rows["ssh"].to_numpy()[0]
        return super().compute(rows)


class FailsOverLand(Anomaly):
    def compute(self, rows):
        made = super().compute(rows)
        if made["sla"].size > 1 and np.isnan(made["sla"]).all():
            message = "no value to start from"
            raise ValueError(message)
        return made


class ReadsTheRowBeforeWithoutAHalo(Step):
    halo = 0


class CentresOnItsPartition(Anomaly):
    def compute(self, rows):
        values = super().compute(rows)["sla"]
        return {"sla": values - (values[~np.isnan(values)].mean() if not np.isnan(values).all() else 0.0)}


class HasANegativeHalo(Anomaly):
    halo = -1


class HasAHaloInWords(Anomaly):
    halo = "one row"


class ReadsNeighboursForNothing(Anomaly):
    halo = 2


class AddsAHash(Anomaly):
    def compute(self, rows):
        return {"sla": super().compute(rows)["sla"] + hash("sla") % 1000}


class AddsItsAge(Anomaly):
    def compute(self, rows):
        return {"sla": super().compute(rows)["sla"] + time.gmtime().tm_year}


class CountsHundreds(Anomaly):
    calls = count(1)

    def compute(self, rows):
        return {"sla": super().compute(rows)["sla"] + next(self.calls) // 100}


def suite_of(computation):
    class SuiteOfOne(ComputationSuite):
        examples = (computation,)

    return SuiteOfOne


FOUND_BY_ONE_CHECK = [
    (DeclaresNothing(), OUTPUTS),
    (DeclaresNoFillValue(), OUTPUTS),
    (LooksAtAVariableThatItDoesNotDeclare(), ALONE),
    (DoesNotMissAnInput(), ALONE),
    (SubtractsInPlace(), INPUTS),
    (CentresOnItsPartition(), PARTS),
    (ReadsNeighboursForNothing(), NEEDED),
]

FOUND_BY_SEVERAL_CHECKS = [
    (FailsOverLand(), MISSING),
    (AddsAHash(), PROCESS),
    (AddsItsAge(), CLOCK),
    (CountsHundreds(), CALLS),
    (DeclaresWhatHasNoRows(), OUTPUTS),
    (ReadsAVariableThatItDoesNotDeclare(), DECLARED),
    (ReturnsAnotherType(), DECLARED),
    (ReturnsAnotherName(), DECLARED),
    (ReturnsARowTooMany(), DECLARED),
    (Counts(), SAME),
    (FailsWithoutRows(), EMPTY),
    (ReadsTheRowBeforeWithoutAHalo(), PARTS),
    (HasANegativeHalo(), DEPTH),
    (HasAHaloInWords(), DEPTH),
]


def described(value):
    return value if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize("computation", [Anomaly(), Step()], ids=described)
def test_what_is_sound_passes(computation):
    assert failing(suite_of(computation), CHECKS) == set()


@pytest.mark.parametrize(("computation", "check"), FOUND_BY_ONE_CHECK, ids=described)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(computation, check):
    assert failing(suite_of(computation), CHECKS) == {check}


@pytest.mark.parametrize(("computation", "check"), FOUND_BY_SEVERAL_CHECKS, ids=described)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(computation, check):
    assert not passes(getattr(suite_of(computation)(), check))


def test_every_check_is_there_for_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)
