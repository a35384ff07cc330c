"""Partitions written again with other codecs, chunks or shards: the same values, as they would have been stored so from the beginning."""

import asyncio
import contextlib

import numpy as np
import pytest
import shapes
import zarr
from backends import Place
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from interrupting import heard

import zcollection as zc

TIMES = [shapes.SEVEN_DAYS[0][:32]]
ZSTD = [{"name": "zstd", "configuration": {"level": 3, "checksum": True}}]


@pytest.fixture
def months(tmp_path):
    return shapes.create(str(tmp_path / "months"), "date:M", TIMES)


def assert_is_as_anew(collection, url, **options):
    """Assert that a collection is stored as one that had its schema from the beginning."""
    other = shapes.create(url, "date:M", TIMES, schema=collection.schema, **options)
    shapes.assert_same(shapes.values(collection.query()), shapes.values(other.query()))
    assert shapes.stored(collection) == shapes.stored(other)
    assert collection.verify(data=True).is_clean
    assert collection.verify().notes == ()


@pytest.mark.parametrize(
    "asked",
    [
        {"codecs": "cloud-cold"},
        {"codecs": {"packed": "none", "/deep/flag": ZSTD, "angle": ZSTD}},
        {"codecs": ZSTD, "chunks": 5},
        {"chunks": {"row": 64, "x": 3}},
        {"chunks": {"row": None}},
        {"chunks": {"row": 8}, "shards": {"row": 32}},
        {"chunks": {"row": 8, "x": 1}, "shards": 16},
    ],
    ids=str,
)
def test_it_is_as_if_it_had_been_stored_so_from_the_beginning(asked, months, tmp_path):
    before = months.records()
    report = months.rewrite(**asked)
    assert (report.before, report.after, report.written) == (2, 2, tuple(before))
    assert report.bytes_before == sum(record.stored_bytes for record in before.values())
    assert report.bytes_after == sum(record.stored_bytes for record in months.records().values())
    assert_is_as_anew(months, str(tmp_path / "other"))
    assert months.rewrite(**asked).written == ()
    assert months.rewrite().written == ()
    assert [entry.operation for entry in months.history()] == ["create", "insert", "rewrite"]
    for path in months.partitions():
        group = zarr.open_group(months.zarr(), path=path, mode="r")
        query = months.query(filters={"month": months.records()[path].key["month"]}, variables=["swath", "number"])
        np.testing.assert_array_equal(group["swath"][:], query["swath"].to_numpy())
        np.testing.assert_array_equal(group["number"][:], query["number"].to_numpy())


LENGTHS = st.one_of(st.none(), st.integers(1, 90))


@examples(15)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["balanced", "cloud-cold", "none"]), LENGTHS, st.integers(1, 3)),
        min_size=1,
        max_size=3,
    ),
)
def test_any_layout_after_any_other(steps):
    collection = shapes.create("memory://layouts", "date:M", TIMES, overwrite=True)
    for codecs, chunks, factor in steps:
        shards = None if chunks is None else {"row": chunks * factor}
        collection.rewrite(codecs=codecs, chunks={"row": chunks}, shards=shards or {"row": None})
        assert_is_as_anew(collection, "memory://layouts-anew", overwrite=True)


@pytest.mark.parametrize("name", ["memory", "s3, obstore", "icechunk"])
def test_it_is_the_same_on_every_store(name, tmp_path, request):
    place = Place(name, tmp_path, request)
    collection = shapes.create(place.url, "date:M", TIMES, storage_options=place.options)
    before = shapes.values(collection.query())
    for asked in ({"codecs": {"number": "cloud-cold"}}, {"chunks": 7}, {"shards": 21}):
        assert len(collection.rewrite(**asked).written) == 2
        opened = zc.open_collection(place.url, storage_options=place.options)
        shapes.assert_same(shapes.values(opened.query()), before)
        assert opened.schema == collection.schema
        assert collection.verify(data=True).problems == ()


