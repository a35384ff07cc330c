"""What is read of a store that commits by itself: nothing scales with the partitions that are not asked for."""

import uuid

import numpy as np
import pytest
from counting import counting
from zarr.storage import MemoryStore

import zcollection as zc
from zcollection.collection.filters import compile_filter, compile_prefix_filter

YEARS = {"year": [2022, 2023, 2024]}
DAY = 86_400 * 10**9
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=8)
    .with_variable("time", dtype="int64", dimensions=("time",))
    .with_variable("value", dtype="float64", dimensions=("time",))
    .build()
)


def days(numbers):
    numbers = np.asarray(numbers, dtype="int64")
    return {"time": numbers * DAY, "value": numbers * 0.5}


def created(count):
    """Return the URL of a collection of so many days, from 1970 on."""
    url = f"repository://{uuid.uuid4().hex}"
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=partitioning).insert(days(range(count)))
    return url


@pytest.fixture
def counted(monkeypatch):
    """Count what is read and listed."""
    return counting(monkeypatch, MemoryStore, lambda key: "get")


def beside_few_and_many(counted, operation):
    """Return what an operation costs on three months, and on six, of which the others concern nobody."""
    found = []
    for count in (90, 181):
        url = created(count)
        counted.clear()
        operation(url)
        found.append(dict(counted))
    return found


class TestNothingScalesWithOtherPartitions:
    @pytest.mark.parametrize(
        "filters", ["year == 1970 and month == 2 and day == 3", {"year": 1970, "month": [2], "day": range(3, 4)}]
    )
    def test_in_a_query(self, counted, filters):
        def query(url):
            found = zc.open_collection(url).query(filters=filters)
            assert found["value"].to_numpy().tolist() == [33 * 0.5]

        few, many = beside_few_and_many(counted, query)
        assert few == many
        assert few["list"] == 3
        assert few["get"] < 12

    def test_in_the_documents_that_a_query_by_a_function_reads(self, counted):
        def query(url):
            assert zc.open_collection(url).partitions(filters=lambda key: key["month"] < 3 and key["day"] == 9)

        few, many = beside_few_and_many(counted, query)
        assert few["get"] == many["get"] < 20

    def test_in_a_lazy_query(self, counted):
        def query(url):
            zc.open_collection(url).query(filters="year == 1970 and month == 2 and day == 3", lazy=True)

        few, many = beside_few_and_many(counted, query)
        assert few == many

    @pytest.mark.parametrize("merge", [None, "upsert"])
    def test_in_an_insert(self, counted, merge):
        def insert(url):
            zc.open_collection(url, mode="rw").insert(days([33, 34]), merge=merge)

        few, many = beside_few_and_many(counted, insert)
        assert few == many

    def test_in_a_plan(self, counted):
        def plan(url):
            assert not zc.open_collection(url).plan(days([33]), merge="upsert").created

        few, many = beside_few_and_many(counted, plan)
        assert few == many

    def test_in_an_update_without_a_halo(self, counted):
        def update(url):
            opened = zc.open_collection(url, mode="rw")
            opened.update(lambda rows: {"value": rows["value"].to_numpy() + 1}, filters="month == 2 and day == 3")

        few, many = beside_few_and_many(counted, update)
        assert few["get"] == many["get"]

    def test_in_a_map_without_a_halo(self, counted):
        def apply(url):
            opened = zc.open_collection(url)
            assert len(opened.map(len, filters={"year": 1970, "month": 2})) == 28
            assert opened.map(lambda rows: 1, filters="year == 1970 and month == 2", reduce=int.__add__) == 28

        few, many = beside_few_and_many(counted, apply)
        assert few == many

    def test_in_a_drop(self, counted):
        def drop(url):
            assert len(zc.open_collection(url, mode="rw").drop_partitions(filters="year == 1970 and month == 2")) == 28

        few, many = beside_few_and_many(counted, drop)
        assert few == many


def test_what_one_handle_has_read_it_does_not_read_again(counted):
    collection = zc.open_collection(created(40))
    first = collection.partitions(filters="month == 1")
    counted.clear()
    assert collection.partitions(filters="month == 1 and day < 9") == first[:8]
    assert counted == {"get": 1}, "the configuration"


def test_a_handle_that_knows_a_part_finds_the_rest():
    collection = zc.open_collection(created(100), mode="rw")
    january = collection.partitions(filters="month == 1")
    collection.insert(days([33]), merge="upsert")
    collection.insert(days([31 * 12 + 200]))
    collection.drop_partitions(filters="month == 2")
    assert collection.partitions(filters="month == 1") == january
    rest = collection.query()["value"].to_numpy() * 2
    assert rest.tolist() == [*range(31), *range(59, 100), 31 * 12 + 200]
    assert collection.partitions() == zc.open_collection(str(collection.store.url)).partitions()


def test_groups_of_others_are_passed_over():
    url = created(3)
    collection = zc.open_collection(url)
    repository = collection.store.repository
    for path in ("notes", "year=1970/notes", "year=1970/month=01/notes", "year=1970/month=01/day=77"):
        repository.snapshots[repository.tip][f"{path}/zarr.json"] = next(
            data for key, data in repository.snapshots[repository.tip].items() if key == "year=1970/zarr.json"
        )
    fresh = zc.open_collection(url)
    assert len(fresh.query(filters="year == 1970")["value"].to_numpy()) == 3
    assert len(fresh.query()["value"].to_numpy()) == 3


def test_damage_outside_of_the_selection_does_no_harm():
    url = created(40)
    collection = zc.open_collection(url)
    repository = collection.store.repository
    held = repository.snapshots[repository.tip]
    key = "year=1970/month=02/day=03/zarr.json"
    held[key] = type(held[key]).from_bytes(held[key].to_bytes().replace(b"rows", b"cows"))
    fresh = zc.open_collection(url)
    assert len(fresh.query(filters="month == 1")["value"].to_numpy()) == 31
    with pytest.raises(zc.CorruptionError, match=r"year=1970/month=02/day=03.*in snapshot \w+ of repository://"):
        fresh.query(filters="month == 2")


class TestNarrowing:
    """A filter asked of the beginnings of keys."""

    @pytest.mark.parametrize(
        ("filters", "left"),
        [
            ("year == 2024 and month == 3", [2024]),
            ("month == 3 and year < 2024", [2022, 2023]),
            ("month == 3", [2022, 2023, 2024]),
            ("year == 2024 or month == 3", [2022, 2023, 2024]),
            ("year * 100 + month > 202311", [2022, 2023, 2024]),
            ("month == 3 and 1 // (year - 2023) == 1", [2022, 2023, 2024]),
            ({"month": 3, "year": (2022, 2024)}, [2022, 2024]),
            (lambda key: key["month"] == 3, [2022, 2023, 2024]),
        ],
    )
    def test_keeps_what_a_selected_key_may_begin_with(self, filters, left):
        select = compile_prefix_filter(filters, ["year", "month"])
        assert [YEARS["year"][at] for at in select(YEARS)] == left

    def test_of_whole_keys_is_the_filter(self):
        keys = {"year": [2022, 2023, 2024], "month": [3, 3, 4]}
        for filters in ("year > 2022 and month == 3", {"year": 2022}):
            whole = compile_filter(filters, list(keys))
            assert list(compile_prefix_filter(filters, list(keys))(keys)) == list(whole(keys))
