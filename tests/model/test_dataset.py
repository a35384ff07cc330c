import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc


def make_schema():
    return (
        zc.Schema()
        .with_dimension("time")
        .with_dimension("x", size=2)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan)
        .with_variable("angle", dtype="float64", dimensions=("x",))
        .with_group("/data/ku", attrs={"band": "Ku"})
        .with_dimension("range", size=3, group="/data/ku")
        .with_variable("power", dtype="int16", dimensions=("range", "time"), fill_value=-1, group="/data/ku")
        .build()
    )


def make(times, schema=None):
    times = np.asarray(times)
    return zc.Dataset(
        schema or make_schema(),
        {
            "time": times,
            "ssh": np.stack([times, times + 0.5], axis=1).astype("float32"),
            "angle": [1.0, 2.0],
            "/data/ku/power": np.stack([times, times + 1, times + 2]).astype("int16"),
        },
    )


@pytest.fixture
def dataset():
    return make([5, 6, 7, 8])


class TestGroups:
    def test_are_mappings_of_variables_and_groups(self, dataset):
        assert list(dataset) == ["time", "ssh", "angle", "data"]
        assert len(dataset) == 4
        assert dataset["data"]["ku"]["power"] is dataset["/data/ku/power"] is dataset["data/ku/power"]
        assert "data/ku" in dataset
        with pytest.raises(KeyError, match="nothing"):
            dataset["nothing"]

    def test_have_a_name_a_parent_and_a_path(self, dataset):
        group = dataset["data/ku"]
        assert (group.name, group.long_name(), group.parent.name, group.parent.parent) == (
            "ku",
            "/data/ku",
            "data",
            dataset,
        )
        assert dataset.parent is None
        assert group.attrs == {"band": "Ku"}

    def test_see_the_dimensions_above_them(self, dataset):
        assert dataset["data/ku"].dimensions == {"time": 4, "x": 2, "range": 3}
        assert dataset.dimensions == {"time": 4, "x": 2}
        assert dataset["data/ku"].find_dimension("x").size == 2

    def test_find_variables_upwards_and_groups_downwards(self, dataset):
        group = dataset["data/ku"]
        assert group.find_variable("ssh") is dataset["ssh"]
        assert group.find_variable("power") is group["power"]
        assert dataset.find_variable("power") is None
        assert dataset.find_group("ku") == group
        assert dataset.find_group("c") is None

    def test_are_walked_parents_first(self, dataset):
        assert [group.long_name() for group in dataset.walk()] == ["/", "/data", "/data/ku"]
        assert list(dataset["data"].all_variables()) == ["ku/power"]
        assert dataset["data"].nbytes == 4 * 3 * 2

    def test_are_accessed_by_relative_and_absolute_paths(self, dataset):
        assert dataset["data"].get_group("ku") == dataset["data"].get_group("/data/ku")
        assert dataset["data"].get_variable("ku/power") is dataset["data"].get_variable("/data/ku/power")
        with pytest.raises(zc.SchemaError, match="did you mean 'data/ku/power'"):
            dataset.get_variable("data/ku/pover")


class TestConstruction:
    def test_converts_exactly(self):
        made = zc.Dataset(make_schema(), {"time": [1.0, 2.0], "data/ku/power": np.zeros((3, 2), dtype="int64")})
        assert (made["time"].dtype, made["data/ku/power"].dtype) == (np.dtype("int64"), np.dtype("int16"))

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            ({"tim": [1]}, "'tim' is unknown"),
            ({"time": [[1]]}, r"shape \(1, 1\)"),
            (
                {"time": [1, 2], "ssh": np.zeros((3, 2), dtype="f4")},
                "'ssh' has 3 along 'time', where variable 'time' has 2",
            ),
            ({"ssh": np.zeros((3, 5), dtype="f4")}, "'ssh' has 5 along 'x', whose size is declared 2"),
            ({"data/ku/power": np.zeros((4, 1), dtype="i2")}, "'data/ku/power' has 4 along 'range'"),
            ({"time": [1, "a"]}, "'time'"),
            ({"time": [[1], [2, 3]]}, "'time'"),
        ],
    )
    def test_rejects_what_does_not_fit(self, variables, message):
        with pytest.raises(zc.SchemaError, match=message):
            zc.Dataset(make_schema(), variables)

    def test_takes_groups_of_other_datasets(self, dataset):
        made = zc.Dataset(make_schema(), {"time": [5, 6, 7, 8]}, groups=[dataset["data"]])
        assert made["data/ku/power"].data is dataset["data/ku/power"].data

    def test_takes_attributes(self):
        assert zc.Dataset(make_schema(), {}, attrs={"title": "x"}).attrs == {"title": "x"}

    def test_creates_no_reference_cycle(self):
        gc.disable()
        try:
            values = np.zeros(3)
            made = zc.Dataset(make_schema(), {"time": np.arange(3)})
            reference = weakref.ref(made)
            del made, values
            assert reference() is None
        finally:
            gc.enable()