def test_variables_that_stay_keep_their_bytes(months, tmp_path):
    key = "year=2000/month=01/number/c/0"
    inode = (tmp_path / "months" / key).stat().st_ino
    months.rewrite(codecs={"packed": "cloud-cold"})
    assert (tmp_path / "months" / key).stat().st_ino == inode
    assert_is_as_anew(months, str(tmp_path / "other"))


def test_packed_integers_keep_their_bits(months):
    def integers():
        groups = (zarr.open_group(months.zarr(), path=path, mode="r") for path in months.partitions())
        return np.concatenate([group["packed"][:] for group in groups])

    before = integers()
    months.rewrite(codecs="cloud-cold", chunks=3)
    np.testing.assert_array_equal(integers(), before)


def test_partitions_of_an_older_layout_become_as_they_would_be_now(months, tmp_path):
    months.add_variable(zc.VariableSchema("new", dtype="int16", dimensions=("row",), fill_value=3))
    months.insert(shapes.rows([100 * 24 * shapes.HOUR], first=500), missing="fill")
    before = shapes.values(months.query())
    assert months.rewrite(dry_run=True).written == ("year=2000/month=01", "year=2000/month=02")
    report = months.rewrite()
    assert report.written == ("year=2000/month=01", "year=2000/month=02")
    assert {record.layout for record in months.records().values()} == {1}
    assert months.records()["year=2000/month=01"].absent == ("new",)
    assert "new" in zarr.open_group(months.zarr(), path="year=2000/month=01", mode="r")
    shapes.assert_same(shapes.values(months.query()), before)
    assert months.verify(data=True).is_clean
    assert months.rewrite().written == ()


def test_a_dry_run_writes_nothing(months):
    before = shapes.objects(months.store)
    report = zc.open_collection(str(months.store.url)).rewrite(codecs="cloud-cold", dry_run=True)
    assert len(report.written) == 2
    assert report.bytes_after is None
    assert shapes.objects(months.store) == before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"codecs": "fast"}, "fast.*balanced"),
        ({"codecs": {"nothing": "balanced"}}, "nothing.*accepted.*time"),
        ({"codecs": [{"name": "nothing"}]}, "cannot be encoded"),
        ({"chunks": {"rows": 3}}, "rows.*did you mean 'row'"),
        ({"chunks": 0}, "at least 1"),
        ({"shards": 10}, "multiple of its chunks"),
    ],
    ids=str,
)
def test_it_is_refused_where_it_cannot_be(asked, message, months):
    version = months.history()[-1].version
    with pytest.raises(zc.SchemaError, match=message):
        months.rewrite(**asked)
    assert months.history()[-1].version == version


def test_what_was_interrupted_goes_on_where_it_was(tmp_path):
    days = shapes.create(str(tmp_path / "days"), "date:D", TIMES)
    before = shapes.values(days.query())

    async def interrupt():
        loop = asyncio.get_running_loop()
        task = None

        def meddle(done, total):
            if done == 2:
                loop.call_soon_threadsafe(task.cancel)
                heard()

        task = asyncio.ensure_future(days.rewrite_async(codecs="cloud-cold", progress=meddle))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(interrupt())
    assert days.schema == shapes.SCHEMA
    report = days.rewrite(codecs="cloud-cold")
    assert 2 <= report.reused <= len(report.written) == 4
    shapes.assert_same(shapes.values(days.query()), before)
    assert days.verify(data=True).is_clean
    assert days.verify().notes == ()


def test_what_others_insert_meanwhile_has_the_new_layout_too(months):
    other, calls = zc.open_collection(str(months.store.url), mode="rw"), []

    def meddle(done, total):
        calls.append(done)
        if len(calls) == 1:
            other.insert(shapes.rows([100 * 24 * shapes.HOUR], first=500))

    report = months.rewrite(codecs="cloud-cold", progress=meddle)
    assert len(report.written) == 3
    assert report.reused == 2
    assert {record.layout for record in months.records().values()} == {1}
    assert months.verify().notes == ()
