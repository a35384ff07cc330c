"""A collection partitioned in another way: the same rows, in the partitions that it would have had from the beginning."""

import asyncio
import contextlib
import warnings

import anyio
import fakes
import numpy as np
import pytest
import shapes
from attrs import frozen
from backends import Place
from effort import cases, examples
from hypothesis import given
from hypothesis import strategies as st
from interrupting import heard
from meddling import meddled
from zcollection_store_file.blocking import Files

import zcollection as zc
from zcollection.transaction.documents import CONFIGURATION

PARTITIONINGS = {
    "days": lambda: "date:D",
    "months": lambda: "date:M",
    "years": lambda: "date:Y",
    "hours": lambda: zc.partitioning.Date(("time",), resolution="h"),
    "cycles": lambda: zc.partitioning.Sequence(("cycle",)),
    "platforms": lambda: zc.partitioning.Values(("platform",)),
    "cycles of platforms": lambda: zc.partitioning.Values(("platform", "cycle")),
    "pairs of cycles": lambda: zc.partitioning.GroupedSequence(("cycle",), size=2),
}
DAYS = shapes.SEVEN_DAYS
SCATTERED = [np.random.default_rng(1).integers(0, 35 * 24, 60) * shapes.HOUR, np.arange(0, 20) * 40 * shapes.HOUR]


@pytest.fixture
def days(tmp_path):
    return shapes.create(str(tmp_path / "days"), "date:D", DAYS)


def reopened(collection, mode="r"):
    return zc.open_collection(str(collection.store.url), mode=mode)


def anew(url, partitioning, collection, times, **options):
    """Return a collection that was partitioned so from the beginning, with the same rows in the order of the time."""
    made = zc.create_collection(url, schema=collection.schema, axis="time", partitioning=partitioning, **options)
    made.insert(shapes.picked(shapes.deliver(times), shapes.in_order(collection.query())["number"]))
    return made


def assert_is_as_anew(collection, other, expected):
    assert reopened(collection).partitions() == other.partitions()
    assert reopened(collection).keys() == other.keys()
    assert collection.partitioning == other.partitioning
    shapes.assert_same(shapes.by_number(collection.query()), expected)
    shapes.assert_same(shapes.values(collection.query()), shapes.values(other.query()))
    assert shapes.stored(collection) == shapes.stored(other)
    assert collection.verify(data=True).is_clean
    assert collection.verify().notes == ()


@pytest.mark.parametrize(
    ("before", "after", "times"),
    [
        *(("days", after, DAYS) for after in PARTITIONINGS),
        *cases(
            ("months", "days", SCATTERED),
            ("cycles of platforms", "platforms", SCATTERED),
            thorough=[
                *(("months", after, SCATTERED) for after in PARTITIONINGS if after != "days"),
                *(("cycles of platforms", after, SCATTERED) for after in ("days", "pairs of cycles")),
            ],
        ),
    ],
)
def test_it_is_as_if_it_had_been_partitioned_so_from_the_beginning(before, after, times, tmp_path):
    collection = shapes.create(str(tmp_path / "one"), PARTITIONINGS[before](), times)
    other = anew(str(tmp_path / "other"), PARTITIONINGS[after](), collection, times)
    expected, size = shapes.by_number(collection.query()), sum(map(len, times))
    records = collection.records()
    report = collection.repartition(PARTITIONINGS[after]())
    assert (report.before, report.after, report.rows) == (len(records), len(other.partitions()), size)
    assert report.bytes_before == sum(record.stored_bytes for record in records.values())
    if before != after:
        assert set(report.written) == set(other.partitions())
        assert set(report.dropped) == records.keys() - set(report.written)
        assert report.bytes_after == sum(record.stored_bytes for record in collection.records().values())
        assert_is_as_anew(collection, other, expected)


NAMES = st.sampled_from(sorted(PARTITIONINGS))
TIMES = st.lists(
    st.lists(st.integers(0, 40 * 24).map(lambda hours: hours * shapes.HOUR), min_size=1, max_size=20),
    min_size=1,
    max_size=3,
)


