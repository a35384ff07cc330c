"""What a question reads: the chunks that may decide, and then those with rows; and nothing of other partitions."""

from collections import Counter

import kept
import numpy as np
import pytest
import tracks
from bucket import BUCKETS, BucketStore
from meddling import meddled

import zcollection as zc
from zcollection import rows as asked

CHUNK = 512
BOX = asked.box(west=-20, south=-10, east=20, north=25)


JANUARY = 31 * 24 * 30
COUNT = JANUARY + 3 * CHUNK
CHUNKS = -(-JANUARY // CHUNK) + 3
"""Of each variable, in January and in February."""


def rows():
    """Return a track of one row in two minutes."""
    at = np.arange(COUNT)
    return {
        "time": tracks.START + (120 * at).astype("timedelta64[s]"),
        "latitude": 60 * np.sin(at / 1500),
        "longitude": ((at * 0.03) % 360 - 180).astype("float32"),
        "flag": (at % 7).astype("int8"),
        "swath": np.stack([at, at + 1]).astype("float32"),
    }


def created(url):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=CHUNK)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("latitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"})
        .with_variable("longitude", dtype="float32", dimensions=("time",), attrs={"units": "degrees_east"})
        .with_variable("flag", dtype="int8", dimensions=("time",))
        .with_variable("swath", dtype="float32", dimensions=("x", "time"))
    )
    made = zc.create_collection(
        url, schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="M")
    )
    made.insert(rows())
    return made


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return created(str(tmp_path_factory.mktemp("reads") / "collection"))


@pytest.fixture
def ask(collection):
    """Return a function that asks, and tells how many chunks of each variable were read."""

    def ask(where, **options):
        reader = meddled(zc.open_collection(str(collection.store.url), mode="rw"), lambda _: None)
        found = reader.query(where=where, **options)
        keys = [key for keys in reader.store.blocking.asked for key in keys if "/c/" in key]
        assert len(keys) == len(set(keys)), "no chunk is read twice"
        return found, Counter(key.split("/c/")[0].rpartition("/")[2] for key in keys), keys

    return ask


def test_of_a_time_range_the_axis_is_read_in_its_first_and_last_chunk(ask):
    found, counts, keys = ask("time >= '2024-01-03T05' and time < '2024-01-09T07:13'", variables=["flag"])
    first, last = (2 * 24 + 5) * 30, (8 * 24 + 7) * 30 + 7
    np.testing.assert_array_equal(found["flag"].to_numpy(), rows()["flag"][first:last])
    assert {int(key.rpartition("/")[2]) for key in keys if "/time/" in key} == {first // CHUNK, last // CHUNK}
    assert counts["flag"] == last // CHUNK - first // CHUNK + 1
    assert counts.keys() == {"time", "flag"}
    assert all("month=01" in key for key in keys), "the other partition is out of the question"


def test_of_other_variables_only_chunks_with_rows_are_read(ask):
    found, counts, keys = ask("flag == 3 and time < '2024-01-01T12'", variables=["swath"])
    assert found["swath"].shape[1] == sum(rows()["flag"][: 12 * 30] == 3)
    assert counts["swath"] == -(-12 * 30 // CHUNK)
    assert counts["flag"] == counts["swath"]
    assert len(keys) == counts.total()


def test_a_box_reads_at_most_three_times_the_chunks_with_rows(ask):
    _, counts, _ = ask(BOX, variables=["flag"])
    it = rows()
    inside = (np.abs(it["longitude"]) <= 20) & (it["latitude"] >= -10) & (it["latitude"] <= 25)
    number = np.concatenate([np.arange(JANUARY) // CHUNK, CHUNKS + np.arange(COUNT - JANUARY) // CHUNK])
    with_rows = np.unique(number[inside]).size
    assert 0 < with_rows < CHUNKS / 3
    assert counts["flag"] == with_rows
    assert with_rows <= counts["latitude"] <= 3 * with_rows
    assert with_rows <= counts["longitude"] <= 3 * with_rows


def test_what_nobody_knows_anything_of_is_read_whole_and_what_no_row_passes_not_at_all(ask):
    _, counts, _ = ask("flag == 9", variables=["swath"])
    assert counts == {"flag": CHUNKS}
    assert ask("latitude > 61", variables=["swath"])[1] == {}
    assert ask("latitude < 61", variables=["flag"])[1].keys() == {"flag"}, "all rows pass, without being looked at"


def requests_for(url, where):
    """Return the keys that are asked for to count the rows that pass, and to count all."""
    reader = zc.open_collection(url)
    reader.count()  # what is known of the newest version is known
    reader.store.bucket.requests.clear()
    reader.count(where)
    return [key for _, key in reader.store.bucket.requests]


@pytest.fixture
def bucket(register):
    register(BucketStore, name="bucket")
    yield created("bucket://rows")
    BUCKETS.clear()


def test_partitions_out_of_the_range_of_the_axis_cause_no_request(bucket):
    keys = requests_for("bucket://rows", "time >= '2024-01-20' and time < '2024-01-21'")
    assert not [key for key in keys if "month=02" in key]
    assert [key for key in keys if "month=01" in key]
    assert not [key for key in requests_for("bucket://rows", "time > '2025-01-01'") if "month=" in key]


def test_statistics_cost_one_request_for_each_partition(bucket):
    keys = requests_for("bucket://rows", "flag == 3")
    assert Counter(key.endswith("/_statistics") for key in keys if "month=" in key) == {True: 2, False: CHUNKS}
    kept.lost(bucket)
    without = requests_for("bucket://rows", "flag == 3")
    assert sorted(without) == sorted(keys)
    assert not [key for key in requests_for("bucket://rows", "month == 3") if "month=" in key]
