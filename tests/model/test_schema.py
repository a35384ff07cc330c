import pickle

import numpy as np
import pytest

import zcollection as zc


def builder():
    return (
        zc.Schema()
        .with_dimension("time", chunks=10)
        .with_dimension("x", size=4, chunks=2, shards=4)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan, attrs={"units": "m"})
        .with_group("/data/ku", attrs={"band": "Ku"})
        .with_dimension("range", size=3, group="/data/ku")
        .with_variable("power", dtype="int16", dimensions=("time", "range"), fill_value=-1, group="data/ku")
        .with_variable("name", dtype="string", dimensions=("x",), group="/data")
        .with_attribute("title", "test")
        .with_attribute("level", 2, group="/data")
    )


@pytest.fixture
def schema():
    return builder().build()


def test_paths_may_start_with_a_slash(schema):
    assert list(schema.all_variables()) == ["time", "ssh", "data/name", "data/ku/power"]
    assert schema.get_variable("/data/ku/power") is schema.get_variable("data/ku/power")
    assert list(schema.all_groups()) == ["", "data", "data/ku"]
    assert schema.get_group("/data").attrs == {"level": 2}


def test_a_builder_may_be_shared():
    start = zc.Schema().with_dimension("row")
    one = start.with_variable("a", dtype="int8", dimensions=("row",)).build()
    other = start.with_variable("b", dtype="int8", dimensions=("row",)).build()
    assert (list(one.all_variables()), list(other.all_variables())) == (["a"], ["b"])


def test_groups_inherit_dimensions(schema):
    assert schema.find_dimension("data/ku", "x").size == 4
    assert schema.find_dimension("data", "range") is None
    assert [item.name for item in schema.dimensions_of("data/ku/power")] == ["time", "range"]
    assert schema.spans("data/ku/power", "time")
    assert not schema.spans("data/name", "time")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda s: s.with_variable("v", dtype="i4", dimensions=("tme",)), r"'tme' of variable 'v' is unknown.*'time'"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions=("range",)), "'range' of variable 'v' is unknown"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions="time"), r"dimensions 'time'; accepted: a sequence"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions=("x", "x")), "has a dimension twice"),
        (lambda s: s.with_variable("ssh", dtype="i4", dimensions=()), "variable 'ssh' is declared twice"),
        (lambda s: s.with_dimension("time"), "dimension 'time' is declared twice"),
        (lambda s: s.with_dimension("x", size=1, group="/data"), "'x' of group 'data' is already declared"),
        (lambda s: s.with_variable("data", dtype="i4", dimensions=()), "'data' is both a variable and a group"),
        (lambda s: s.with_variable("_v", dtype="i4", dimensions=()), "reserved"),
        (lambda s: s.with_group("a b"), "group 'a b'"),
        (lambda s: s.with_dimension("y", size=-1), "size of dimension 'y' is -1"),
        (lambda s: s.with_dimension("y", chunks=0), "chunks of dimension 'y' is 0"),
        (lambda s: s.with_dimension("y", chunks=3, shards=4), "accepted: a multiple of its chunks"),
        (lambda s: s.with_dimension("y", size=2.5), "size of dimension 'y' is 2.5"),
        (lambda s: s.with_attribute("_FillValue", 1), "reserved; a fill value is given as fill_value"),
        (lambda s: s.with_attribute("when", object()), "'when' has a value of type object"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions=(), codecs="fast"), "codec profile 'fast' is unknown"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions=(), codecs=5), "codecs 5 of variable 'v'"),
        (lambda s: s.with_variable("v", dtype="i4", dimensions=(), codecs=[{}]), "is not a Zarr v3 codec"),
    ],
)
def test_an_invalid_schema_is_rejected(build, message):
    with pytest.raises(zc.SchemaError, match=message):
        build(builder()).build()


def test_an_unknown_name_is_shown_with_the_nearest(schema):
    with pytest.raises(zc.SchemaError, match=r"'data/ku/pwer' is unknown.*did you mean 'data/ku/power'"):
        schema.get_variable("data/ku/pwer")
    with pytest.raises(zc.SchemaError, match="group 'dta' is unknown.*did you mean 'data'"):
        schema.get_group("dta")


def test_a_selection_keeps_the_groups_and_dimensions_that_it_needs(schema):
    part = schema.select(["/data/ku/power"])
    assert list(part.all_variables()) == ["data/ku/power"]
    assert list(part.dimensions) == ["time"]
    assert part.get_group("data/ku").attrs == {"band": "Ku"}
    with pytest.raises(zc.SchemaError, match="'nothing' is unknown"):
        schema.select(["nothing"])


def test_a_schema_survives_json(schema):
    assert zc.DatasetSchema.from_json(schema.to_json()) == schema


def test_a_schema_pickles_and_compares(schema):
    assert pickle.loads(pickle.dumps(schema)) == schema == builder().build()
    assert schema != builder().with_attribute("more", 1).build()


def test_a_codec_profile_is_stored_resolved(schema):
    codecs = schema.get_variable("ssh").codecs
    assert [codec["name"] for codec in codecs] == ["bytes", "blosc", "crc32c"]
    assert codecs[1]["configuration"]["typesize"] == 4
    for name in zc.codecs.profile_names():
        zc.VariableSchema("v", dtype="f4", dimensions=(), codecs=name)


def test_attributes_become_json_values():
    schema = (
        zc.Schema()
        .with_attribute("a", np.float32(2))
        .with_attribute("b", np.arange(2))
        .with_attribute("c", np.nan)
        .build()
    )
    assert schema.attrs == {"a": 2.0, "b": [0, 1], "c": "NaN"}