@examples(25)
@given(names=st.lists(NAMES, min_size=2, max_size=3), times=TIMES)
def test_rows_of_any_times_in_any_order_are_gathered_from_any_partitions_into_others(names, times):
    collection = shapes.create("memory://gathered", PARTITIONINGS[names[0]](), times, overwrite=True)
    for name in names[1:]:
        other = anew("memory://gathered-anew", PARTITIONINGS[name](), collection, times, overwrite=True)
        expected = shapes.by_number(collection.query())
        if collection.repartition(PARTITIONINGS[name]()).written:
            assert_is_as_anew(collection, other, expected)


@pytest.mark.parametrize("name", cases("memory", "s3, obstore", "icechunk", thorough=["icechunk in memory"]))
def test_it_is_the_same_on_every_store(name, tmp_path, request):
    place = Place(name, tmp_path, request)
    collection = shapes.create(place.url, "date:D", DAYS, storage_options=place.options)
    before = shapes.values(collection.query())
    reader = zc.open_collection(place.url, storage_options=place.options)
    reader.query(variables=["time"])
    for partitioning, count in (("date:M", 3), ("date:D", 7), ("date:Y", 1), ("values:platform", 3), ("date:D", 7)):
        assert collection.repartition(partitioning).after == count
        for opened in (collection, zc.open_collection(place.url, storage_options=place.options)):
            assert len(opened.partitions()) == count
            shapes.assert_same(shapes.in_order(opened.query()), before)
        assert collection.verify(data=True).problems == ()
    reader.refresh()
    shapes.assert_same(shapes.in_order(reader.query()), before)
    assert [entry.operation for entry in collection.history()][-5:] == ["repartition"] * 5
    assert set(collection.changes(since=collection.history()[-2].version).dropped) == {
        "platform=ab",
        "platform=c%20d",
        "platform=e",
    }


def test_older_snapshots_are_read_as_they_were_partitioned(tmp_path, request):
    place = Place("icechunk", tmp_path, request)
    collection = shapes.create(place.url, "date:D", DAYS)
    collection.repartition("date:M")
    older = zc.open_collection(place.url, at=collection.history()[-2].version)
    assert len(older.partitions()) == 7
    shapes.assert_same(shapes.values(older.query()), shapes.values(collection.query()))


def test_those_who_hold_it_open_go_on(days):
    reader, writer = reopened(days), reopened(days, "rw")
    before = shapes.values(reader.query())
    rows = reader.find("number < 30")
    both = rows & reader.find("cycle == 6")
    lazy, scan = reader.query(lazy=True), reader.scan(variables=["number"], block_size=1)
    begun = iter(scan)
    next(begun)
    days.repartition("date:M")
    shapes.assert_same(shapes.values(reader.query()), before)
    assert reader.keys()[0] == {"year": 2000, "month": 1}
    assert reader.query(where=rows)["number"].to_numpy().tolist() == list(range(30))
    with pytest.raises(zc.errors.OutdatedError):
        reader.query(where=both)
    with pytest.raises(zc.errors.OutdatedError):
        lazy["number"].to_numpy()
    with pytest.raises(zc.ConflictError):
        next(begun)
    assert sum(len(part["number"]) for part in scan) == len(before["number"])
    with pytest.raises(zc.errors.ExpressionError, match=r"day.*year.*month"):
        reader.query(filters="day == 3")
    more = shapes.rows([29 * 24 * shapes.HOUR + 60], first=1000)
    assert [*writer.insert(more, merge="time_series")] == ["year=2000/month=01"]
    assert writer.delete("number == 1000").total == 1
    shapes.assert_same(shapes.values(days.query()), before)


def test_a_reader_sees_the_old_or_the_new(days):
    before = shapes.values(days.query())

    def meddle(number):
        if number in {1, 3}:
            days.repartition("date:M" if number == 1 else "date:D")

    shapes.assert_same(shapes.values(meddled(days, meddle).query()), before)


def test_what_others_change_meanwhile_is_gathered_again_and_nothing_else(days):
    other, calls = reopened(days, "rw"), []

    def meddle(done, total):
        calls.append((done, total))
        if len(calls) == 3:
            other.insert(shapes.rows([29 * 24 * shapes.HOUR + 60], first=1000), merge="time_series")

    report = days.repartition("date:M", progress=meddle)
    assert report.reused == 2, "January alone was changed"
    assert report.rows == len(DAYS[0]) + 1
    assert 1000 in days.query(filters="month == 1")["number"].to_numpy()
    assert days.verify(data=True).is_clean
    assert days.verify().notes == (), "no stage is left"


