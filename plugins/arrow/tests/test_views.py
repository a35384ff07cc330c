"""Views as pyarrow datasets: SQL sees the variables of the base and of the view, as in a query of the view."""

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

f = pc.field
STALE = 3  # the day whose rows have changed since


@pytest.fixture(scope="module")
def base(tmp_path_factory, collection):
    return collection.copy(f"file://{tmp_path_factory.mktemp('views')}/base")


@pytest.fixture(scope="module")
def view(base, tmp_path_factory):
    """A view with twice the latitude: stale on one day, and never computed on the last day."""
    made = zc.create_view(
        f"file://{tmp_path_factory.mktemp('views')}/view",
        base=base,
        computation=zc.computation.Expression({"twice": "latitude * 2"}, attrs={"twice": {"units": "degrees"}}),
    )
    made.refresh(filters="day < 4")
    base.update(lambda rows: {"latitude": rows["latitude"].to_numpy() / 2}, filters=f"day == {STALE}")
    return made


@pytest.fixture(scope="module")
def frame(arrays):
    """The rows of the view as a pandas table; values that are not current are missing."""
    days = pd.DatetimeIndex(arrays["time"]).day
    latitude = np.where(days == STALE, arrays["latitude"] / 2, arrays["latitude"])
    return pd.DataFrame(
        {
            "time": arrays["time"],
            "day": days,
            "flag": arrays["flag"],
            "big": arrays["big"],
            "latitude": latitude,
            "twice": np.where(days < STALE, 2 * latitude, np.nan),
        }
    )


@pytest.fixture(scope="module")
def col(view):
    return zcollection_arrow.dataset(view, variables=["time", "flag", "big", "latitude", "twice"], keys=["day"])


@pytest.fixture(scope="module")
def duck():
    return pytest.importorskip("duckdb").connect(config={"threads": 2})


def test_its_columns_are_those_of_both(view):
    every = zcollection_arrow.dataset(view)
    assert every.schema == zcollection_arrow.schema_of(view.query())
    assert every.schema.field("twice").metadata == {b"units": b"degrees"}
    assert every.to_table() == view.query().to_arrow()


def test_sql_has_what_pandas_has(duck, col, frame):
    found = duck.execute("SELECT day, avg(twice), count(*) FROM col GROUP BY day ORDER BY day").df()
    expected = frame.groupby("day").twice.mean()
    assert found.day.tolist() == expected.index.tolist()
    np.testing.assert_allclose(found["avg(twice)"], expected)
    assert found["count_star()"].sum() == len(frame)
    assert col is not None


@settings(max_examples=25, deadline=None)
@given(
    low=st.floats(-170, 170),
    flag=st.integers(0, 3),
    day=st.integers(1, 5),
    join=st.sampled_from(["AND", "OR"]),
    name=st.sampled_from(["twice", "latitude"]),
)
def test_filters_on_variables_of_either_side_mean_what_pandas_says(duck, col, frame, low, flag, day, join, name):
    above, asked = frame[name] > low, (frame.flag == flag) | (frame.day == day)
    mask = above & asked if join == "AND" else above | asked
    query = f"SELECT big FROM col WHERE {name} > {low!r} {join} (flag = {flag} OR day = {day}) ORDER BY big"
    assert [big for (big,) in duck.execute(query).fetchall()] == sorted(frame.big[mask].tolist())
    arrow = pc.field(name) > low
    rest = (f("flag") == flag) | (f("day") == day)
    table = col.to_table(columns=["big"], filter=arrow & rest if join == "AND" else arrow | rest)
    assert sorted(table["big"].to_pylist()) == sorted(frame.big[mask].tolist())


def test_a_filter_on_the_views_own_variable_is_pushed_down(col, chunks_read, frame):
    with chunks_read() as keys:
        found = col.to_table(columns=["big"], filter=f("twice") > 159)
    assert sorted(found["big"].to_pylist()) == sorted(frame.big[frame.twice > 159].tolist())
    every = 2 * 4 * 4  # all chunks of both variables
    assert 0 < len(keys) < every / 2


def test_no_more_is_read_of_the_base_than_the_question_names(view, chunks_read):
    with chunks_read() as keys:
        zcollection_arrow.dataset(view).to_table(columns=["twice"])
    assert {key.partition("/c/")[0].rpartition("/")[2] for key in keys} == {"twice"}
    assert {key.partition("day=")[2][:2] for key in keys} == {"01", "02"}


def test_partitions_are_fragments(col, view, frame):
    fragments = list(col.get_fragments(f("day") >= 2))
    assert [fragment.key for fragment in fragments] == list(view.keys(filters="day >= 2"))
    assert fragments[0].to_table(columns=["big"])["big"].to_pylist() == frame.big[frame.day == 2].tolist()
    assert fragments[1].to_table(columns=["twice"])["twice"].null_count == 512
    assert (col.count_rows(), col.count_rows(filter=f("twice").is_valid())) == (2048, 1024)


def test_polars_and_pandas_read_it(col, frame):
    table = col.to_table(columns=["time", "twice"], filter=f("twice") > 0).to_pandas()
    expected = frame.loc[frame.twice > 0, ["time", "twice"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    pl = pytest.importorskip("polars")
    found = pl.scan_pyarrow_dataset(col).filter(pl.col("twice") > 100).select("big").collect()
    assert sorted(found["big"].to_list()) == sorted(frame.big[frame.twice > 100].tolist())


def test_what_is_not_current_may_be_computed(view, duck, frame):
    computed = zcollection_arrow.dataset(view, stale="compute", variables=["big", "latitude", "twice"])
    table = computed.to_table()
    np.testing.assert_allclose(table["twice"].to_numpy(), 2 * frame.latitude.to_numpy())
    found = duck.execute("SELECT big FROM computed WHERE twice > 100 AND latitude < 79 ORDER BY big").fetchall()
    assert [big for (big,) in found] == sorted(frame.big[(frame.latitude > 50) & (frame.latitude < 79)].tolist())


def test_what_is_not_current_may_be_an_error(view):
    strict = zcollection_arrow.dataset(view, stale="error", variables=["latitude", "twice"])
    with pytest.raises(zc.errors.StaleError, match="2 partitions of the view"):
        strict.to_table()
    assert strict.to_table(columns=["latitude"]).num_rows == 2048


@pytest.mark.parametrize(
    ("options", "message"),
    [({"stale": "later"}, "stale='later'"), ({"stale": "compute", "where": "twice > 1"}, "computed everywhere first")],
)
def test_what_cannot_be_is_rejected_at_once(view, options, message):
    with pytest.raises(zc.errors.SettingError, match=message):
        zcollection_arrow.dataset(view, **options)


def test_a_scan_of_a_view_is_a_stream(view, frame, duck):
    scan = view.scan(variables=["big", "twice"], where="twice > 50", block_size=4000)
    table = pa.RecordBatchReader.from_stream(scan).read_all()
    assert table["big"].to_pylist() == frame.big[frame.twice > 50].tolist()
    assert duck.execute("SELECT count(*) FROM scan").fetchone() == ((frame.twice > 50).sum(),)


def test_it_pickles(col, frame):
    again = pickle.loads(pickle.dumps(col))
    assert again.count_rows(filter=f("twice") > 0) == (frame.twice > 0).sum()
