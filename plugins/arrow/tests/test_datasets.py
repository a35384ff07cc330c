"""Collections as pyarrow datasets, read by pyarrow, DuckDB, Polars, DataFusion and pandas, against NumPy; nothing else is read."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pytest
import zcollection_arrow
from hypothesis import given, settings
from hypothesis import strategies as st

import zcollection as zc

f = pc.field
DAY = np.datetime64("2024-01-02")
NESTED = "data_01/ku/swh"


@pytest.fixture(scope="module")
def col(collection):
    return zcollection_arrow.dataset(collection)


@pytest.fixture(scope="module")
def duck():
    return pytest.importorskip("duckdb").connect(config={"threads": 2})


def times(table):
    """Return the sorted times of a result: no tool guarantees an order."""
    return np.sort(np.asarray(table["time"]).astype("datetime64[ns]"))


# A condition in three forms: SQL, a pyarrow expression, and a NumPy mask with the rows where it is known.
class Asked:
    def __init__(self, sql, expression, holds, known):
        self.sql, self.expression, self.holds, self.known = sql, expression, holds & known, known

    def __and__(self, other):
        known = (self.known & other.known) | (self.known & ~self.holds) | (other.known & ~other.holds)
        return Asked(
            f"({self.sql} AND {other.sql})", self.expression & other.expression, self.holds & other.holds, known
        )

    def __or__(self, other):
        known = (self.known & other.known) | self.holds | other.holds
        return Asked(
            f"({self.sql} OR {other.sql})", self.expression | other.expression, self.holds | other.holds, known
        )

    def __invert__(self):
        return Asked(f"(NOT {self.sql})", ~self.expression, ~self.holds, self.known)

    def __repr__(self):
        return self.sql


SYMBOLS = {
    "<": (pc.less, np.less),
    "<=": (pc.less_equal, np.less_equal),
    ">": (pc.greater, np.greater),
    ">=": (pc.greater_equal, np.greater_equal),
    "=": (pc.equal, np.equal),
    "<>": (pc.not_equal, np.not_equal),
}


def asking(arrays):
    """Return a strategy of conditions over some variables."""
    every = np.ones(arrays["flag"].size, bool)
    known = {"flag": arrays["flag"] != -1, NESTED: ~np.isnan(arrays[NESTED]), "latitude": every, "big": every}

    def compared(name, symbol, value):
        arrow, numpy = SYMBOLS[symbol]
        kind = {"flag": "TINYINT", NESTED: "FLOAT", "latitude": "DOUBLE", "big": "BIGINT"}[name]
        number = arrays[name].dtype.type(value)
        sql = f'"{name}" {symbol} CAST({number.item()!r} AS {kind})'
        return Asked(sql, arrow(f(name), pa.scalar(number)), numpy(arrays[name], number), known[name])

    def moment(symbol, hours):
        arrow, numpy = SYMBOLS[symbol]
        time = np.datetime64("2024-01-01", "us") + np.timedelta64(hours, "h")
        return Asked(
            f"\"time\" {symbol} TIMESTAMP '{time}'",
            arrow(f("time"), pa.scalar(time)),
            numpy(arrays["time"], time),
            every,
        )

    def absent(name):
        return Asked(f'"{name}" IS NULL', f(name).is_null(), ~known[name], every)

    def among(values):
        text = ", ".join(map(str, values))
        return Asked(
            f"flag IN ({text})",
            f("flag").isin(pa.array(values, pa.int8())),
            np.isin(arrays["flag"], values),
            known["flag"],
        )

    symbols = st.sampled_from(sorted(SYMBOLS))
    return st.recursive(
        st.one_of(
            st.builds(compared, st.just("flag"), symbols, st.integers(-1, 4)),
            st.builds(compared, st.just(NESTED), symbols, st.floats(-1.5, 1.5)),
            st.builds(compared, st.just("latitude"), symbols, st.floats(-90, 90)),
            st.builds(compared, st.just("big"), symbols, st.sampled_from(arrays["big"][::100].tolist())),
            st.builds(moment, symbols, st.integers(-1, 97)),
            st.builds(absent, st.sampled_from(["flag", NESTED])),
            st.builds(among, st.lists(st.integers(0, 3), min_size=1, max_size=3)),
        ),
        lambda inner: st.one_of(
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(lambda a, b: a | b, inner, inner),
            st.builds(lambda a: ~a, inner),
        ),
        max_leaves=5,
    )


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_sql_and_pyarrow_get_the_rows_that_numpy_has(duck, col, arrays, data):
    asked = data.draw(asking(arrays))
    expected = np.sort(arrays["time"][asked.holds])
    assert np.array_equal(times(duck.execute(f'SELECT "time" FROM col WHERE {asked.sql}').fetchnumpy()), expected)
    # `is_in` of pyarrow is false where the value is null, and not unknown.
    if "NOT" not in asked.sql or "IN (" not in asked.sql:
        assert np.array_equal(times(col.to_table(columns=["time"], filter=asked.expression)), expected)


class TestPyArrow:
    def test_it_is_a_dataset_with_the_columns_of_the_collection(self, col, collection):
        assert isinstance(col, pads.Dataset)
        assert col.schema == zcollection_arrow.schema_of(collection.query())

    def test_all_rows_are_those_of_a_query(self, col, collection):
        assert col.to_table() == collection.query().to_arrow()

    def test_columns_come_in_the_order_in_which_they_are_named(self, col):
        assert col.to_table(columns=["flag", "time"]).schema.names == ["flag", "time"]

    def test_a_projection_may_compute(self, col, arrays):
        found = col.to_table(columns={"double": f("latitude") * 2}, filter=f("flag") == 1)
        assert found["double"].to_pylist() == (2 * arrays["latitude"][arrays["flag"] == 1]).tolist()

    def test_no_columns_have_the_number_of_rows(self, col, arrays):
        assert col.to_table(columns=[]).num_rows == arrays["flag"].size

    def test_rows_are_counted(self, col, arrays):
        assert (col.count_rows(), col.count_rows(filter=f("flag") == 1)) == (
            arrays["flag"].size,
            (arrays["flag"] == 1).sum(),
        )

    def test_first_rows_and_some_rows(self, col, arrays):
        assert col.head(3, columns=["flag"]).num_rows == 3
        assert col.take([5, 700], columns=["latitude"])["latitude"].to_pylist() == arrays["latitude"][[5, 700]].tolist()

    def test_filters_add_up(self, col, arrays):
        found = col.filter(f("flag") >= 1).filter(f("flag") <= 2)
        assert found.count_rows() == np.isin(arrays["flag"], [1, 2]).sum()
        assert found.count_rows(filter=f("flag") > 1) == (arrays["flag"] == 2).sum()

    def test_it_pickles(self, col, arrays):
        again = pickle.loads(pickle.dumps(col.filter(f("flag") == 1)))
        assert again.count_rows() == (arrays["flag"] == 1).sum()

    def test_rows_are_sorted_and_joined_in_memory(self, col, collection, arrays):
        few = col.filter(f("flag") == 1)
        some = few.sort_by([("big", "descending")]).to_table(columns=["big"])["big"].to_pylist()
        assert some == sorted(arrays["big"][arrays["flag"] == 1].tolist(), reverse=True)
        # joined with itself by a column of unique numbers
        narrow = [zcollection_arrow.dataset(collection, variables=["big", name]) for name in ("flag", "latitude")]
        assert narrow[0].join(narrow[1], "big").to_table().num_rows == arrays["big"].size

    def test_batches_are_small_and_in_order(self, col, arrays):
        batches = list(col.to_batches(columns=["latitude"], batch_size=100))
        assert max(batch.num_rows for batch in batches) <= 100
        assert (
            np.concatenate([batch["latitude"].to_numpy() for batch in batches]).tolist() == arrays["latitude"].tolist()
        )

    def test_partitions_are_fragments(self, col, collection, arrays):
        fragments = list(col.get_fragments())
        assert [fragment.key for fragment in fragments] == list(collection.keys())
        second = fragments[1].to_table(columns=["time"], filter=f("flag") == 1)
        inside = (arrays["time"].astype("datetime64[D]") == DAY) & (arrays["flag"] == 1)
        assert np.array_equal(times(second), arrays["time"][inside])
        assert sum(fragment.count_rows() for fragment in fragments) == arrays["flag"].size

    def test_what_pyarrow_would_read_by_itself_is_rejected_and_not_empty(self, col):
        from pyarrow.acero import Declaration, ScanNodeOptions

        with pytest.raises(NotImplementedError, match=r"pyarrow tries to read the files of a dataset"):
            Declaration("scan", ScanNodeOptions(col)).to_table()
        with pytest.raises(NotImplementedError, match="cannot be replaced"):
            col.replace_schema(col.schema)

    def test_a_scanner_that_was_read_says_so(self, col):
        scanner = col.scanner(columns=["flag"])
        scanner.to_table()
        with pytest.raises(pa.ArrowInvalid, match="already scanned"):
            scanner.to_table()

    def test_it_is_written_as_any_dataset(self, collection, tmp_path, arrays):
        pads.write_dataset(
            zcollection_arrow.dataset(collection, variables=["time", "flag"]), tmp_path, format="parquet"
        )
        assert pads.dataset(tmp_path).count_rows() == arrays["flag"].size

    def test_rows_and_partitions_may_be_chosen_beforehand(self, collection, arrays):
        first = arrays["time"] < DAY
        for where in ("flag == 1", zc.rows.expression("flag == 1"), collection.find("flag == 1")):
            some = zcollection_arrow.dataset(collection, filters="day == 1", where=where)
            mask = first & (arrays["flag"] == 1)
            assert some.count_rows() == mask.sum()
            found = some.to_table(columns=["time"], filter=f("latitude") > 1)
            assert np.array_equal(times(found), arrays["time"][mask & (arrays["latitude"] > 1)])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"variables": ["nothing"]}, "'nothing'"),
            ({"variables": ["angle"]}, r"variable 'angle' does not span 'time', and is not a column"),
            ({"where": "nothing > 1"}, "'nothing'"),
            ({"time_unit": "h"}, r"time_unit='h'; .*ns"),
        ],
    )
    def test_what_cannot_be_is_rejected_at_once(self, collection, options, message):
        with pytest.raises((zc.SchemaError, zc.ExpressionError, zc.errors.SettingError), match=message):
            zcollection_arrow.dataset(collection, **options)

    def test_times_may_be_counted_in_another_unit_where_that_is_exact(self, collection, arrays):
        micro = zcollection_arrow.dataset(collection, variables=["time"], time_unit="us").to_table()["time"]
        assert micro.type == pa.timestamp("us")
        assert np.array_equal(micro.to_numpy(), arrays["time"])
        odd = zcollection_arrow.dataset(collection, variables=["seen"], time_unit="ns").schema.field("seen").type
        assert odd == pa.timestamp("ns")


def test_a_time_that_another_unit_does_not_have_is_an_error(tmp_path):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    by_day = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(f"file://{tmp_path}/c", schema=schema, axis="time", partitioning=by_day)
    made.insert({"time": np.array(["2024-01-01T00:00:00.000000001"], "datetime64[ns]")})
    with pytest.raises(
        zc.SchemaError,
        match=r"'time' has the value 2024-01-01T00:00:00.000000001, which datetime64\[us\] cannot represent",
    ):
        zcollection_arrow.dataset(made, time_unit="us").to_table()


class TestDuckDB:
    def test_a_variable_of_python_is_a_table(self, duck, col, arrays):
        found = duck.execute(f'SELECT flag, avg("{NESTED}") AS mean FROM col GROUP BY flag ORDER BY flag').fetchall()
        waves, flags = arrays[NESTED].astype("f8"), arrays["flag"]
        expected = [(int(flag), np.nanmean(waves[flags == flag])) for flag in range(4)] + [
            (None, np.nanmean(waves[flags == -1]))
        ]
        assert [flag for flag, _ in found] == [flag for flag, _ in expected]
        assert np.allclose([mean for _, mean in found], [mean for _, mean in expected])

    def test_lists_strings_and_times_come_over(self, duck, col, arrays):
        query = "SELECT power[2] AS p, cube[1][3] AS c, name, seen, valid FROM col WHERE \"time\" = TIMESTAMP '2024-01-01 00:00:00'"
        ((power, cube, name, seen, valid),) = duck.execute(query).fetchall()
        assert power == arrays["power"][0, 1]
        assert (cube or 0) == arrays["cube"][0, 0, 2]
        assert (name or "") == arrays["name"][0]
        hours = arrays["seen"][0]
        assert (
            (seen is None)
            if hours == -7
            else np.datetime64(seen) == np.datetime64("2023-12-31") + np.timedelta64(hours, "h")
        )
        assert valid == arrays["valid"][0]

    def test_rows_are_counted(self, duck, col, arrays):
        assert duck.execute("SELECT count(*) FROM col").fetchone() == (arrays["flag"].size,)

    def test_collections_are_joined(self, duck, col, collection, arrays):
        other = zcollection_arrow.dataset(collection, where="flag == 1")
        joined = duck.execute("SELECT count(*) FROM col JOIN other USING (big)").fetchone()
        assert other is not None
        assert joined == ((arrays["flag"] == 1).sum(),)

    def test_a_scan_and_a_dataset_are_tables_too(self, duck, collection, arrays):
        scan, rows = collection.scan(variables=["big"]), collection.query(variables=["big"])
        assert scan is not None
        assert rows is not None
        for name in ("scan", "rows"):
            assert duck.execute(f"SELECT max(big) FROM {name}").fetchone() == (arrays["big"].max(),)

    def test_a_chunk_that_is_damaged_is_an_error(self, duck, tmp_path, collection):
        collection.copy(f"file://{tmp_path}/copy")
        broken = zcollection_arrow.dataset(zc.open_collection(f"file://{tmp_path}/copy"))
        next((tmp_path / "copy").rglob("latitude/c/1")).write_bytes(b"?")
        assert broken.schema
        with pytest.raises(Exception, match="latitude"):
            duck.execute("SELECT max(latitude) FROM broken").fetchall()


class TestPolars:
    def test_it_scans_a_dataset_lazily(self, col, arrays):
        pl = pytest.importorskip("polars")
        lazy = pl.scan_pyarrow_dataset(col)
        found = lazy.filter((pl.col("flag") == 1) & (pl.col(NESTED) > 0)).select("time", NESTED).collect()
        mask = (arrays["flag"] == 1) & (arrays[NESTED] > 0)
        assert np.array_equal(times(found), arrays["time"][mask])
        assert found[NESTED].to_list() == arrays[NESTED][mask].tolist()

    def test_it_reads_a_table(self, collection, arrays):
        pl = pytest.importorskip("polars")
        table = collection.query(variables=["big", "power"]).to_arrow()
        frame = pl.from_arrow(table)
        assert frame["big"].to_list() == arrays["big"].tolist()
        assert frame["power"].to_numpy().tolist() == arrays["power"].tolist()


class TestDataFusion:
    def test_it_reads_partitions_as_fragments(self, col, arrays):
        datafusion = pytest.importorskip("datafusion")
        context = datafusion.SessionContext()
        context.register_dataset("col", col)
        query = f'SELECT "time", "{NESTED}" AS swh FROM col WHERE flag = 1 AND latitude BETWEEN -10 AND 10'
        found = pa.Table.from_batches(context.sql(query).collect())
        mask = (arrays["flag"] == 1) & (np.abs(arrays["latitude"]) <= 10)
        assert np.array_equal(times(found), arrays["time"][mask])
        assert found["swh"].null_count == np.isnan(arrays[NESTED][mask]).sum()
        counted = context.sql("SELECT count(*) AS n FROM col").collect()[0]["n"].to_pylist()
        assert counted == [arrays["flag"].size]


class TestPandas:
    def test_a_table_becomes_a_frame(self, col, collection, arrays):
        pd = pytest.importorskip("pandas")
        frame = col.to_table(columns=["time", "latitude"], filter=f("flag") == 1).to_pandas()
        mask = arrays["flag"] == 1
        expected = pd.DataFrame({"time": arrays["time"][mask], "latitude": arrays["latitude"][mask]})
        pd.testing.assert_frame_equal(frame, expected)


class TestPushedDown:
    """Only the necessary chunks are read."""

    def names(self, keys):
        return {key.partition("/c/")[0].rpartition("/")[2] for key in keys}

    def test_only_the_columns_of_the_question_are_read(self, col, chunks_read):
        with chunks_read() as keys:
            col.to_table(columns=["big"], filter=f("flag") == 1)
        assert self.names(keys) == {"big", "flag"}

    def test_only_the_partitions_and_chunks_of_a_period_are_read(self, col, chunks_read, arrays):
        noon = pa.scalar(np.datetime64("2024-01-02T12:00", "us"))
        later = pa.scalar(np.datetime64("2024-01-02T13:00", "us"))
        with chunks_read() as keys:
            found = col.to_table(columns=["time", "big"], filter=(f("time") >= noon) & (f("time") < later))
        inside = (arrays["time"] >= np.datetime64("2024-01-02T12")) & (arrays["time"] < np.datetime64("2024-01-02T13"))
        assert found.num_rows == inside.sum() > 0
        # The zones of an hour are in two of 16 chunks of the times, its rows in one of 16 chunks of the other variables.
        assert sorted(keys) == [f"year=2024/month=01/day=02/{name}" for name in ("big/c/2", "time/c/2", "time/c/3")]

    def test_only_the_chunks_with_such_latitudes_are_read(self, col, chunks_read):
        with chunks_read() as all_keys:
            col.to_table(columns=["big"])
        with chunks_read() as keys:
            found = col.to_table(columns=["big"], filter=(f("latitude") > 79) & (f("flag") == 1))
        assert found.num_rows
        assert len([key for key in keys if "/big/" in key]) < len(all_keys) / 2

    def test_duckdb_polars_and_datafusion_push_a_number_down(self, col, chunks_read, duck):
        asked = {"latitude": "latitude < -79.5"}
        with chunks_read() as keys:
            duck.execute(f"SELECT big FROM col WHERE {asked['latitude']}").fetchall()
        assert 0 < len([key for key in keys if "/big/" in key]) <= 8
        pl = pytest.importorskip("polars")
        with chunks_read() as keys:
            pl.scan_pyarrow_dataset(col).filter(pl.col("latitude") < -79.5).select("big").collect()
        assert 0 < len([key for key in keys if "/big/" in key]) <= 8
        context = pytest.importorskip("datafusion").SessionContext()
        context.register_dataset("col", col)
        with chunks_read() as keys:
            context.sql(f"SELECT big FROM col WHERE {asked['latitude']}").collect()
        assert 0 < len([key for key in keys if "/big/" in key]) <= 8

    def test_a_question_that_no_row_answers_reads_no_chunk(self, col, chunks_read):
        with chunks_read() as keys:
            assert (
                col.to_table(columns=["big"], filter=f("time") > pa.scalar(np.datetime64("2025-01-01", "us"))).num_rows
                == 0
            )
        assert keys == []

    def test_counting_all_rows_reads_no_chunk(self, col, chunks_read):
        with chunks_read() as keys:
            col.count_rows()
        assert keys == []


MEASURED = """
    import resource, sys
    import duckdb, numpy as np, pyarrow as pa
    import zcollection as zc, zcollection_arrow

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    col = zcollection_arrow.dataset(zc.open_collection(sys.argv[1]))
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SELECT cycle, avg(ssh) FROM col WHERE cycle = 0 GROUP BY cycle").fetchall()
    before = peak()
    found = connection.execute("SELECT cycle, avg(ssh), avg(swh) FROM col GROUP BY cycle ORDER BY cycle").fetchall()
    assert [round(mean) for _, mean, _ in found] == list(range(len(found))), found
    print(len(found), peak() - before)