class TestIsel:
    @given(index=st.one_of(st.slices(4), st.lists(st.integers(-4, 3)), st.lists(st.booleans(), min_size=4, max_size=4)))
    def test_is_numpys_indexing_in_every_group(self, index):
        dataset = make([5, 6, 7, 8])
        chosen = np.array([5, 6, 7, 8])[
            index if isinstance(index, slice) else np.array(index, dtype=None if index else int)
        ]
        assert dataset.isel(time=index) == make(chosen)

    def test_takes_any_dimension(self, dataset):
        part = dataset.isel({"x": slice(1), "data/ku/range": [2, 0]})
        assert part.sizes == {"time": 4, "x": 1, "data/ku/range": 2}
        np.testing.assert_array_equal(part["data/ku/power"].to_numpy(), dataset["data/ku/power"].to_numpy()[[2, 0]])
        assert part.schema.dimensions["x"].size == 1

    def test_rejects_what_would_remove_a_dimension(self, dataset):
        with pytest.raises(zc.SchemaError, match="indexer 1 of dimension 'time'"):
            dataset.isel(time=1)
        with pytest.raises(zc.SchemaError, match="'tme' is not in this dataset.*'time'"):
            dataset.isel(tme=slice(1))

    def test_of_a_slice_shares_the_values(self, dataset):
        assert np.shares_memory(dataset.isel(time=slice(1, 3))["ssh"].data, dataset["ssh"].data)


class TestConcat:
    @given(parts=st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=4))
    def test_joins_rows_in_every_group(self, parts):
        joined = zc.Dataset.concat([make(np.array(part, dtype="int64")) for part in parts], "time")
        assert joined == make(np.array(sum(parts, []), dtype="int64"))

    def test_fills_variables_that_some_datasets_lack(self, dataset):
        short = dataset.isel(time=slice(1))
        lacking = zc.Dataset(short.schema, {"time": [9], "angle": [1.0, 2.0]})
        joined = zc.Dataset.concat([short, lacking], "time")
        assert joined["data/ku/power"].to_numpy().tolist() == [[5, -1], [6, -1], [7, -1]]

    def test_rejects_values_that_must_agree_and_differ(self, dataset):
        other = zc.Dataset(dataset.schema, {**dataset.all_variables(), "angle": [1.0, 3.0]})
        with pytest.raises(zc.SchemaError, match="'angle' does not span 'time' and has different values"):
            zc.Dataset.concat([dataset, other], "time")

    def test_needs_a_fill_value_for_what_is_missing(self, dataset):
        lacking = zc.Dataset(dataset.schema, {"ssh": np.zeros((1, 2), dtype="f4"), "angle": [1.0, 2.0]})
        with pytest.raises(zc.SchemaError, match="'time' is missing and its schema has no fill value"):
            zc.Dataset.concat([dataset, lacking], "time")

    def test_of_nothing_is_an_error(self):
        with pytest.raises(zc.SchemaError, match="nothing to concatenate"):
            zc.Dataset.concat([], "time")


