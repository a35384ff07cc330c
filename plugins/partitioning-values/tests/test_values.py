import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_partitioning_values.values import Values

import zcollection as zc
from zcollection.plugin import PartitionError, PluginConfigurationError, SchemaError
from zcollection.testing import PluginSuite
from zcollection.testing.partitioning import PartitioningSuite, strings, table

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i2", ">u8")
KINDS = {
    "text": ("T", strings()),
    "integer": ("int64", st.integers(-(2**40), 2**40)),
    "boolean": ("bool", st.booleans()),
}
STRINGS = np.dtypes.StringDType()


class TestPlugin(PluginSuite):
    distribution = "zcollection-partitioning-values"


class TestValues(PartitioningSuite):
    examples = (
        Values(("platform",), types=("text",)),
        Values(("data/mission", "/data/orbit/track"), types=("text", "integer"), dimension="num_lines"),
        Values(("ascending", "station", "number"), types=("boolean", "text", "integer")),
    )

    def columns(self, partitioning):
        return table(dict(zip(partitioning.variables, map(KINDS.get, partitioning.types), strict=True)))


def texts_of(column):
    return Values(("platform",), types=("text",)).keys({"platform": column})["platform"].tolist()


@settings(deadline=None)
@given(st.lists(st.text()))
def test_texts_of_variable_length_are_their_own_keys(values):
    assert texts_of(np.array(values, dtype=STRINGS)) == values


@settings(deadline=None)
@given(st.lists(st.text().filter(lambda text: not text.endswith("\0")), min_size=1))
def test_texts_of_fixed_length_and_bytes_in_utf8_have_the_same_keys(values):
    fixed = np.array(values, dtype="U")
    for column in (fixed, fixed.astype(fixed.dtype.newbyteorder()), np.array([value.encode() for value in values])):
        assert texts_of(column) == values


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)), dtype=st.sampled_from(INTEGERS))
def test_integers_are_their_own_keys_as_int64(values, dtype):
    limits = np.iinfo(dtype)
    fitting = [value for value in values if limits.min <= value <= limits.max]
    keys = Values(("track",), types=("integer",)).keys({"track": np.array(fitting, dtype=dtype)})["track"]
    assert (keys.dtype, keys.tolist()) == (np.dtype("int64"), fitting)


def test_booleans_are_their_own_keys():
    partitioning = Values(("up",), types=("boolean",))
    assert partitioning.keys({"up": np.array([True, False])})["up"].tolist() == [True, False]


@pytest.mark.parametrize("column", [np.array(["a"]), np.array(["a"], dtype=STRINGS), np.array([1]), np.array([True])])
def test_the_keys_are_an_array_of_their_own(column):
    kind = {"U": "text", "T": "text", "i": "integer", "b": "boolean"}[column.dtype.kind]
    keys = Values(("v",), types=(kind,)).keys({"v": column})["v"]
    column[0] = column.dtype.type(0) if kind != "text" else "other"
    assert keys.tolist() != column.tolist()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ({"mission": "S3A", "track": 12}, "mission=S3A/track=12"),
        ({"mission": "Jason-3 GDR/F", "track": -1}, "mission=Jason-3%20GDR%2FF/track=-1"),
        ({"mission": "", "track": 0}, "mission=/track=0"),
    ],
)
def test_a_path_has_a_segment_for_each_variable(key, path):
    partitioning = Values(("/data/mission", "track"), types=("text", "integer"))
    assert partitioning.encode(key) == path
    assert dict(partitioning.decode(path)) == key


@settings(deadline=None)
@given(text=st.text(max_size=12), number=st.integers(-(2**63), 2**63 - 1), up=st.booleans())
def test_every_key_has_a_path_that_gives_it_back(text, number, up):
    partitioning = Values(("station", "number", "up"), types=("text", "integer", "boolean"))
    key = {"station": text, "number": number, "up": up}
    path = partitioning.encode(key)
    assert list(partitioning.decode(path).items()) == list(key.items())
    assert partitioning.encode(partitioning.decode(path)) == path


