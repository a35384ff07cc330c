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

OUTPUTS = "test_its_outputs_are_variables_of_the_base"
ALONE = "test_it_depends_on_its_inputs_alone"
DECLARED = "test_it_returns_what_it_declares"
INPUTS = "test_the_inputs_are_left_as_they_were"
SAME = "test_the_same_input_gives_the_same_result"
EMPTY = "test_no_rows_give_no_rows"
MISSING = "test_rows_that_are_all_missing_are_no_error"
PARTS = "test_partition_by_partition_gives_what_all_at_once_gives"
DEPTH = "test_its_halo_is_a_depth"
NEEDED = "test_a_halo_is_needed"

PROCESS = "test_another_process_returns_the_same"
CLOCK = "test_the_clock_makes_no_difference"
CALLS = "test_the_calls_before_make_no_difference"

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
