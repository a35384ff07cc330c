import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_partitioning_sequence.sequence import Sequence

from zcollection.plugin import PartitionError, PluginConfigurationError
from zcollection.testing import PluginSuite
from zcollection.testing.partitioning import PartitioningSuite

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i2", ">u8")


class TestPlugin(PluginSuite):
    distribution = "zcollection-partitioning-sequence"


class TestSequence(PartitioningSuite):
    examples = (
        Sequence(("cycle",)),
        Sequence(("data/cycle_number", "/data/orbit/pass_number"), dimension="num_lines"),
        Sequence(("cycle", "pass", "tile")),
    )


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)), dtype=st.sampled_from(INTEGERS))
def test_keys_are_the_values_as_int64(values, dtype):
    limits = np.iinfo(dtype)
    fitting = [value for value in values if limits.min <= value <= limits.max]
    keys = Sequence(("cycle",)).keys({"cycle": np.array(fitting, dtype=dtype)})["cycle"]
    assert (keys.dtype, keys.tolist()) == (np.dtype("int64"), fitting)


def test_the_keys_are_an_array_of_their_own():
    column = np.arange(3)
    assert not np.shares_memory(Sequence(("cycle",)).keys({"cycle": column})["cycle"], column)


def test_fields_are_the_last_names_of_the_paths_in_the_order_given():
    sequence = Sequence(("/data/pass_number", "cycle"))
    assert [(field.name, field.width) for field in sequence.fields] == [("pass_number", 0), ("cycle", 0)]
    keys = sequence.keys({"/data/pass_number": np.array([7]), "cycle": np.array([2])})
    assert {name: values.tolist() for name, values in keys.items()} == {"pass_number": [7], "cycle": [2]}


@pytest.mark.parametrize(("value", "path"), [(2, "cycle=2"), (10, "cycle=10"), (0, "cycle=0"), (-3, "cycle=-3")])
def test_numbers_are_not_padded(value, path):
    sequence = Sequence(("cycle",))
    assert sequence.encode({"cycle": value}) == path
    assert dict(sequence.decode(path)) == {"cycle": value}


def test_cycle_2_comes_before_cycle_10():
    decode = Sequence(("cycle", "pass")).decode
    paths = ["cycle=10/pass=1", "cycle=2/pass=30", "cycle=-1/pass=9", "cycle=2/pass=4"]
    assert sorted(paths, key=decode) == ["cycle=-1/pass=9", "cycle=2/pass=4", "cycle=2/pass=30", "cycle=10/pass=1"]


def test_a_value_beyond_int64_is_refused():
    column = np.array([2**63 - 1, 2**63, 2**64 - 1], dtype="uint64")
    assert Sequence(("cycle",)).keys({"cycle": column[:1]})["cycle"].tolist() == [2**63 - 1]
    with pytest.raises(
        PartitionError, match=r"'cycle' has the value 9223372036854775808 at position 1, .* beyond int64"
    ):
        Sequence(("cycle",)).keys({"cycle": column})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**100])
def test_a_path_of_a_value_beyond_int64_is_refused(value):
    sequence = Sequence(("cycle",))
    for refuse in (lambda: sequence.decode(f"cycle={value}"), lambda: sequence.encode({"cycle": value})):
        with pytest.raises(PartitionError, match=f"has the value {value}; accepted: int from -9223372036854775808 to"):
            refuse()


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "bool", "complex64", "U1", "S1", "datetime64[s]", "timedelta64[s]", object]
)
def test_what_is_no_integer_is_refused(dtype):
    with pytest.raises(PartitionError, match=r"'cycle', which is .*; accepted: integers"):
        Sequence(("cycle",)).keys({"cycle": np.zeros(2, dtype="int64").astype(dtype)})


def test_a_list_of_variables_is_kept_as_a_tuple():
    sequence = Sequence(["cycle", "pass"])
    assert sequence == Sequence(("cycle", "pass"), None)
    assert repr(sequence) == "Sequence(variables=('cycle', 'pass'), dimension=None)"


@pytest.mark.parametrize("variables", ["cycle", (), ("cycle", ""), ("cycle", 1), None, {"cycle"}], ids=repr)
def test_variables_that_are_no_tuple_of_paths_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"variables .* accepted.* such as"):
        Sequence(variables)


@pytest.mark.parametrize("variables", [("cycle", "cycle"), ("a/cycle", "b/cycle"), ("cycle", "/cycle")], ids=repr)
def test_two_fields_of_one_name_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"would be the fields cycle, cycle; accepted: .*differ"):
        Sequence(variables)


@pytest.mark.parametrize("name", ["data/", "_cycle", "a=b", "..", "zarr.json"])
def test_names_that_no_path_can_hold_are_refused(name):
    with pytest.raises(PluginConfigurationError, match="give the partitions no names: partition field"):
        Sequence((name,))


@pytest.mark.parametrize("dimension", ["", 1, ("row",)], ids=repr)
def test_what_is_no_dimension_is_refused(dimension):
    with pytest.raises(PluginConfigurationError, match=r"dimension .*; accepted: the name of a dimension, or None"):
        Sequence(("cycle",), dimension=dimension)