def test_one_of_two_who_do_the_same_finds_it_done(days):
    other = reopened(days, "rw")

    def meddle(done, total):
        if (done, total) == (2, 3):
            other.repartition("date:M")

    days.repartition("date:M", progress=meddle)
    assert [entry.operation for entry in days.history()] == ["create", "insert", "repartition"]
    assert days.verify(data=True).is_clean
    assert days.verify().notes == ()


def interrupted(collection, partitioning="date:M"):
    """Repartition a collection until two new partitions are staged."""

    async def cancelled():
        task = None

        def meddle(done, total):
            if (done, total) == (2, 3):
                loop.call_soon_threadsafe(task.cancel)
                heard()

        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(collection.repartition_async(partitioning, progress=meddle))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def stages(collection):
    return sorted({key.split("/")[2] for key in shapes.objects(collection.store, "_transactions/stage/")})


def test_what_was_interrupted_goes_on_where_it_was(days):
    before = shapes.values(days.query())
    interrupted(days)
    assert len(stages(days)) == 1
    assert len(days.partitions()) == 7
    report = days.repartition("date:M")
    assert report.reused >= 2
    assert stages(days) == []
    shapes.assert_same(shapes.values(reopened(days).query()), before)
    assert days.verify(data=True).is_clean


@pytest.mark.parametrize("damage", ["cut", "changed", "lost", "document"])
def test_what_is_not_whole_is_made_anew(days, damage):
    before = shapes.values(days.query())
    interrupted(days)
    for key, data in shapes.objects(days.store, "_transactions/stage/").items():
        if damage == "lost" and key.endswith("number/c/0"):
            anyio.run(days.store.delete, [key])
        elif damage in {"cut", "changed"} and key.endswith("number/c/0"):
            other = data[:-3] if damage == "cut" else data[:30] + bytes([data[30] ^ 1]) + data[31:]
            anyio.run(days.store.put, {key: other})
        elif damage == "document" and key.endswith("number/zarr.json"):
            anyio.run(days.store.put, {key: data.replace(b'"int64"', b'"int32"')})
    assert days.repartition("date:M").reused == 0
    shapes.assert_same(shapes.values(days.query()), before)
    assert days.verify(data=True).is_clean
    assert days.verify().notes == ()


def test_what_was_staged_from_other_rows_is_not_taken(days):
    interrupted(days)
    days.update(lambda rows: {"number": rows["number"].to_numpy() + 1000})
    before = shapes.values(days.query())
    assert days.repartition("date:M").reused == 0
    shapes.assert_same(shapes.values(days.query()), before)


def test_a_plan_of_nobody_is_passed_over(days):
    interrupted(days)
    (stage,) = stages(days)
    anyio.run(days.store.put, {f"_transactions/stage/{stage}/_plan": b"[1"})
    assert days.repartition("date:M").reused == 0


def test_a_vacuum_removes_what_was_left(days):
    interrupted(days)
    assert days.vacuum(older_than="1h").stages == 0
    assert days.vacuum(older_than="0s").stages == 1
    assert days.repartition("date:M").reused == 0


def test_a_failure_leaves_nothing(days):
    def fail(done, total):
        if total == 3:
            raise RuntimeError("mine")

    before = shapes.objects(days.store)
    with pytest.raises(RuntimeError, match="mine"):
        days.repartition("date:M", progress=fail)
    assert shapes.objects(days.store).keys() == before.keys()


def test_a_dry_run_says_what_would_be_and_writes_nothing(days):
    before = shapes.objects(days.store)
    report = reopened(days).repartition("date:M", dry_run=True)
    assert (report.before, report.after, report.rows) == (7, 3, len(DAYS[0]))
    assert report.written == ("year=2000/month=01", "year=2000/month=02", "year=2000/month=03")
    assert report.bytes_after is None
    assert shapes.objects(days.store) == before
    assert days.repartition("date:M").written == report.written


def test_the_same_partitioning_changes_nothing(days):
    version = days.history()[-1].version
    report = days.repartition("date:D")
    assert (report.before, report.after, report.written) == (7, 7, ())
    assert days.history()[-1].version == version


