import contextlib
import datetime as dt
import uuid

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc


@pytest.fixture
def collection(url):
    return samples.create(url, [1, 12, 25])


def test_dropped_partitions_are_gone(collection):
    assert collection.drop_partitions(filters="quotient == 1") == ("sign=plus/quotient=1",)
    samples.assert_rows(collection.query(), [1, 25])
    assert not [key for key in collection.store.data if "quotient=1/" in key]


def test_everything_goes_only_when_said(collection):
    with pytest.raises(zc.ExpressionError, match="filters='True' drops every"):
        collection.drop_partitions()
    assert len(collection.drop_partitions(filters="True")) == 3
    assert collection.query() is None


def test_a_dropped_partition_may_come_back(collection):
    collection.drop_partitions(filters="quotient == 1")
    collection.insert(samples.rows([13]), merge="append")
    samples.assert_rows(collection.query(), [1, 13, 25])


class TestByAge:
    @pytest.fixture
    def collection(self, url):
        schema = (
            zc.Schema()
            .with_dimension("row")
            .with_variable("time", dtype="datetime64[s]", dimensions=("row",))
            .with_variable("number", dtype="int64", dimensions=("row",))
        )
        made = zc.create_collection(url, schema=schema, axis="time", partitioning=fakes.Quotient(("number",)))
        times = np.array(["2024-01-01", "2024-02-01", "2024-03-01"], dtype="datetime64[s]")
        made.insert({"time": times, "number": [0, 10, 20]})
        return made

    @pytest.mark.parametrize(
        "limit", ["2024-02-15", np.datetime64("2024-02-15"), dt.datetime(2024, 2, 15), dt.date(2024, 2, 15)]
    )
    def test_partitions_whose_last_row_is_older_go(self, collection, limit):
        assert len(collection.drop_partitions(older_than=limit)) == 2
        assert collection.query()["number"].to_numpy().tolist() == [20]

    def test_a_row_at_the_limit_stays(self, collection):
        assert len(collection.drop_partitions(older_than="2024-02-01")) == 1

    def test_an_age_counts_back_from_now(self, collection):
        recent = np.datetime64(dt.datetime.now(dt.UTC).replace(tzinfo=None), "s") - np.timedelta64(1, "h")
        collection.insert({"time": [recent], "number": [30]})
        assert len(collection.drop_partitions(older_than=dt.timedelta(days=1))) == 3
        assert len(collection.drop_partitions(older_than=np.timedelta64(1, "m"))) == 1

    def test_both_conditions_must_hold(self, collection):
        assert len(collection.drop_partitions(older_than="2024-02-15", filters="quotient == 1")) == 1

    def test_what_is_no_time_is_refused(self, collection):
        with pytest.raises(zc.ExpressionError, match="older_than='soon'"):
            collection.drop_partitions(older_than="soon")


def test_age_needs_an_axis_of_times(collection):
    with pytest.raises(zc.SchemaError, match="the axis 'time' is not a time"):
        collection.drop_partitions(older_than="2024-01-01")


class TestCopy:
    @pytest.fixture
    def target(self):
        return f"dict://{uuid.uuid4().hex}"

    def test_has_the_same_rows_and_is_independent(self, collection, target):
        collection.insert(samples.rows([31]) | {"angle": [1.0, 2.0]})
        copied = collection.copy(target)
        assert copied.query() == collection.query()
        assert copied.schema == collection.schema
        copied.drop_partitions(filters="True")
        assert len(collection.partitions()) == 4

    def test_may_be_of_some_partitions(self, collection, target):
        samples.assert_rows(collection.copy(target, filters="quotient > 0").query(), [12, 25])

    def test_can_be_inserted_into(self, collection, target):
        copied = collection.copy(target)
        copied.insert(samples.rows([13]), merge="append")
        samples.assert_rows(zc.open_collection(target).query(), [1, 12, 13, 25])

    def test_replaces_a_collection_only_when_asked_to(self, collection, target):
        samples.create(target, [77])
        with pytest.raises(zc.CollectionExistsError, match="overwrite=True"):
            collection.copy(target)
        samples.assert_rows(zc.open_collection(target).query(), [77])
        assert collection.copy(target, overwrite=True).query() == collection.query()

    def test_replaces_a_collection_as_one_change(self, collection, target):
        samples.create(target, [1, 2, 77, 155])
        collection.insert(samples.rows([31]) | {"angle": [1.0, 2.0]})
        copied = collection.copy(target, overwrite=True)
        assert [entry.operation for entry in copied.history()] == ["create", "insert", "copy"]
        samples.assert_rows(copied.query(), [1, 12, 25, 31])
        assert copied.verify(data=True).problems == ()
        assert zc.open_collection(target).query() == copied.query() == collection.query()

    def test_onto_itself_changes_no_row(self, collection):
        copied = collection.copy(collection.store.url.scheme + "://" + collection.store.url.location, overwrite=True)
        samples.assert_rows(copied.query(), [1, 12, 25])


@pytest.mark.parametrize("replace", ["create", "copy"])
def test_of_a_collection_that_is_replaced_nothing_remains_that_is_written_meanwhile(collection, replace):
    target = samples.create(f"dict://{uuid.uuid4().hex}", [5, 55])
    inserted = []

    class Meddled(fakes.DictStore):
        @contextlib.asynccontextmanager
        async def lock(self):
            if not inserted:
                inserted.append("once")
                await target.insert_async(samples.rows([91]))
            async with super().lock():
                yield

    store = Meddled(target.store.url, False)
    if replace == "copy":
        samples.assert_rows(collection.copy(store, overwrite=True).query(), [1, 12, 25])
    else:
        assert samples.create(store, overwrite=True).query() is None
    assert inserted
    assert zc.open_collection(target.store.url.scheme + "://" + target.store.url.location).verify().is_clean