def test_a_value_whose_segment_is_too_long_is_refused_by_name():
    partitioning = Values(("data/station",), types=("text",))
    assert len(partitioning.encode({"station": "é" * 96})) == len("station=") + 96
    with pytest.raises(
        PartitionError,
        match=r"'station' has the value 'é.*é', whose part of the path has 202 bytes; accepted: up to 200",
    ):
        partitioning.encode({"station": "é" * 97})


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            np.array([1.5, np.nan]),
            r"'v', which is float64; .*floats that look alike differ in their last digits, and NaN equals",
        ),
        (np.array([1j]), r"'v', which is complex128; accepted: texts, integers, booleans: floats"),
        (np.array(["2024"], dtype="M8[s]"), r"'v', which is datetime64\[s\]; .*: partition times by date"),
        (np.array([1], dtype="m8[s]"), r"'v', which is timedelta64\[s\]; .*; declare it so"),
        (np.array([None]), r"'v', which is object; .*; declare it so"),
        (np.array([1]), r"'v' is int64; accepted: text values, as the partitioning was made for"),
        (np.array([True]), r"'v' is bool; accepted: text values"),
        (np.array([b"a", b"\xff"]), r"'v' has the bytes b'\\xff' at position 1; accepted: texts in UTF-8"),
        (np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)), "'v' has no value at position 1"),
        (np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan)), "'v' has no value at position 1"),
    ],
)
def test_what_is_no_text_is_refused(column, message):
    with pytest.raises(PartitionError, match=message):
        Values(("v",), types=("text",)).keys({"v": column})


def test_an_integer_beyond_int64_is_refused():
    with pytest.raises(PartitionError, match=r"'v' has the value 9223372036854775808 at position 1, .* beyond int64"):
        Values(("v",), types=("integer",)).keys({"v": np.array([0, 2**63], dtype="uint64")})


def test_half_a_character_has_no_path():
    partitioning = Values(("v",), types=("text",))
    (text,) = partitioning.keys({"v": np.array(["\ud800"])})["v"].tolist()
    with pytest.raises(PartitionError, match="'v' has the value .*; accepted: str, without lone surrogates"):
        partitioning.encode({"v": text})


def test_the_types_are_those_that_the_schema_declares():
    types = {"a": "U3", "b": "string", "s": "S2", "d": "uint8", "e": "bool"}
    known = Values(tuple(types)).for_types(
        {name: zc.VariableSchema(name, dtype=dtype, dimensions=()).dtype for name, dtype in types.items()}
    )
    assert known == Values(tuple(types), types=("text", "text", "text", "integer", "boolean"))
    assert (
        known.for_types({name: np.dtype("U1") for name in "abs"} | {"d": np.dtype("i8"), "e": np.dtype("?")}) == known
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "datetime64[s]", "timedelta64[s]"])
def test_a_declared_type_that_is_no_value_is_refused(dtype):
    with pytest.raises(SchemaError, match="'v', which is .*; accepted: texts, integers, booleans"):
        Values(("v",)).for_types({"v": np.dtype(dtype)})


def test_other_types_than_the_schema_declares_are_refused():
    with pytest.raises(
        SchemaError, match=r"types is \('integer',\); accepted: \('text',\), as the variables \('v',\) are declared"
    ):
        Values(("v",), types=("integer",)).for_types({"v": np.dtype("U5")})


@pytest.mark.parametrize(
    "use", [lambda one: one.fields, lambda one: one.encode({"v": "a"}), lambda one: one.keys({"v": np.array(["a"])})]
)
def test_without_types_or_a_schema_there_are_no_keys(use):
    with pytest.raises(
        PluginConfigurationError, match=r"\('v',\) hold is not known .*; give types, such as types=\('text',\)"
    ):
        use(Values(("v",)))


@pytest.mark.parametrize("types", ["text", (), ("string",), (1,), 5, ("text", "text")], ids=repr)
def test_what_are_no_types_is_refused(types):
    with pytest.raises(PluginConfigurationError, match=r"types .*accepted"):
        Values(("v",), types=types)


@pytest.mark.parametrize("variables", [("v", "v"), ("a/v", "b/v")], ids=repr)
def test_two_fields_of_one_name_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"would be the fields v, v; accepted: .*differ"):
        Values(variables)
