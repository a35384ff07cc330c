"""Conformance of the strategy, and tests of its own rules."""

import numpy as np
import pytest
import zcollection as zc
from zcollection.plugin import SchemaError
from zcollection.testing import MergeSuite
from zcollection.testing.merge import ROW

from {{ cookiecutter.module }}.merge import {{ cookiecutter.__class }}


class Test{{ cookiecutter.__class }}(MergeSuite):
    # The suite numbers the rows, and inserted ones from -1 downwards, so that their flags are the better ones.
    examples = ({{ cookiecutter.__class }}(flag=ROW),)
    sorts = True


def plan(existing, inserted, old, new):
    return {{ cookiecutter.__class }}().plan(*map(np.array, (existing, inserted, old, new)))


def test_the_row_with_the_better_flag_is_kept_from_either_input():
    result = plan([10, 20, 30], [10, 20], [0, 3, 1], [2, 1])
    assert result.source.tolist() == [0, ~1, 2]
    assert result.replaced == 1


def test_of_equal_flags_the_last_inserted_row_is_kept():
    assert plan([10], [10, 10], [1], [1, 1]).source.tolist() == [~1]


def test_existing_duplicates_are_kept_if_no_inserted_row_has_their_axis_value():
    assert plan([10, 10, 20], [20], [0, 0, 0], [0]).source.tolist() == [0, 1, ~0]


def schema(dtype="int8"):
    return (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("quality_flag", dtype=dtype, dimensions=("time",))
        .build()
    )


def collection(name, dtype="int8"):
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    return zc.create_collection(f"memory://{name}", schema=schema(dtype), axis="time", partitioning=partitioning)


def test_a_collection_can_be_merged_by_the_strategy():
    target = collection("{{ cookiecutter.name }}")
    first, again = np.array([[0, 2, 2], [1, 1, 3]], dtype="int8")
    target.insert({"time": np.arange(3), "quality_flag": first})
    target.insert({"time": np.arange(3), "quality_flag": again}, merge="{{ cookiecutter.name }}")
    assert target.query()["quality_flag"].to_numpy().tolist() == [0, 1, 2]


def test_a_flag_that_is_not_an_integer_is_rejected():
    target = collection("{{ cookiecutter.name }}/float", "float32")
    rows = {"time": np.arange(1), "quality_flag": np.zeros(1, "float32")}
    target.insert(rows)
    with pytest.raises(SchemaError, match="accepted: integers along 'time'"):
        target.insert(rows, merge="{{ cookiecutter.name }}")
