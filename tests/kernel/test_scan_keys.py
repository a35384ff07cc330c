"""Fields of the partition keys are read as variables of the rows, where they are asked for."""

import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY

needs_values = pytest.mark.skipif("values" not in REGISTRY.names(Family.PARTITIONING), reason="without plugins")
TIMES = [-5, 1, 3, 12, 25, *range(30, 70), 105]


@pytest.fixture(scope="module")
def collection():
    return samples.create("dict://scan-keys", TIMES, overwrite=True)


def expected(times):
    return {
        "sign": ["minus" if time < 0 else "plus" for time in times],
        "quotient": [time // 10 for time in times],
    }


def columns(parts, *names):
    return {name: [value for part in parts for value in part[name].to_numpy().tolist()] for name in names}


@examples(25)
@given(
    block_size=st.sampled_from([1, 200, 3000, 2**20]),
    where=st.sampled_from(
        [None, "value >= 12.25 and value < 50", "sign == 'plus' and quotient in (3, 4)", "time > 999"]
    ),
)
def test_each_row_has_the_key_of_its_partition(collection, block_size, where):
    parts = list(collection.scan(where=where, keys=True, block_size=block_size))
    times = columns(parts, "time")["time"]
    assert columns(parts, "sign", "quotient") == expected(times)
    assert times == ([] if (rows := collection.query(where=where)) is None else rows["time"].to_numpy().tolist())


def test_fields_have_the_types_of_their_values(collection):
    schema = collection.scan(keys=True).schema
    assert [*schema.variables][-2:] == ["sign", "quotient"]
    assert schema.variables["sign"].dtype == np.dtypes.StringDType()
    assert schema.variables["quotient"].dtype == np.int64
    assert not {"sign", "quotient"} & collection.scan().schema.variables.keys()


def test_keys_alone_are_read_without_any_chunk():
    copy = samples.create("dict://scan-keys-alone", TIMES, overwrite=True)
    for key in [key for key in copy.store.data if "/c/" in key]:
        del copy.store.data[key]
    found = list(copy.scan(variables=[], keys=["quotient"]))
    assert columns(found, "quotient")["quotient"] == expected(TIMES)["quotient"]


def test_fields_may_be_chosen_and_named(collection):
    (part,) = collection.scan(variables=["time"], keys={"quotient": "decade"})
    assert [*part.all_variables()] == ["time", "decade"]
    assert part["decade"].to_numpy().tolist() == expected(TIMES)["quotient"]


@needs_values
def test_booleans_are_booleans(url):
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("up", dtype="bool", dimensions=("row",))
    )
    values = REGISTRY.get(Family.PARTITIONING, "values")
    made = zc.create_collection(url, schema=schema, axis="time", partitioning=values(("up",)))
    made.insert({"time": [1, 2, 3], "up": [True, False, True]})
    (part,) = made.scan(variables=["time"], keys=True)
    assert part["up"].dtype == np.bool_
    assert part["up"].to_numpy().tolist() == [time != 2 for time in part["time"].to_numpy().tolist()]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"keys": ["quotent"]}, zc.errors.SettingError, r"keys names the field 'quotent'; .*quotient"),
        ({"keys": "quotient"}, zc.errors.SettingError, r"keys='quotient'; accepted: True for all fields, a list"),
        ({"keys": 3}, zc.errors.SettingError, r"keys=3; accepted"),
        (
            {"keys": {"quotient": "value"}},
            zc.SchemaError,
            r"the field 'quotient' of the keys would be read as 'value', and there is a variable of that name; accepted: another",
        ),
        ({"keys": {"quotient": "deep"}}, zc.SchemaError, "there is a group of that name"),
        ({"keys": {"quotient": "one", "sign": "one"}}, zc.SchemaError, "several fields the name 'one'"),
    ],
)
def test_what_cannot_be_is_refused_at_once(collection, options, error, message):
    with pytest.raises(error, match=message):
        collection.scan(**options)


@needs_values
def test_a_field_takes_no_variables_place_in_silence(url):
    values = REGISTRY.get(Family.PARTITIONING, "values")
    schema = samples.SCHEMA
    made = zc.create_collection(url, schema=schema, axis="time", partitioning=values(("time",)))
    made.insert(samples.rows([1, 2]))
    with pytest.raises(zc.SchemaError, match=r"'time'.*variables= without the variable"):
        made.scan(keys=True)
    (part,) = made.scan(variables=["value"], keys=True)
    assert part["time"].to_numpy().tolist() == [1, 2]
    (part,) = made.scan(keys={"time": "key_time"})
    assert part["key_time"].to_numpy().tolist() == part["time"].to_numpy().tolist()
