import pickle

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.errors import SettingError
from zcollection.plugin import StoreURL


def test_what_is_created_can_be_opened(url):
    made = samples.create(url, [1, 2])
    opened = zc.open_collection(url)
    assert (opened.schema, opened.axis, opened.dimension) == (made.schema, "time", "row")
    assert opened.partitioning == samples.quotient()
    assert (made.read_only, opened.read_only) == (False, True)
    samples.assert_rows(opened.query(), [1, 2])


def test_opening_what_is_missing_is_an_error_and_creates_nothing(url):
    with pytest.raises(zc.CollectionNotFoundError, match=f"no collection at {url}"):
        zc.open_collection(url, mode="rw")
    assert StoreURL.parse(url).location not in fakes._DATA


def test_creating_where_a_collection_lies_is_refused_and_loses_nothing(url):
    samples.create(url, [1])
    with pytest.raises(zc.CollectionExistsError, match="overwrite=True"):
        samples.create(url)
    samples.assert_rows(zc.open_collection(url).query(), [1])


def test_overwrite_leaves_nothing_of_the_old_collection(url):
    samples.create(url, [1, 25])
    made = samples.create(url, [7], divisor=5, overwrite=True)
    assert made.partitions() == ("sign=plus/quotient=1",)
    keys = fakes._DATA[StoreURL.parse(url).location]
    assert not [key for key in keys if key.startswith(("sign=plus/quotient=0", "sign=plus/quotient=2"))]


@pytest.mark.parametrize("mode", ["w", "a", "r+"])
def test_a_mode_is_r_or_rw(url, mode):
    with pytest.raises(SettingError, match="accepted: 'r', 'rw'"):
        zc.open_collection(url, mode=mode)


def test_a_collection_opened_for_reading_refuses_every_write(url):
    samples.create(url, [1, 2])
    opened = zc.open_collection(url)
    writes = (
        lambda: opened.insert(samples.rows([3])),
        lambda: opened.update(lambda ds: {}),
        lambda: opened.drop_partitions(filters="True"),
    )
    for write in writes:
        with pytest.raises(zc.ReadOnlyError, match="mode='rw'"):
            write()
    samples.assert_rows(opened.query(), [1, 2])


def test_an_unknown_storage_option_is_refused_by_name(url):
    with pytest.raises(zc.PluginError, match=r"'color'.*did you mean 'colour'"):
        zc.open_collection(url, storage_options={"color": "red"})


def test_an_unknown_scheme_says_what_to_install():
    with pytest.raises(zc.PluginError, match="'nowhere' is not installed; accepted: .*'dict'"):
        zc.open_collection("nowhere://x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": "tme"}, r"axis 'tme' is neither.*did you mean 'time'"),
        ({"axis": "swath"}, "one dimension"),
        ({"partitioning": 3}, "partitioning is a int"),
        ({"partitioning": fakes.Quotient(("tim",))}, "variable 'tim' is unknown"),
        (
            {"partitioning": fakes.Quotient(("swath",))},
            r"partitioning variable 'swath' has the dimensions \('row', 'x'\)",
        ),
        ({"partitioning": fakes.Quotient(("time",), dimension="x")}, "partitioning has the dimension 'x'"),
        ({"schema": {"time": 1}}, "schema is a dict"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_creates_nothing(url, change, message):
    options = {"schema": samples.SCHEMA, "axis": "time", "partitioning": samples.quotient()} | change
    with pytest.raises(zc.SchemaError, match=message):
        zc.create_collection(url, **options)
    assert StoreURL.parse(url).location not in fakes._DATA


def test_the_partitioned_dimension_has_no_size_and_every_other_has_one(url):
    fixed = zc.Schema().with_dimension("row", size=3).with_variable("time", dtype="int64", dimensions=("row",))
    with pytest.raises(zc.SchemaError, match="'row' has the size 3"):
        samples.create(url, schema=fixed)
    loose = (
        zc.Schema().with_dimension("row").with_dimension("x").with_variable("time", dtype="int64", dimensions=("row",))
    )
    with pytest.raises(zc.SchemaError, match="'x' has no size"):
        samples.create(url, schema=loose)


def test_a_partitioning_that_has_no_name_cannot_be_stored(url):
    class Nameless(fakes.Quotient):
        pass

    with pytest.raises(zc.PluginError, match="register"):
        zc.create_collection(url, schema=samples.SCHEMA, axis="time", partitioning=Nameless(("time",)))


def test_a_codec_that_does_not_exist_is_refused_at_creation(url):
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("time", dtype="int64", dimensions=("row",), codecs=[{"name": "no-such-codec"}])
    )
    with pytest.raises(zc.SchemaError, match=r"'time' cannot be encoded with the codecs .*no-such-codec"):
        samples.create(url, schema=schema)


def test_the_axis_may_be_a_dimension_only(url):
    schema = zc.Schema().with_dimension("row").with_variable("number", dtype="int64", dimensions=("row",)).build()
    collection = zc.create_collection(url, schema=schema, axis="row", partitioning=fakes.Quotient(("number",)))
    collection.insert({"number": [3, 1]})
    collection.insert({"number": [2]}, merge="append")
    assert collection.query()["number"].to_numpy().tolist() == [3, 1, 2]
    with pytest.raises(zc.SchemaError, match="compares axis values"):
        collection.insert({"number": [5]}, merge=lambda_strategy())


