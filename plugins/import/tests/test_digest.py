"""Digests do not depend on the order of rows, and change with anything else."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from zcollection_import.digest import Digest, numbers

import zcollection as zc

SCHEMAS = {
    "time": zc.VariableSchema("time", dtype="datetime64[ns]", dimensions=("time",)),
    "ssh": zc.VariableSchema("ssh", dtype="float32", dimensions=("x", "time")),
    "flag": zc.VariableSchema("flag", dtype="int8", dimensions=("time",)),
    "name": zc.VariableSchema("name", dtype="string", dimensions=("time",)),
    "code": zc.VariableSchema("code", dtype="U3", dimensions=("time",)),
}


def table(count, seed=0):
    random = np.random.default_rng(seed)
    return {
        "time": np.arange(count).astype("M8[ns]"),
        "ssh": random.normal(size=(3, count)).astype("f4"),
        "flag": random.integers(0, 3, count).astype("i1"),
        "name": np.array([f"n{at}" * (at % 3) for at in range(count)], np.dtypes.StringDType()),
        "code": np.array([f"{at}" for at in range(count)], "U3"),
    }


def digest(columns, rows=slice(None)):
    found = {}
    for path, values in columns.items():
        axis = SCHEMAS[path].dimensions.index("time")
        found[path] = numbers(values, SCHEMAS[path], path, axis)[rows]
    return Digest.of(found)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 30), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter_nor_how_they_are_cut(count, seed):
    columns, random = table(count), np.random.default_rng(seed)
    order, cut = random.permutation(count), int(random.integers(0, count + 1))
    parts = digest(columns, order[:cut]) + digest(columns, order[cut:])
    assert parts.difference(digest(columns)) is None
    assert parts == digest(columns)


@settings(max_examples=25, deadline=None)
@given(path=st.sampled_from(sorted(SCHEMAS)), row=st.integers(0, 9), bit=st.integers(0, 7))
def test_any_changed_bit_shows_in_its_variable(path, row, bit):
    before, after = table(10), table(10)
    changed = after[path]
    if changed.dtype.kind in "TU":
        changed[row] = changed[row] + "!" if len(changed[row]) < 3 else "zz"
    else:
        index = (..., row)
        bits = np.ascontiguousarray(changed[index]).reshape(-1).view("u1")
        bits[0] ^= 1 << bit
        changed[index] = bits.view(changed.dtype).reshape(np.shape(changed[index]))
    assume(not np.array_equal(before[path], changed))
    assert digest(before).difference(digest(after)) == (path, "does not have the values that were to be imported")


def test_values_that_change_rows_within_one_variable_show():
    before, after = table(10), table(10)
    after["name"][[3, 4]] = after["name"][[4, 3]]
    assert digest(before).variables == digest(after).variables
    assert digest(before).difference(digest(after)) == (None, "contains other rows than were to be imported")


def test_values_that_change_places_within_a_row_show():
    before, after = table(10), table(10)
    after["ssh"][[0, 1], 5] = after["ssh"][[1, 0], 5]
    assert digest(before).difference(digest(after))[0] == "ssh"


@pytest.mark.parametrize("rows", [slice(1, None), np.r_[0:10, 3]])
def test_lost_and_doubled_rows_show(rows):
    columns = table(10)
    difference = digest(columns).difference(digest(columns, rows))
    assert difference == (None, f"has {digest(columns, rows).rows} rows, and 10 were to be imported")


def test_all_bit_patterns_of_nan_are_one():
    one = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000], "u4").view("f4")
    schema = zc.VariableSchema("v", dtype="float32", dimensions=("time",))
    assert len(set(numbers(one, schema, "v", 0).tolist())) == 1


def test_packed_values_are_compared_as_they_are_stored():
    packing = zc.Packing("int16", scale_factor=0.1, fill_value=-1)
    schema = zc.VariableSchema("v", dtype="float64", dimensions=("time",), packing=packing, fill_value=np.nan)
    one, other = np.array([0.3, np.nan]), np.array([0.1 + 0.2, np.nan])
    assert one[0] != other[0]
    np.testing.assert_array_equal(numbers(one, schema, "v", 0), numbers(other, schema, "v", 0))