def test_a_collection_without_rows(tmp_path):
    collection = shapes.create(str(tmp_path), "date:D")
    assert collection.repartition("date:M").after == 0
    collection.insert(shapes.rows([0]))
    assert reopened(collection).partitions() == ("year=2000/month=01",)


@frozen
class Refusing(fakes.Quotient):
    """Refuses one number."""

    def keys(self, columns):
        if 27 in columns["number"]:
            message = "27 is refused"
            raise zc.errors.PartitionError(message)
        return super().keys(columns)


def test_it_is_refused_where_it_cannot_be(days, register):
    with pytest.raises(zc.errors.ReadOnlyError):
        reopened(days).repartition("date:M")
    with pytest.raises(zc.SchemaError, match="swath"):
        days.repartition(zc.partitioning.Sequence(("swath",)))
    with pytest.raises(zc.SchemaError, match="unknown"):
        days.repartition("values:nothing")
    register(Refusing, name="refusing")
    with pytest.raises(
        zc.errors.PartitionError, match=r"year=2000/month=02/day=02.*27 is refused.*nothing was written"
    ):
        days.repartition(Refusing(("number",)))
    assert len(reopened(days).partitions()) == 7
    assert days.verify().notes == ()


def test_variables_that_some_partitions_lack(tmp_path):
    schema = shapes.SCHEMA.without_variable("deep/flag").without_variable("packed")
    collection = shapes.create(str(tmp_path / "one"), "date:D", schema=schema)

    def insert(seconds, first, without=()):
        rows = shapes.rows(seconds, first=first)
        given = {path: item for path, item in rows.items() if path in collection.schema.all_variables()}
        collection.insert({path: item for path, item in given.items() if path not in without}, missing="fill")

    insert([0, 24 * shapes.HOUR], 0)
    collection.add_variable(shapes.SCHEMA.get_variable("deep/flag"), group="deep")
    collection.add_variable(shapes.SCHEMA.get_variable("packed"))
    insert([48 * shapes.HOUR], 2)
    insert([40 * 24 * shapes.HOUR], 3, without=["packed", "swath"])
    insert([70 * 24 * shapes.HOUR], 4)
    before = shapes.values(collection.query())
    collection.repartition("date:M")
    shapes.assert_same(shapes.values(reopened(collection).query()), before)
    records = collection.records()
    assert [record.absent for record in records.values()] == [(), ("packed", "swath"), ()]
    assert {record.layout for record in records.values()} == {2}
    assert collection.verify(data=True).is_clean
    collection.drop_variable("swath")
    collection.repartition("date:Y")
    assert "swath" not in reopened(collection).query().all_variables()
    assert collection.verify(data=True).is_clean


def test_packed_integers_keep_their_bits(days):
    """A float32 holds fewer digits than the integers that are stored: to unpack and to pack them again gives others."""

    def stored_integers():
        import zarr

        groups = (zarr.open_group(days.zarr(), path=path, mode="r") for path in days.partitions())
        return np.concatenate([group["packed"][:] for group in groups])

    before = stored_integers()
    days.repartition("date:M")
    np.testing.assert_array_equal(stored_integers(), before)


def test_other_tools_read_the_result(days):
    xarray = pytest.importorskip("xarray")
    before = days.query()
    days.repartition("date:M")
    parts = [
        xarray.open_zarr(days.zarr(), group=path, consolidated=False, chunks=None, zarr_format=3)
        for path in days.partitions()
    ]
    joined = xarray.concat(parts, dim="row", data_vars="minimal")
    for name in ("time", "number", "latitude"):
        np.testing.assert_array_equal(joined[name].values, before[name].to_numpy().astype(joined[name].dtype))
    import zarr

    root = zarr.open_group(days.zarr(), mode="r")
    with warnings.catch_warnings(action="ignore"):
        assert sorted(root["year=2000"].group_keys()) == ["month=01", "month=02", "month=03"]


def test_groups_that_led_to_old_partitions_are_gone(days):
    days.repartition("values:platform")
    assert not [key for key in shapes.objects(days.store) if key.startswith("year=")]
    days.repartition("date:M")
    assert not [key for key in shapes.objects(days.store) if key.startswith(("platform=", "year=2000/month=01/day="))]
    assert "year=2000/zarr.json" in shapes.objects(days.store)


