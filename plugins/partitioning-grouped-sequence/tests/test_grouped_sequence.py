import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zcollection_partitioning_grouped_sequence.grouped_sequence import GroupedSequence

from zcollection.plugin import PartitionError, PluginConfigurationError
from zcollection.testing import PluginSuite
from zcollection.testing.partitioning import PartitioningSuite

SMALLEST, LARGEST = -(2**63), 2**63 - 1
NEAR_AN_END = st.builds(int.__add__, st.sampled_from([SMALLEST, -1, 0, LARGEST, 2 * LARGEST]), st.integers(-50, 50))
ANY = st.integers(SMALLEST, 2**64 - 1) | NEAR_AN_END
INT64 = ANY.filter(lambda value: SMALLEST <= value <= LARGEST)
UINT64 = ANY.filter(lambda value: 0 <= value < 2**64)
SIZE = st.integers(1, 600) | INT64.filter(lambda value: value > 0)
START = st.integers(-600, 600) | INT64


class TestPlugin(PluginSuite):
    distribution = "zcollection-partitioning-grouped-sequence"


class TestGroupedSequence(PartitioningSuite):
    examples = (
        GroupedSequence(("pass",), size=10),
        GroupedSequence(("cycle_number", "data/pass_number"), size=100, start=1),
        GroupedSequence(("cycle", "pass"), size=7, start=-3, dimension="num_lines"),
        GroupedSequence(("cycle", "pass"), size=1),
    )