def lambda_strategy():
    class Compares(fakes.Append):
        compares_axis = True

    return Compares()


def test_the_axis_and_its_dimension_may_have_different_names(url):
    collection = samples.create(url, [12, 1])
    assert (collection.axis, collection.dimension) == ("time", "row")
    assert collection.query().sizes["row"] == 2


def test_a_collection_pickles_and_compares(url):
    collection = samples.create(url, [1])
    again = pickle.loads(pickle.dumps(collection))
    assert again == collection
    assert again != zc.open_collection(url)
    samples.assert_rows(again.query(), [1])


def test_without_a_catalog_the_partitions_are_found_by_walking(url):
    collection = samples.create(url, [1, -5, 31], catalog_enabled=False)
    assert not [key for key in collection.store.data if key.startswith("_catalog")]
    assert collection.partitions() == ("sign=minus/quotient=-1", "sign=plus/quotient=0", "sign=plus/quotient=3")


def test_a_repr_says_what_a_collection_is(url):
    text = repr(samples.create(url))
    assert text.count("\n") == 3
    for part in (url, "axis:          time (dimension row)", "quotient", "divisor", "swath"):
        assert part in text


def test_a_document_of_a_later_release_is_not_touched(url):
    collection = samples.create(url, [1])
    data = collection.store.data
    data["_zcollection.json"] = data["_zcollection.json"].replace(b'"format_version": 1', b'"format_version": 99')
    before = dict(data)
    with pytest.raises(zc.FormatVersionError, match="version 99.*upgrade"):
        zc.open_collection(url, mode="rw")
    assert data == before


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"format_version": 1, "kind": "collection"}', b"\xff\xfe"])
def test_a_damaged_configuration_is_an_error_of_ours(url, damage):
    samples.create(url).store.data["_zcollection.json"] = damage
    with pytest.raises(zc.CorruptionError, match=r"_zcollection\.json of dict://"):
        zc.open_collection(url)


def test_a_collection_whose_partitioning_is_missing_still_reads(url):
    samples.create(url, [1, 15])
    data = fakes._DATA[StoreURL.parse(url).location]
    data["_zcollection.json"] = samples.forged(data["_zcollection.json"], b'"name": "quotient"', b'"name": "forgotten"')
    opened = zc.open_collection(url, mode="rw")
    assert opened.partitions() == ("sign=plus/quotient=0", "sign=plus/quotient=1")
    samples.assert_rows(opened.query(), [1, 15])
    with pytest.raises(zc.PluginError, match="'forgotten' is not installed"):
        opened.query(filters="quotient == 1")
    with pytest.raises(zc.PluginError, match="'forgotten' is not installed"):
        opened.insert(samples.rows([3]))


def test_integer_times_get_units_where_the_partitioning_reads_times(url, register):
    class Hours(fakes.Quotient):
        @property
        def time_variables(self):
            return self.variables

        def keys(self, columns):
            hours = columns["time"].astype("datetime64[h]").astype("int64")
            return {"sign": np.where(hours < 0, "minus", "plus"), "quotient": hours // self.divisor}

    register(Hours)
    collection = zc.create_collection(url, schema=samples.SCHEMA, axis="time", partitioning=Hours(("time",), divisor=1))
    assert collection.schema.get_variable("time").attrs["units"] == "nanoseconds since 1970-01-01"
    times = np.array(["1970-01-01T05:30", "1970-01-01T02:00"], dtype="datetime64[ns]")
    collection.insert({**samples.rows([0, 0]), "time": times})
    assert collection.partitions() == ("sign=plus/quotient=2", "sign=plus/quotient=5")
    assert collection.query()["time"].to_numpy().tolist() == sorted(times.astype("int64").tolist())


def test_who_holds_a_collection_that_was_replaced_is_told(url):
    old = samples.create(url, [1, 12])
    lazy = old.query(lazy=True)
    made = samples.create(url, [7], divisor=5, overwrite=True)
    for use in (
        old.query,
        lambda: old.insert(samples.rows([3])),
        lambda: old.map(len),
        old.verify,
        lambda: old.drop_partitions(filters="True"),
    ):
        with pytest.raises(zc.CollectionNotFoundError, match="another collection was created at .*open it again"):
            use()
    with pytest.raises(zc.ConflictError, match="changed by another writer"):
        np.asarray(lazy["value"].to_numpy())
    samples.assert_rows(made.query(), [7])
    samples.assert_rows(zc.open_collection(url).query(), [7])
    assert [entry.operation for entry in made.history()] == ["create", "insert", "create", "insert"]
    assert made.verify(data=True).problems == ()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_overwrite_turns_the_catalog_on_and_off(url, first, second):
    samples.create(url, [1, 12], catalog_enabled=first)
    made = samples.create(url, [7, 25], overwrite=True, catalog_enabled=second)
    again = zc.open_collection(url, mode="rw")
    again.insert(samples.rows([8]), merge="append")
    samples.assert_rows(made.query(), [7, 8, 25])
    assert bool([key for key in made.store.data if key.startswith("_catalog")]) is second
    assert made.verify().problems == ()
