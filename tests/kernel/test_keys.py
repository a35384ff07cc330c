import numpy as np
import pytest
from fakes import Quotient
from hypothesis import given
from hypothesis import strategies as st

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
        (Field("name", text=True), "a/b c", "name=a%2Fb%20c"),
        (Field("name", text=True), "", "name="),
        (Field("name", text=True), "12", "name=12"),
        (Field("up", boolean=True), True, "up=true"),
        (Field("up", boolean=True), False, "up=false"),
    ],
)
def test_a_value_and_its_segment(field, value, segment):
    assert (field.encode(value), field.decode(segment)) == (segment, value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 2**63, -(2**63) - 1])
def test_a_number_is_an_integer_of_64_bits(value):
    with pytest.raises(zc.PartitionError, match="partition field 'cycle' has the value"):
        Field("cycle").encode(value)


@given(st.text(max_size=16))
def test_any_text_has_a_segment_that_gives_it_back(text):
    field = Field("name", text=True)
    segment = field.encode(text)
    assert (field.decode(segment), field.encode(field.decode(segment))) == (text, segment)


@pytest.mark.parametrize("value", [1, None, True, b"text", "\ud800"], ids=ascii)
def test_what_is_no_text_is_refused(value):
    with pytest.raises(
        zc.PartitionError, match=r"field 'name' has the value .*; accepted: str, without lone surrogates"
    ):
        Field("name", text=True).encode(value)


@pytest.mark.parametrize("text", ["x" * 195, "é" * 97, "/" * 65])
def test_a_segment_has_up_to_200_bytes(text):
    field = Field("name", text=True)
    assert len(field.encode(text).encode()) <= 200
    with pytest.raises(
        zc.PartitionError, match=r"field 'name' has the value '.*', whose part of the path has 20\d bytes"
    ):
        field.encode(text + text[:3])


def test_a_message_quotes_the_ends_of_a_long_value():
    with pytest.raises(zc.PartitionError, match=r"'xxx.*\.\.\..*yyy'") as error:
        Field("name", text=True).encode("x" * 5000 + "y" * 5000)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_what_is_neither_true_nor_false_is_refused(value):
    with pytest.raises(zc.PartitionError, match=r"field 'up' has the value .*; accepted: bool"):
        Field("up", boolean=True).encode(value)


def test_a_boolean_of_numpy_has_a_segment_and_comes_back_as_pythons():
    field = Field("up", boolean=True)
    assert field.encode(np.bool_(True)) == "up=true"
    assert field.decode("up=true") is True


@pytest.mark.parametrize("segment", ["up=True", "up=1", "up=", "up=truth", "down=true", "up"])
def test_only_two_words_are_booleans(segment):
    with pytest.raises(zc.PartitionError, match="not a value of the partition field 'up'"):
        Field("up", boolean=True).decode(segment)


@pytest.mark.parametrize("segment", ["name=%41", "name=%2f", "name=%FF", "name=%", "name=%C3%A9", "nam=a"])
def test_a_text_has_no_second_segment(segment):
    with pytest.raises(zc.PartitionError, match="not a value of the partition field 'name'"):
        Field("name", text=True).decode(segment)


def test_a_field_holds_values_of_one_type():
    with pytest.raises(zc.SchemaError, match="'both' has text=True and boolean=True; accepted: one of them"):
        Field("both", text=True, boolean=True)


def test_texts_are_ordered_by_code_point_and_false_before_true():
    keys = [Key(name=name, up=up) for name in ("b", "é", "Z", "a", "") for up in (True, False)]
    assert [tuple(key.values()) for key in sorted(keys)] == [
        (name, up) for name in ("", "Z", "a", "b", "é") for up in (False, True)
    ]


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
