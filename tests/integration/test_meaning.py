"""What deliveries state of their numbers, held against what the collection declares: converted exactly, or refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from effort import examples
from hypothesis import given, note
from hypothesis import strategies as st

import zcollection as zc

HOURS = {"units": "hours since 2000-01-01"}


def times(start, count=3):
    return pd.date_range(start, periods=count, freq="h", unit="ns")


def delivery(values, start="2000-01-01", *, attrs=None, encoding=None, name="v"):
    values = np.asarray(values)
    found = xr.Dataset({name: ("time", values, attrs or {})}, coords={"time": times(start, len(values))})
    found[name].encoding.update(encoding or {})
    return found


def collection_of(url, dataset, **options):
    schema = zc.Schema.from_xarray(dataset, axis="time", **options)
    by_day = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=by_day)
    collection.insert(dataset)
    return collection


def values_of(collection, name="v"):
    return collection.query()[name].to_numpy().tolist()


def refusal(collection, dataset, **options):
    """Return why an insert was refused, after a look at whether anything was written."""
    before, version = values_of(collection), collection.history()[-1].version
    with pytest.raises(zc.SchemaError) as caught:
        collection.insert(dataset, **options)
    assert values_of(collection) == before
    assert collection.history()[-1].version == version
    return str(caught.value)


# Attributes without which numbers do not mean the same


@pytest.mark.parametrize(
    ("attribute", "ours", "stated"),
    [
        ("units", "m", "cm"),
        ("positive", "up", "down"),
        ("standard_name", "sea_surface_height", "sea_surface_temperature"),
        ("flag_values", [0, 1], np.array([1, 2], "i1")),
        ("flag_masks", [1, 2], [1, 4]),
        ("flag_meanings", "good bad", "bad good"),
    ],
)
def test_a_differing_meaning_is_refused_by_name_with_both_values(url, attribute, ours, stated):
    collection = collection_of(url, delivery([1.0, 2, 3], attrs={attribute: ours}))
    message = refusal(collection, delivery([4.0, 5, 6], "2000-01-02", attrs={attribute: stated}))
    told = stated.tolist() if isinstance(stated, np.ndarray) else stated
    for part in ("'v'", attribute, repr(ours), str(told), "conventions='ignore'"):
        assert part in message


def test_whoever_knows_better_may_ignore_what_is_stated(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m"}))
    collection.insert(delivery([2.0], "2000-01-02", attrs={"units": "meter"}), conventions="ignore")
    assert values_of(collection) == [1, 2]


@pytest.mark.parametrize(
    ("ours", "stated"),
    [
        ("m", "m "),
        ([0, 1], np.array([0, 1], "i1")),
        ([0, 1], [0.0, 1.0]),
        (3, np.float32(3)),
        ("good  bad", "good bad"),
    ],
)
def test_the_same_meaning_may_be_spelled_otherwise(url, ours, stated):
    collection = collection_of(url, delivery([1.0], attrs={"flag_values": ours}))
    collection.insert(delivery([2.0], "2000-01-02", attrs={"flag_values": stated}))
    assert values_of(collection) == [1, 2]


def test_attributes_that_do_no_harm_are_counted_and_ours_stay(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m", "history": "a"}).assign_attrs(title="one"))
    report = collection.insert(
        delivery([2.0], "2000-01-02", attrs={"history": "b", "comment": "new"}).assign_attrs(title="two")
    )
    assert report.ignored == {"history": 1, "comment": 1, "title": 1}
    assert "attributes ignored: comment (1), history (1), title (1)" in str(report)
    found = collection.query().to_xarray()
    assert (found.v.attrs, found.attrs) == ({"units": "m", "history": "a"}, {"title": "one"})


def test_what_states_nothing_is_taken_as_declared(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m"}))
    collection.insert({"time": times("2000-01-02", 1), "v": [2.0]})
    collection.insert(delivery([3.0], "2000-01-03"))
    assert values_of(collection) == [1, 2, 3]


def test_our_own_variables_state_what_they_declare(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m"}))
    other = zc.Schema.from_xarray(delivery([1.0], attrs={"units": "cm"}), axis="time").build()
    dataset = zc.Dataset.from_xarray(delivery([2.0], "2000-01-02", attrs={"units": "cm"}), other)
    assert "'cm'" in refusal(collection, dataset)
    assert "'cm'" in refusal(collection, dict(dataset.all_variables()))


def test_a_nested_group_is_held_to_its_own_declaration(url):
    def tree(unit, start):
        return xr.DataTree.from_dict(
            {"/": delivery([1.0], start), "/ku": delivery([1.0], start, attrs={"units": unit}, name="w")}
        )

    schema = zc.Schema.from_xarray(tree("dB", "2000-01-01"), axis="time")
    collection = zc.create_collection(
        url, schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="D")
    )
    collection.insert(tree("dB", "2000-01-01"))
    assert "'ku/w'" in refusal(collection, tree("W", "2000-01-02"))


def test_an_update_is_held_to_the_declaration(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m"}))

    def in_centimetres(rows):
        return (rows.to_xarray() * 100).assign(v=lambda found: found.v.assign_attrs(units="cm"))[["v"]]

    with pytest.raises(zc.SchemaError, match="'cm'"):
        collection.update(in_centimetres)
    collection.update(in_centimetres, conventions="ignore")
    assert values_of(collection) == [100]


def test_a_merge_function_is_held_to_the_declaration(url):
    collection = collection_of(url, delivery([1.0], attrs={"units": "m"}))

    def merged(existing, inserted, *, axis, partitioning_dim):
        return inserted.to_xarray().assign(v=lambda found: found.v.assign_attrs(units="cm"))

    assert "'cm'" in refusal(collection, delivery([2.0], attrs={"units": "m"}), merge=merged)


# Times


def integer_times(values, units, *, calendar="standard", dtype="i8", numbers=None):
    attrs = {"units": units, "calendar": calendar}
    count = np.arange(len(values), dtype=dtype) if numbers is None else np.asarray(numbers, dtype=dtype)
    return xr.Dataset({"v": ("time", np.asarray(values, "f8"))}, coords={"time": ("time", count, attrs)})


@pytest.mark.parametrize(
    ("units", "numbers", "dtype"),
    [
        ("days since 2000-01-02", [0, 1], "i8"),
        ("minutes since 2000-01-01", [1440, 2880], "i4"),
        ("hours since 1999-12-31", [48, 72], "i2"),
        ("seconds since 2000-01-01", [86400.0, 172800.0], "f8"),
        ("days since 2000-01-01", [1.0, 2.0], "f4"),
    ],
)
def test_times_in_other_units_are_converted_exactly(url, units, numbers, dtype):
    collection = collection_of(url, integer_times([1, 2], "hours since 2000-01-01"))
    collection.insert(integer_times([3, 4], units, numbers=numbers, dtype=dtype), merge="upsert")
    assert collection.query()["time"].to_numpy().tolist() == [0, 1, 24, 48]
    assert values_of(collection) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("units", "calendar", "numbers", "word"),
    [
        ("minutes since 2000-01-01", "standard", [1441], "whole number"),
        ("hours since 2000-01-01", "noleap", [24], "calendar"),
        ("m", None, [24], "units"),
    ],
)
def test_times_that_cannot_be_converted_are_refused(url, units, calendar, numbers, word):
    collection = collection_of(url, integer_times([1, 2], "hours since 2000-01-01"))
    dataset = integer_times([3], units, calendar=calendar, numbers=numbers)
    if calendar is None:
        del dataset.time.attrs["calendar"]
    assert word in refusal(collection, dataset, merge="upsert")


def test_decoded_and_undecoded_deliveries_of_a_float_time_agree(url):
    first = integer_times([1, 2], "days since 2000-01-01", dtype="f8", numbers=[0.0, 0.25])
    collection = collection_of(url, first)
    collection.insert(xr.decode_cf(integer_times([3], "days since 2000-01-01", dtype="f8", numbers=[1.125])))
    assert collection.query()["time"].to_numpy().tolist() == [0, 0.25, 1.125]


def test_a_time_that_is_not_the_axis_is_converted_too(url):
    def dataset(units, number, start):
        return delivery([1.0], start).assign(when=("time", np.array([number]), {"units": units}))

    collection = collection_of(url, dataset("hours since 2000-01-01", 5, "2000-01-01"))
    collection.insert(dataset("days since 2000-01-01", 2, "2000-01-02"))
    assert values_of(collection, "when") == [5, 48]


def test_lengths_of_time_are_converted(url):
    first = delivery([1.0]).assign(age=("time", np.array([2], "m8[h]").astype("m8[ns]")))
    collection = collection_of(url, first)
    later = delivery([2.0], "2000-01-02").assign(age=("time", np.array([1]), {"units": "days"}))
    collection.insert(later)
    assert collection.query()["age"].to_numpy().astype("m8[h]").astype(int).tolist() == [2, 24]
    wrong = delivery([3.0], "2000-01-03").assign(age=("time", np.array([1]), {"units": "m"}))
    assert "'age'" in refusal(collection, wrong)


def test_bounds_have_the_units_of_their_time(url):
    def dataset(units, number):
        found = integer_times([1.0], units, numbers=[number]).assign(
            time_bnds=(("time", "nv"), np.array([[number, number + 1]]))
        )
        found.time.attrs["bounds"] = "time_bnds"
        return found

    collection = collection_of(url, dataset("hours since 2000-01-01", 0))
    collection.insert(dataset("days since 2000-01-01", 1))
    assert collection.query()["time_bnds"].to_numpy().tolist() == [[0, 1], [24, 48]]


# Packing


def test_a_packed_delivery_is_unpacked_by_its_own_scale(url):
    collection = collection_of(url, delivery(np.array([1, 2, 3], "i2"), attrs={"scale_factor": 0.1}))
    collection.insert(delivery(np.array([1, 2, 3], "i4"), "2000-01-02", attrs={"scale_factor": 0.5, "add_offset": 1.0}))
    np.testing.assert_allclose(values_of(collection), [0.1, 0.2, 0.3, 1.5, 2.0, 2.5], rtol=1e-15)
    assert collection.schema.get_variable("v").stored_dtype == np.dtype("i2")


@pytest.mark.parametrize("decoded", [True, False])
def test_values_that_our_packing_lacks_are_refused(url, decoded):
    collection = collection_of(url, delivery(np.array([1, 2, 3], "i2"), attrs={"scale_factor": 0.1}))
    dataset = delivery(np.array([1], "i2"), "2000-01-02", attrs={"scale_factor": 0.25})
    message = refusal(collection, xr.decode_cf(dataset) if decoded else dataset)
    for part in ("'v'", "scale_factor 0.1", "scale_factor 0.25", "0.25 would be rounded"):
        assert part in message


def test_values_beyond_our_packing_are_refused(url):
    collection = collection_of(url, delivery(np.array([1, 2, 3], "i2"), attrs={"scale_factor": 0.1}))
    message = refusal(collection, delivery(np.array([40_000], "i4"), "2000-01-02", attrs={"scale_factor": 0.1}))
    assert "from -3276.8 to 3276.7" in message


def test_plain_floats_are_packed_to_the_nearest(url):
    collection = collection_of(url, delivery(np.array([1, 2, 3], "i2"), attrs={"scale_factor": 0.1}))
    collection.insert(delivery([0.52], "2000-01-02"))
    assert values_of(collection)[-1] == 0.5


@pytest.mark.parametrize(
    "attrs",
    [
        {"_FillValue": np.int16(-1)},
        {"missing_value": np.int16(-1)},
        {"_FillValue": np.int16(-7), "missing_value": np.int16(-1)},
        {"_FillValue": np.int16(-1), "scale_factor": 1.0},
    ],
)
def test_fill_values_become_ours(url, attrs):
    first = delivery(np.array([1, -999], "i2"), attrs={"_FillValue": np.int16(-999), "scale_factor": 1.0})
    collection = collection_of(url, first)
    collection.insert(delivery(np.array([2, -1], "i2"), "2000-01-02", attrs=attrs))
    np.testing.assert_array_equal(values_of(collection), [1, np.nan, 2, np.nan])


def test_integers_keep_their_type_and_have_one_fill_value(url):
    collection = collection_of(url, delivery(np.array([1, -999], "i2"), attrs={"_FillValue": np.int16(-999)}))
    collection.insert(delivery(np.array([2, -1], "i2"), "2000-01-02", attrs={"_FillValue": np.int16(-1)}))
    assert values_of(collection) == [1, -999, 2, -999]
    message = refusal(collection, delivery(np.array([-999], "i2"), "2000-01-03", attrs={"_FillValue": np.int16(-1)}))
    assert "fill value -999, and the input has it as a value: it states the fill value -1" in message


def test_unsigned_integers_that_are_stored_as_signed_ones_are_what_they_mean(url):
    first = delivery(np.array([200, 255], "u1").view("i1"), attrs={"_Unsigned": "true", "_FillValue": np.int8(-1)})
    collection = collection_of(url, first)
    assert collection.schema.get_variable("v").dtype == np.dtype("u1")
    collection.insert(delivery(np.array([7], "u1"), "2000-01-02"))
    assert values_of(collection) == [200, 255, 7]


def test_stored_numbers_that_are_declared_as_such_take_no_others(url):
    """As in collections of releases that knew no packing: the scale is an attribute, and the values are the numbers."""
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("v", dtype="int16", dimensions=("time",), attrs={"scale_factor": 0.1})
    )
    by_day = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=by_day)
    collection.insert(delivery(np.array([1, 2], "i2"), attrs={"scale_factor": 0.1}))
    assert "scale_factor" in refusal(
        collection, delivery(np.array([1], "i2"), "2000-01-02", attrs={"scale_factor": 0.5})
    )
    collection.insert(xr.decode_cf(delivery(np.array([7], "i2"), "2000-01-02", attrs={"scale_factor": 0.1})))
    assert values_of(collection) == [1, 2, 7]


def test_lazy_deliveries_are_converted_when_they_are_computed(url):
    collection = collection_of(url, delivery(np.array([1, 2, 3], "i2"), attrs={"scale_factor": 0.1}))
    lazy = delivery(np.array([1, 2, 3], "i2"), "2000-01-02", attrs={"scale_factor": 0.5}).chunk(time=2)
    collection.insert(lazy)
    np.testing.assert_allclose(values_of(collection)[3:], [0.5, 1.0, 1.5], rtol=1e-15)
    bad = delivery(np.array([1], "i2"), "2000-01-03", attrs={"scale_factor": 0.25}).chunk()
    assert "would be rounded" in refusal(collection, bad)


# Whatever two deliveries state


@st.composite
def packed(draw):
    dtype = np.dtype(draw(st.sampled_from(["i1", "i2", "u1", "i4"])))
    numbers = np.array(draw(st.lists(st.integers(0, 100), min_size=1, max_size=3)), dtype)
    attrs = {}
    if draw(st.booleans()):
        attrs["scale_factor"] = draw(st.sampled_from([0.1, 0.5, 0.25, 2.0]))
    if draw(st.booleans()):
        attrs["add_offset"] = draw(st.sampled_from([0.0, 1.0, -0.5]))
    if draw(st.booleans()):
        attrs[draw(st.sampled_from(["_FillValue", "missing_value"]))] = dtype.type(draw(st.integers(0, 100)))
    if dtype.kind == "i" and draw(st.booleans()):
        attrs["_Unsigned"] = "true"
    if draw(st.booleans()):
        attrs["units"] = draw(st.sampled_from(["m", "cm"]))
    return numbers, attrs


@st.composite
def counted(draw):
    step = draw(st.sampled_from(["days", "hours", "minutes"]))
    reference = draw(st.sampled_from(["1999-12-30", "2000-01-01 06:00", "2000-02-28"]))
    calendar = draw(st.sampled_from(["standard", "noleap", "360_day", "proleptic_gregorian"]))
    numbers = draw(st.lists(st.integers(0, 200), min_size=1, max_size=3, unique=True))
    attrs = {"units": f"{step} since {reference}", "calendar": calendar}
    return np.array(sorted(numbers), draw(st.sampled_from(["i4", "i8", "f8"]))), attrs


@st.composite
def deliveries(draw):
    """Return two datasets, each decoded or not."""
    found = []
    for _ in range(2):
        (values, attrs), (when, time_attrs) = draw(packed()), draw(counted())
        count = min(len(values), len(when))
        dataset = xr.Dataset(
            {"v": ("time", values[:count], attrs)}, coords={"time": ("time", when[:count], time_attrs)}
        )
        found.append((dataset, draw(st.booleans())))
    return found


def decoded(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xr.decode_cf(dataset, decode_timedelta=False).load()


def as_read(dataset):
    """Return the values and times of a dataset as plain comparable ones."""
    whens = [str(when)[:19].replace(" ", "T") for when in dataset.time.values]
    return whens, dataset.v.values.astype("f8")


@examples(100)
@given(pair=deliveries(), number=st.integers(0, 2**60))
def test_the_result_is_that_of_the_decoded_deliveries_or_nothing_has_changed(pair, number):
    (first, first_decoded), (second, second_decoded) = pair
    note(f"{first.v.attrs} {first.time.attrs}, then {second.v.attrs} {second.time.attrs}")
    schema = zc.Schema.from_xarray(decoded(first) if first_decoded else first, axis="time")
    by_year = zc.partitioning.Date(("time",), resolution="Y")
    collection = zc.create_collection(
        f"dict://meaning-{number}", schema=schema, axis="time", partitioning=by_year, overwrite=True
    )
    collection.insert(decoded(first) if first_decoded else first, merge="concat")
    expected = [as_read(decoded(first))]
    try:
        collection.insert(decoded(second) if second_decoded else second, merge="concat")
        expected.append(as_read(decoded(second)))
    except zc.SchemaError:
        pass
    found = collection.query()
    whens, values = (
        as_read(found.to_xarray()) if collection.schema.get_variable("v").dtype.kind == "f" else masked(found)
    )
    pairs = sorted(
        zip(
            [when for part, _ in expected for when in part],
            np.concatenate([part for _, part in expected]).tolist(),
            strict=True,
        ),
        key=str,
    )
    got = sorted(zip(whens, np.asarray(values).tolist(), strict=True), key=str)
    assert [when for when, _ in got] == [when for when, _ in pairs]
    np.testing.assert_allclose([value for _, value in got], [value for _, value in pairs], rtol=1e-12)


def masked(dataset):
    """Return what integers with a fill value mean, which stay integers."""
    whens, _ = as_read(dataset.to_xarray())
    variable = dataset["v"]
    values = variable.to_numpy().astype("f8")
    if variable.fill_value is not None:
        values[variable.to_numpy() == variable.fill_value] = np.nan
    return whens, values