def check(column, size, start):
    """Compare with Python's integers, which are as wide as they need to be."""
    grouped = GroupedSequence(("pass",), size=size, start=start)
    expected = [(value - start) // size * size + start for value in column.tolist()]
    beyond = [position for position, key in enumerate(expected) if not SMALLEST <= key <= LARGEST]
    if beyond:
        with pytest.raises(PartitionError, match=f"value {column[beyond[0]]} at position {beyond[0]}, .* beyond int64"):
            grouped.keys({"pass": column})
    else:
        keys = grouped.keys({"pass": column})["pass"]
        assert (keys.dtype, keys.tolist()) == (np.dtype("int64"), expected)


@settings(deadline=None, max_examples=500)
@given(values=st.lists(INT64, max_size=5), size=SIZE, start=START)
@example(values=[SMALLEST], size=LARGEST, start=LARGEST)
@example(values=[LARGEST, SMALLEST], size=2, start=0)
@example(values=[SMALLEST], size=2, start=1)
def test_over_all_of_int64_the_keys_are_exact_or_refused(values, size, start):
    check(np.array(values, dtype="int64"), size, start)


@settings(deadline=None, max_examples=500)
@given(values=st.lists(UINT64, max_size=5), size=SIZE, start=START, order=st.sampled_from("<>"))
@example(values=[2**63], size=10, start=0, order="<")
@example(values=[2**64 - 1], size=LARGEST, start=0, order="<")
@example(values=[0], size=10, start=5, order="<")
def test_over_all_of_uint64_the_keys_are_exact_or_refused(values, size, start, order):
    check(np.array(values, dtype=f"{order}u8"), size, start)


@settings(deadline=None)
@given(
    values=st.lists(st.integers(0, 127)),
    dtype=st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32", ">i4"]),
    size=st.integers(1, 10**6),
    start=st.integers(-(10**6), 10**6),
)
def test_narrow_integers_do_not_wrap(values, dtype, size, start):
    check(np.array(values, dtype=dtype), size, start)


def test_a_value_whose_group_begins_below_uint64s_end_has_a_key():
    keys = GroupedSequence(("n",), size=10).keys({"n": np.array([2**63 - 1, 2**63 + 1], dtype="uint64")})
    assert keys["n"].tolist() == [2**63 - 8, 2**63 - 8]


@pytest.mark.parametrize(
    ("start", "expected"), [(0, [-10, -10, 0, 0, 10]), (1, [-9, -9, -9, 1, 1]), (-9, [-9, -9, -9, 1, 1])]
)
def test_groups_go_on_before_their_start(start, expected):
    keys = GroupedSequence(("pass",), size=10, start=start).keys({"pass": np.array([-2, -1, 0, 9, 10])})
    assert keys["pass"].tolist() == expected


def test_only_the_last_variable_is_grouped():
    grouped = GroupedSequence(("data/cycle", "pass"), size=10)
    keys = grouped.keys({"data/cycle": np.array([13, 27], dtype="int16"), "pass": np.array([13, 27], dtype="uint8")})
    assert {name: (values.dtype, values.tolist()) for name, values in keys.items()} == {
        "cycle": (np.dtype("int64"), [13, 27]),
        "pass": (np.dtype("int64"), [10, 20]),
    }


def test_a_value_beyond_int64_is_refused_in_a_variable_that_is_not_grouped():
    columns = {"cycle": np.array([1, 2**63], dtype="uint64"), "pass": np.array([1, 2])}
    with pytest.raises(PartitionError, match="'cycle' has the value 9223372036854775808 at position 1"):
        GroupedSequence(("cycle", "pass"), size=10).keys(columns)


@pytest.mark.parametrize("name", ["cycle", "pass"])
@pytest.mark.parametrize("dtype", ["float64", "bool", "complex64", "U1", "datetime64[s]", "timedelta64[s]", object])
def test_what_is_no_integer_is_refused(name, dtype):
    columns = {"cycle": np.zeros(2, dtype="int64"), "pass": np.zeros(2, dtype="int64")}
    with pytest.raises(PartitionError, match=f"'{name}', which is .*; accepted: integers"):
        GroupedSequence(("cycle", "pass"), size=10).keys({**columns, name: columns[name].astype(dtype)})


@pytest.mark.parametrize("path", ["cycle=2/pass=10", "cycle=2/pass=-8", "cycle=2/pass=0"])
def test_a_path_whose_number_begins_no_group_is_refused(path):
    grouped = GroupedSequence(("cycle", "pass"), size=10, start=1)
    key = {"cycle": 2, "pass": int(path.rpartition("=")[2])}
    for refuse in (lambda: grouped.decode(path), lambda: grouped.encode(key)):
        with pytest.raises(PartitionError, match=r"has the pass .*; accepted: 1 plus or minus multiples of 10"):
            refuse()


@pytest.mark.parametrize("key", [{"cycle": 2**63, "pass": 0}, {"cycle": 0, "pass": -(2**63) - 2}])
def test_a_path_of_a_value_beyond_int64_is_refused(key):
    grouped = GroupedSequence(("cycle", "pass"), size=10)
    path = "/".join(f"{name}={value}" for name, value in key.items())
    for refuse in (lambda: grouped.decode(path), lambda: grouped.encode(key)):
        with pytest.raises(PartitionError, match="accepted: int from -9223372036854775808 to 9223372036854775807"):
            refuse()


@pytest.mark.parametrize("value", [-9, 1, 11])
def test_numbers_are_not_padded(value):
    grouped = GroupedSequence(("cycle", "pass"), size=10, start=1)
    assert grouped.encode({"cycle": 2, "pass": value}) == f"cycle=2/pass={value}"
    assert dict(grouped.decode(f"cycle=2/pass={value}")) == {"cycle": 2, "pass": value}


def test_keys_of_numpys_integers_have_paths():
    grouped = GroupedSequence(("pass",), size=3, start=LARGEST)
    assert grouped.encode({"pass": np.int64(SMALLEST)}) == f"pass={SMALLEST}"


def test_numbers_of_numpy_and_lists_are_kept_as_plain_ones():
    grouped = GroupedSequence(["cycle", "pass"], size=np.int16(10), start=np.uint64(1))
    assert grouped == GroupedSequence(("cycle", "pass"), size=10, start=1)
    assert repr(grouped) == "GroupedSequence(variables=('cycle', 'pass'), size=10, start=1, dimension=None)"


@pytest.mark.parametrize("size", [0, -1, 2**63, True, 10.0, "10", None, np.nan], ids=repr)
def test_what_is_no_size_is_refused(size):
    with pytest.raises(PluginConfigurationError, match=r"size of the groups is .*; accepted: an integer from 1 to"):
        GroupedSequence(("pass",), size=size)


@pytest.mark.parametrize("start", [2**63, -(2**63) - 1, False, 1.0, "1", None], ids=repr)
def test_what_is_no_start_is_refused(start):
    with pytest.raises(PluginConfigurationError, match=r"start of a group is .*; accepted: an integer from -\d+ to"):
        GroupedSequence(("pass",), size=10, start=start)


@pytest.mark.parametrize("variables", ["pass", (), ("pass", ""), (1,), None, {"pass"}], ids=repr)
def test_variables_that_are_no_tuple_of_paths_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"variables .* accepted.* such as"):
        GroupedSequence(variables, size=10)


@pytest.mark.parametrize("variables", [("pass", "pass"), ("a/pass", "b/pass"), ("pass", "/pass")], ids=repr)
def test_two_fields_of_one_name_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"would be the fields pass, pass; accepted: .*differ"):
        GroupedSequence(variables, size=10)


@pytest.mark.parametrize("name", ["data/", "_pass", "a=b", ".."])
def test_names_that_no_path_can_hold_are_refused(name):
    with pytest.raises(PluginConfigurationError, match="give the partitions no names: partition field"):
        GroupedSequence((name,), size=10)


@pytest.mark.parametrize("dimension", ["", 1, ("row",)], ids=repr)
def test_what_is_no_dimension_is_refused(dimension):
    with pytest.raises(PluginConfigurationError, match=r"dimension .*; accepted: the name of a dimension, or None"):
        GroupedSequence(("pass",), size=10, dimension=dimension)
