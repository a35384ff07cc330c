import numpy as np
import pytest
from fakes import Quotient

import zcollection as zc
from zcollection.plugin import Field, Key, as_dimension, as_int64, as_variables, fields_of


def test_a_key_is_a_mapping_that_can_be_hashed():
    key = Key(year=2024, month=3)
    assert (dict(key), len(key), key["month"]) == ({"year": 2024, "month": 3}, 2, 3)
    assert key == Key({"year": 2024, "month": 3}) == {"year": 2024, "month": 3}
    assert {key: 1}[Key(year=2024, month=3)] == 1
    assert key != Key(month=3, year=2024)
    assert repr(key) == "Key(year=2024, month=3)"


def test_keys_are_ordered_by_their_values():
    keys = [Key(cycle=cycle, number=number) for cycle in (10, 2, -1) for number in (30, 4)]
    assert [(key["cycle"], key["number"]) for key in sorted(keys)] == [
        (-1, 4),
        (-1, 30),
        (2, 4),
        (2, 30),
        (10, 4),
        (10, 30),
    ]


@pytest.mark.parametrize(
    ("field", "value", "segment"),
    [
        (Field("year", width=4), 2024, "year=2024"),
        (Field("year", width=4), -5, "year=-005"),
        (Field("year", width=4), 12345, "year=12345"),
        (Field("month", width=2), 3, "month=03"),
        (Field("cycle"), -12, "cycle=-12"),
        (Field("name", text=True), "é.1", "name=é.1"),
        (Field("name", text=True), "a=b", "name=a=b"),
    ],
)
def test_a_value_and_its_segment(field, value, segment):
    assert (field.encode(value), field.decode(segment)) == (segment, value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 2**63, -(2**63) - 1])
def test_a_number_is_an_integer_of_64_bits(value):
    with pytest.raises(zc.PartitionError, match="partition field 'cycle' has the value"):
        Field("cycle").encode(value)


@pytest.mark.parametrize("value", [1, None, "a/b", "a b", "\n", "x" * 300])
def test_a_text_is_one_that_a_path_can_hold(value):
    with pytest.raises(zc.PartitionError):
        Field("name", text=True).encode(value)


@pytest.mark.parametrize(
    "segment", ["month=3", "month=003", "mont=03", "month", "month=+3", "month=٣", "month=", "month=03/"]
)
def test_only_what_is_written_is_read(segment):
    with pytest.raises(zc.PartitionError):
        Field("month", width=2).decode(segment)


def test_a_path_has_a_segment_for_each_field():
    partitioning = Quotient(("time",))
    assert partitioning.encode({"sign": "plus", "quotient": 3}) == "sign=plus/quotient=3"
    assert partitioning.decode("sign=plus/quotient=3") == Key(sign="plus", quotient=3)
    for path in ("sign=plus", "sign=plus/quotient=3/x=1", "quotient=3/sign=plus", ""):
        with pytest.raises(zc.PartitionError):
            partitioning.decode(path)
    for key in ({"sign": "plus"}, {"quotient": 3, "sign": "plus"}, {"sign": "plus", "quotient": 3, "x": 1}):
        with pytest.raises(zc.PartitionError, match="accepted: the fields sign, quotient, in this order"):
            partitioning.encode(key)


def test_the_settings_that_partitionings_share():
    assert as_variables(["a", "b/d"]) == ("a", "b/d")
    assert [field.name for field in fields_of(("a", "b/d"))] == ["a", "d"]
    assert (as_dimension("n"), as_dimension(None)) == ("n", None)
    for refused in ("ab", (), (1,), ("",), None):
        with pytest.raises(zc.PluginError, match="variables is .* such as"):
            as_variables(refused)
    for refused in ("", 5):
        with pytest.raises(zc.PluginError, match="dimension is"):
            as_dimension(refused)
    with pytest.raises(zc.PluginError, match="would be the fields d, d"):
        fields_of(("a/d", "b/d"))
    with pytest.raises(zc.PluginError, match="no names"):
        fields_of(("a/_c",))


def test_columns_of_integers():
    assert as_int64(np.array([1, 2], dtype="uint8"), "v").dtype == np.dtype("int64")
    with pytest.raises(zc.PartitionError, match="'v' has the value 9223372036854775808 at position 1"):
        as_int64(np.array([1, 2**63], dtype="uint64"), "v")
    with pytest.raises(zc.PartitionError, match="'v', which is float64; accepted: integers"):
        as_int64(np.array([1.0]), "v")