def test_select_keeps_the_variables_named(dataset):
    part = dataset.select(["/data/ku/power"])
    assert list(part.all_variables()) == ["data/ku/power"]
    assert part.sizes["time"] == 4
    with pytest.raises(zc.SchemaError, match="'nothing' is not in this dataset"):
        dataset.select(["nothing"])


def test_equality_is_that_of_schema_attributes_and_values(dataset):
    assert dataset == make([5, 6, 7, 8])
    assert dataset != make([5, 6, 7, 9])
    assert dataset != dataset.select(["time"])
    assert dataset != 5
    with pytest.raises(TypeError, match="unhashable"):
        hash(dataset)


class TestLazy:
    @pytest.fixture
    def lazy(self, dataset):
        array = pytest.importorskip("dask.array")
        values = {path: array.from_array(item.data, chunks=1) for path, item in dataset.all_variables().items()}
        return zc.Dataset(dataset.schema, values)

    def test_arrays_stay_lazy_until_asked_for(self, lazy, dataset):
        part = lazy.isel(time=slice(1, 3))
        assert (lazy.is_lazy, part.is_lazy, part["ssh"].is_lazy) == (True, True, True)
        assert part == dataset.isel(time=slice(1, 3))
        assert zc.Dataset.concat([part, part], "time").is_lazy

    def test_sizes_are_known_without_computing(self, lazy, dataset):
        assert (lazy.nbytes, lazy.sizes) == (dataset.nbytes, dataset.sizes)

    def test_types_are_converted_when_computed(self, dataset):
        array = pytest.importorskip("dask.array")
        made = zc.Dataset(dataset.schema, {"time": array.from_array(np.array([1.0, 2.0]), chunks=1)})
        assert made["time"].to_numpy().dtype == np.dtype("int64")


class TestVariable:
    def test_its_repr_describes_it(self, dataset):
        variable = dataset["data/ku/power"]
        assert (variable.name, variable.dimensions, variable.shape, variable.ndim) == (
            "power",
            ("range", "time"),
            (3, 4),
            2,
        )
        assert (variable.fill_value, variable.nbytes, variable.is_lazy, len(variable)) == (-1, 24, False, 3)

    def test_is_an_array_for_numpy(self, dataset):
        assert np.asarray(dataset["time"]).tolist() == [5, 6, 7, 8]
        assert dataset["time"][1:3].tolist() == [6, 7]
        assert float(np.mean(dataset["time"])) == 6.5

    def test_takes_datetimes_where_it_counts_them(self):
        schema = zc.VariableSchema("t", dtype="int32", dimensions=("n",), attrs={"units": "hours since 2000-01-01"})
        made = zc.Variable.of(schema, np.array(["2000-01-02", "1999-12-31"], dtype="M8[ns]"))
        assert made.to_numpy().tolist() == [24, -24]
        with pytest.raises(zc.SchemaError, match="not a whole number of hours since"):
            zc.Variable.of(schema, np.array(["2000-01-02T00:30"], dtype="M8[m]"))

    def test_takes_objects_that_are_all_of_one_kind(self):
        schema = zc.VariableSchema("v", dtype="int32", dimensions=("n",))
        assert zc.Variable.of(schema, np.array([1, 2], dtype=object)).to_numpy().tolist() == [1, 2]
        text = zc.VariableSchema("v", dtype="string", dimensions=("n",))
        assert zc.Variable.of(text, np.array(["a", "bcd"], dtype=object)).to_numpy().tolist() == ["a", "bcd"]
        with pytest.raises(zc.SchemaError, match="'v'"):
            zc.Variable.of(text, np.array(["a", 5], dtype=object))


def test_integers_of_pandas_that_may_be_missing_stay_exact_in_parts():
    pd = pytest.importorskip("pandas")
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("n", dtype="int64", dimensions=("time",), fill_value=-1)
        .build()
    )
    numbers = pd.Series(pd.array([2**60 + 1, None, 2**60 + 3], "Int64"))
    dataset = zc.Dataset(schema, {"n": numbers})
    assert not dataset.is_lazy
    assert dataset.isel(time=np.array([1, 2]))["n"].to_numpy().tolist() == [-1, 2**60 + 3]
