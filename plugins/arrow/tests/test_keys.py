"""Key fields as columns: SQL groups by them, and filters on them skip partitions without reading them."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import zcollection_arrow
from hypothesis import given, settings
from hypothesis import strategies as st

import zcollection as zc
from zcollection.errors import SettingError

f = pc.field
NESTED = "data_01/ku/swh"
NAMES = ["time", "latitude", "flag", "big", NESTED]


@pytest.fixture(scope="module")
def keyed(collection):
    """A dataset with the key field `day`, without the variable of the same name."""
    return zcollection_arrow.dataset(collection, variables=NAMES, keys=True)


@pytest.fixture(scope="module")
def frame(arrays):
    """The same rows as a pandas table."""
    time = pd.DatetimeIndex(arrays["time"])
    columns = {name: arrays[name] for name in NAMES}
    return pd.DataFrame({**columns, "year": time.year, "month": time.month, "day": time.day})


@pytest.fixture(scope="module")
def duck():
    return pytest.importorskip("duckdb").connect(config={"threads": 2})


def days_read(keys):
    return sorted({key.partition("/day=")[2][:2] for key in keys})


def test_they_come_behind_the_variables(keyed):
    assert keyed.schema.names == [*NAMES, "year", "month", "day"]
    assert [keyed.schema.field(name).type for name in ("year", "day")] == [pa.int64()] * 2


def test_sql_groups_by_what_is_a_key_alone(duck, keyed, frame):
    found = duck.execute("SELECT day, avg(latitude), count(flag) FROM keyed GROUP BY day ORDER BY day").fetchall()
    grouped = frame.assign(flag=frame.flag.where(frame.flag != -1)).groupby("day")
    assert [day for day, _, _ in found] == [1, 2, 3, 4]
    np.testing.assert_allclose([mean for _, mean, _ in found], grouped.latitude.mean())
    assert [count for _, _, count in found] == grouped.flag.count().tolist()
    assert keyed is not None


@settings(max_examples=20, deadline=None)
@given(
    low=st.integers(0, 5),
    high=st.integers(0, 5),
    flag=st.integers(-1, 3),
    joined=st.sampled_from(["AND", "OR"]),
    inverted=st.booleans(),
)
def test_filters_mean_what_pandas_says(duck, keyed, frame, low, high, flag, joined, inverted):
    known = frame.flag != -1
    keys = (frame.day >= low) & (frame.day <= high)
    keys, text = (
        (~keys, f"NOT (day >= {low} AND day <= {high})") if inverted else (keys, f"day BETWEEN {low} AND {high}")
    )
    mask = (keys & (frame.flag == flag) & known) if joined == "AND" else (keys | ((frame.flag == flag) & known))
    query = f"SELECT big FROM keyed WHERE {text} {joined} flag = {flag} ORDER BY big"
    assert [big for (big,) in duck.execute(query).fetchall()] == sorted(frame.big[mask].tolist())
    assert keyed is not None


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        (f("day") == 2, ["02"]),
        (f("day") > 2.5, ["03", "04"]),
        (f("day").isin([1, 4]), ["01", "04"]),
        ((f("day") == 3) & (f("flag") == 1), ["03"]),
        ((f("day") == 3) | ((f("day") < 3) & (f("month") == 2)), ["03"]),
        (~(f("day") < 4), ["04"]),
        (f("day").is_null(), []),
        ((f("year") == 2023) | (f("day") == 9), []),
    ],
    ids=str,
)
def test_filters_on_them_read_no_partition_that_they_leave_out(keyed, frame, chunks_read, expression, days):
    with chunks_read() as keys:
        found = keyed.to_table(columns=["big", "day"], filter=expression)
    assert days_read(keys) == days
    assert set(found["day"].to_pylist()) == {int(day) for day in days}
    whole = keyed.to_table().filter(expression)
    assert found["big"].to_pylist() == whole["big"].to_pylist()
    assert [fragment.key["day"] for fragment in keyed.get_fragments(expression)] == [int(day) for day in days]


def test_duckdb_polars_and_datafusion_leave_partitions_out(duck, keyed, frame, chunks_read):
    wanted = sorted(frame.big[frame.day == 3].tolist())
    with chunks_read() as keys:
        assert sorted(big for (big,) in duck.execute("SELECT big FROM keyed WHERE day = 3").fetchall()) == wanted
    assert days_read(keys) == ["03"]
    pl = pytest.importorskip("polars")
    with chunks_read() as keys:
        found = pl.scan_pyarrow_dataset(keyed).filter(pl.col("day") == 3).select("big").collect()
    assert (days_read(keys), sorted(found["big"].to_list())) == (["03"], wanted)
    context = pytest.importorskip("datafusion").SessionContext()
    context.register_dataset("keyed", keyed)
    with chunks_read() as keys:
        tables = context.sql("SELECT big FROM keyed WHERE day = 3").collect()
    assert (days_read(keys), sorted(pa.Table.from_batches(tables)["big"].to_pylist())) == (["03"], wanted)


def test_counting_by_them_reads_no_chunk(duck, keyed, chunks_read):
    with chunks_read() as keys:
        assert duck.execute("SELECT day, count(*) FROM keyed GROUP BY day ORDER BY day").fetchall() == [
            (day, 512) for day in (1, 2, 3, 4)
        ]
        assert keyed.count_rows(filter=f("day") == 2) == 512
        assert keyed.to_table(columns=[]).num_rows == 4 * 512
    assert keys == []


def test_each_fragment_says_what_its_key_is(keyed):
    first = next(keyed.get_fragments())
    assert first.partition_expression.equals((f("year") == 2024) & (f("month") == 1) & (f("day") == 1))
    assert set(first.to_table(columns=["day"])["day"].to_pylist()) == {1}
    assert first.to_table(columns=["day"], filter=f("day") == 2).num_rows == 0


def test_they_are_there_after_pickling(keyed):
    again = pickle.loads(pickle.dumps(keyed))
    assert again.schema == keyed.schema
    assert again.count_rows(filter=f("day") >= 3) == 1024


def test_a_name_that_a_variable_has_is_rejected_until_it_is_resolved(collection, arrays):
    with pytest.raises(
        zc.SchemaError,
        match=r"'day' of the keys would be read as 'day', and there is a variable.*keys=\{'day': 'key_day'\}",
    ):
        zcollection_arrow.dataset(collection, keys=True)
    renamed = zcollection_arrow.dataset(collection, keys={"day": "key_day"})
    found = renamed.to_table(columns=["day", "key_day"], filter=f("key_day") == 2)
    assert set(found["key_day"].to_pylist()) == {2}
    assert set(found["day"].to_pylist()) == {arrays["day"][600].astype("datetime64[s]").item()}


def test_a_filter_on_a_field_is_never_taken_for_one_on_a_variable_of_its_name(collection, chunks_read, arrays):
    """The variable `day` is a date, the field `day` a number; either may be a column."""
    field = zcollection_arrow.dataset(collection, variables=["big"], keys=["day"])
    with chunks_read() as keys:
        assert field.count_rows(filter=f("day") == 4) == 512
    assert keys == []
    asked = zcollection_arrow.dataset(collection, variables=["big"], keys=["day"], where="day > '2024-01-02'")
    assert [asked.count_rows(filter=f("day") == number) for number in (2, 3, 4)] == [0, 512, 512]
    variable = zcollection_arrow.dataset(collection, variables=["big", "day"], keys={"day": "number"})
    date = pa.scalar(np.datetime64("2024-01-03", "s"))
    for expression in ((f("day") == date) & (f("number") == 3), f("day") == date, f("number") == 3):
        assert variable.count_rows(filter=expression) == 512
    assert variable.count_rows(filter=(f("day") == date) & (f("number") == 2)) == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"keys": ["cycle"]}, SettingError, r"keys names the field 'cycle'; accepted: 'year', 'month', 'day'"),
        ({"keys": {"day": "flag"}}, zc.SchemaError, "'flag', and there is a variable"),
        ({"stale": "error"}, SettingError, r"stale='error' for the collection .*; accepted: 'fill', or a view"),
    ],
)
def test_what_cannot_be_is_rejected_at_once(collection, options, error, message):
    with pytest.raises(error, match=message):
        zcollection_arrow.dataset(collection, **options)


@pytest.fixture(scope="module")
def stations(tmp_path_factory):
    """A collection partitioned by text and booleans."""
    schema = (
        zc.Schema()
        .with_dimension("row")
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("station", dtype="string", dimensions=("row",))
        .with_variable("up", dtype="bool", dimensions=("row",))
        .build()
    )
    made = zc.create_collection(
        f"file://{tmp_path_factory.mktemp('stations')}/c",
        schema=schema,
        axis="time",
        partitioning=zc.partitioning.Values(("station", "up")),
    )
    made.insert({"time": np.arange(6), "station": np.array(["a", "b'", "é"] * 2, "U"), "up": np.arange(6) % 2 == 0})
    return made


def test_strings_and_booleans(stations, duck, chunks_read):
    keyed = zcollection_arrow.dataset(stations, variables=["time"], keys=True)
    assert [keyed.schema.field(name).type for name in ("station", "up")] == [pa.large_string(), pa.bool_()]
    found = duck.execute(
        "SELECT station, up, sum(time) FROM keyed GROUP BY station, up ORDER BY station, up"
    ).fetchall()
    assert found == [
        ("a", False, 3),
        ("a", True, 0),
        ("b'", False, 1),
        ("b'", True, 4),
        ("é", False, 5),
        ("é", True, 2),
    ]
    with chunks_read() as keys:
        assert keyed.to_table(filter=(f("station") == "é") & f("up"))["time"].to_pylist() == [2]
    assert len(keys) == 1
    assert duck.execute("SELECT sum(time) FROM keyed WHERE station = 'b''' AND NOT up").fetchone() == (1,)


def test_a_scan_has_them_as_a_stream(collection, frame):
    scan = collection.scan(variables=["big"], keys=["day"], block_size=5000)
    table = pa.RecordBatchReader.from_stream(scan).read_all()
    pd.testing.assert_frame_equal(table.to_pandas(), frame[["big", "day"]], check_dtype=False)