@pytest.mark.parametrize("catalog_enabled", [True, False])
def test_a_catalog_from_before_is_read_with_the_log(tmp_path, catalog_enabled):
    collection = shapes.create(str(tmp_path), "date:M", DAYS, catalog_enabled=catalog_enabled)
    before, expected = shapes.objects(collection.store), shapes.values(collection.query())
    collection.repartition("date:D")
    if catalog_enabled:
        anyio.run(collection.store.put, {"_catalog/c/0": before["_catalog/c/0"]})
    found = reopened(collection)
    assert found.query(filters="day == 31 and month == 1")["time"].to_numpy()[1] == np.datetime64("2000-01-31T03")
    shapes.assert_same(shapes.values(found.query()), expected)
    assert collection.repair_catalog() == 7
    shapes.assert_same(shapes.values(reopened(collection).query()), expected)


def test_what_was_inserted_stays_known(tmp_path):
    collection = shapes.create(str(tmp_path), "date:D")
    collection.insert(shapes.rows([0, 100]), source="a")
    collection.repartition("date:M")
    assert reopened(collection).sources() == ("a",)
    assert len(collection.insert(shapes.rows([200]), source="a")) == 0
    assert collection.copy(str(tmp_path / "copy")).partitions() == ("year=2000/month=01",)


def test_a_dead_writers_place_above_partitions_is_cleared_beside_them(tmp_path, request):
    """On stores that publish by copying new partitions are written where they are to lie: above those that there are by then."""
    from bucket import BucketStore

    from zcollection.plugin import StoreURL

    store = anyio.run(lambda: BucketStore.open(StoreURL.parse(f"bucket://{request.node.name}"), mode="rw"))
    collection = shapes.create(store, "date:M", DAYS)
    stage, month = "0" * 31 + "1", "year=2000/month=05"
    anyio.run(
        collection.store.put,
        {
            f"_transactions/stage/{stage}/_in_place": b'["year=2000/month=05"]',
            f"{month}/time/zarr.json": b"{}",
            f"{month}/deep/flag/c/0": b"x",
        },
    )
    collection.repartition("date:D")
    collection.insert(shapes.rows([125 * 24 * shapes.HOUR], first=5000))
    assert f"{month}/day=05" in collection.partitions()
    before = shapes.values(collection.query())
    assert collection.vacuum(older_than="0s").stages == 1
    shapes.assert_same(shapes.values(collection.query()), before)
    assert not [key for key in store.bucket.objects if key.startswith((f"{month}/time", f"{month}/deep"))]
    assert collection.verify(data=True).is_clean


def test_a_configuration_is_not_put_back_by_an_older_version_that_waits_for_its_place(days, monkeypatch):
    publish_all = Files.publish_all

    def refusing(files, pairs):
        given = list(pairs)
        if any("month=02" in target for _, target in given):
            message = "in the way"
            raise zc.errors.StoreError(message)
        publish_all(files, given)

    before = shapes.values(days.query())
    monkeypatch.setattr(Files, "publish_all", refusing)
    with pytest.warns(zc.errors.PublicationWarning, match="in the way"):
        days.repartition("date:M")
    days.add_variable(zc.VariableSchema("new", dtype="int8", dimensions=("row",), fill_value=0))
    days.insert(shapes.rows([100 * 24 * shapes.HOUR], first=900), missing="fill")
    found = reopened(days)
    assert "new" in found.schema.all_variables()
    assert b'"new"' in shapes.objects(days.store)[CONFIGURATION]
    monkeypatch.undo()
    days.repair()
    days.drop_partitions(filters="month == 4")
    shapes.assert_same(shapes.values(reopened(days).query(variables=before)), before)
    assert days.verify(data=True).is_clean


def test_what_xarray_holds_open_is_never_of_other_rows(days):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zcollection_xarray")
    held = xarray.open_dataset(str(days.store.url), engine="zcollection", chunks=None)
    days.repartition("date:M")
    with pytest.raises(zc.errors.OutdatedError):
        held["number"].values.sum()
    again = xarray.open_dataset(str(days.store.url), engine="zcollection", chunks=None)
    np.testing.assert_array_equal(again["number"].values, days.query()["number"].to_numpy())