"""


def test_a_question_about_all_rows_takes_bounded_memory(tmp_path):
    pytest.importorskip("duckdb")
    days, rows = 20, 150_000
    alone = ("time",)
    schema = zc.Schema().with_dimension("time", chunks=50_000)
    for name, dtype in {"time": "datetime64[us]", "cycle": "int16", "ssh": "float64", "swh": "float64"}.items():
        schema = schema.with_variable(name, dtype=dtype, dimensions=alone, codecs=() if dtype == "float64" else None)
    by_day = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(f"file://{tmp_path}/large", schema=schema, axis="time", partitioning=by_day)
    number = np.repeat(np.arange(days), rows)
    times = np.datetime64("2024-01-01", "us") + number.astype("timedelta64[D]") + np.tile(np.arange(rows), days)
    ssh = number // 2 + np.tile(np.linspace(-0.1, 0.1, rows), days)
    made.insert({"time": times, "cycle": (number // 2).astype("i2"), "ssh": ssh, "swh": ssh})
    size = days * rows * 2 * 8 / 2**20
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURED), f"file://{tmp_path}/large"],
        capture_output=True,
        text=True,
        check=True,
    )
    cycles, taken = map(int, done.stdout.split())
    assert (cycles, size) == (10, pytest.approx(46, abs=1))
    assert taken < size, f"{taken} MB of {size:.0f} MB"
