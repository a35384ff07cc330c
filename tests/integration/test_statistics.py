"""Statistics of partitions: there after any change, right for every row, and gone with what they are of."""

import uuid

import kept
import numpy as np
import pytest
import tracks
from backends import Place
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import VariableSchema

STEPS = (
    "insert",
    "concat",
    "time_series",
    "upsert",
    "update",
    "update rows",
    "delete",
    "copy",
    "add",
    "drop",
    "declare",
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(params=["file", "memory", "icechunk"])
def place(request, tmp_path):
    return Place(request.param, tmp_path, request)


@pytest.fixture
def collection(place):
    made = tracks.create(place.url, storage_options=place.options)
    made.insert(tracks.rows(rng(), 1200))
    return made


def done(collection, step, random):
    """Do one thing to a collection, and return the collection that there is after it."""
    first = int(random.integers(10**6))
    if step in {"insert", "concat", "time_series", "upsert"}:
        new = tracks.rows(random, 150, days=3, first=first)
        held = {name: values for name, values in new.items() if name in collection.schema.all_variables()}
        collection.insert(held, merge=None if step == "insert" else step, missing="fill")
    elif step == "update":
        collection.update(lambda dataset: {"id": dataset["id"].to_numpy() * 2 + 1}, filters="day != 2")
    elif step == "update rows":
        collection.update(lambda dataset: {"height": -dataset["height"].to_numpy()}, where="flag == 1")
    elif step == "delete":
        collection.delete("id % 5 == 0 or flag == 3 and day == 1")
    elif step == "copy":
        return collection.copy(f"{collection.store.url}{first}")
    elif step == "add":
        variable = VariableSchema(
            f"added{first}", dtype="float32", dimensions=("time",), fill_value=-9, statistics=True
        )
        fn = (lambda dataset: dataset["latitude"].to_numpy().astype("float32")) if first % 2 else None
        collection.add_variable(variable, fn)
    elif step == "drop":
        collection.drop_variable(next(name for name in reversed(collection.schema.variables) if name != "time"))
    elif step == "declare":
        collection.add_statistics(["latitude"])
    return collection


@examples(25)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4).filter(lambda steps: steps.count("drop") < 2),
    store=st.sampled_from(["memory", "icechunk+memory"]),
    checksum=st.booleans(),
    chunks=st.sampled_from([64, 97, 256, 700]),
    seed=st.integers(0, 2**32 - 1),
)
def test_after_any_history_they_hold_for_every_row_and_chunk(steps, store, checksum, chunks, seed):
    random = rng(seed)
    collection = tracks.create(f"{store}://{uuid.uuid4().hex}", chunks=chunks, checksum=checksum)
    collection.insert(tracks.rows(random, 900))
    for step in steps:
        collection = done(collection, step, random)
    kept.assert_right(collection)
    report = collection.verify(data=True)
    assert not report.problems
    assert not report.notes


@pytest.mark.parametrize("name", ["file", "s3, obstore"])
def test_they_are_written_and_copied_on_each_store_of_files_and_objects(name, tmp_path, request):
    place, random = Place(name, tmp_path, request), rng()
    collection = tracks.create(place.url, storage_options=place.options)
    collection.insert(tracks.rows(random, 600))
    for step in ("upsert", "update rows", "delete", "add"):
        done(collection, step, random)
    copy = collection.copy(f"{place.url}-copy", storage_options=place.options)
    for one in (collection, copy):
        kept.assert_right(one)
        assert one.verify(data=True).is_clean


def test_those_of_inserted_rows_are_exact(collection):
    kept.assert_right(collection, exactly=True)


def test_a_merge_keeps_bounds_of_chunks_that_it_does_not_write(collection):
    before = kept.loaded(collection, "year=2024/month=01/day=02").zones["id"]
    late = {name: values[..., -1:] for name, values in tracks.rows(rng(), 300, days=2, first=10_000).items()}
    late["time"] = np.array(["2024-01-02T23:59:30"], "M8[ns]")
    collection.insert(late, merge="upsert")
    after = kept.loaded(collection, "year=2024/month=01/day=02").zones["id"]
    assert after.upper[-1] == 10_299
    assert after.lower[0] == before.lower[0]
    assert after.upper[0] == before.upper[0]


def test_they_go_with_their_partition(collection):
    path = "year=2024/month=01/day=02"
    keys = [key for key in kept.statistics(collection) if key.startswith(path)]
    collection.drop_partitions(filters="day == 2")
    assert len(keys) == 1
    assert kept.contents(collection, keys) == {keys[0]: None}
    assert collection.count("flag == 2") == collection.count("flag == 2", filters="day != 2")


def test_an_older_generation_leaves_nothing_behind(collection):
    before = kept.statistics(collection)
    collection.insert(tracks.rows(rng(1), 800))
    collection.vacuum(older_than="0s")
    after = kept.statistics(collection)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    report = collection.verify(data=True)
    assert not report.notes
    assert report.is_clean


def test_a_copy_has_them_with_its_own_stamps(collection, place):
    copy = collection.copy(f"{place.url}-copy", storage_options=place.options)
    assert all(record.stamp != collection.records()[path].stamp for path, record in copy.records().items())
    kept.assert_right(copy, exactly=True)
    assert tracks.answers(copy) == tracks.answers(collection)
    report = copy.verify(data=True)
    assert report.is_clean
    assert not report.notes


def test_a_copy_leaves_out_those_that_are_not_of_what_is_copied(collection, place):
    kept.put(collection, dict.fromkeys(kept.statistics(collection), b"nothing of ours"))
    copy = collection.copy(f"{place.url}-copy", storage_options=place.options)
    assert set(kept.statistics(copy).values()) == {None}
    assert copy.verify(data=True).is_clean
    assert tracks.answers(copy) == tracks.answers(collection)


def test_rows_whose_values_are_all_missing_have_statistics_that_say_so(collection):
    collection.update(lambda dataset: {"latitude": np.full(dataset.sizes["time"], np.nan)}, filters="day == 3")
    assert kept.loaded(collection, "year=2024/month=01/day=03").zones["latitude"].empty.all()
    assert collection.count("latitude > -999", filters="day == 3") == 0
    assert collection.count("isnan(latitude)", filters="day == 3") == collection.count(filters="day == 3")


@pytest.mark.parametrize(
    "variable",
    [
        {"dtype": "float32", "dimensions": ("time", "x")},
        {"dtype": "string", "dimensions": ("time",), "fill_value": ""},
        {"dtype": "S3", "dimensions": ("time",)},
        {"dtype": "complex64", "dimensions": ("time",)},
    ],
    ids=lambda variable: f"{variable['dtype']} {variable['dimensions']}",
)
def test_variables_that_cannot_have_them_are_refused(variable):
    with pytest.raises(zc.SchemaError, match="'ssh.*statistics=True; accepted: variables of one dimension"):
        zc.Schema().with_dimension("time").with_dimension("x", size=2).with_variable("ssh", statistics=True, **variable)


def test_the_declaration_is_kept_by_documents(collection, place):
    schema = zc.Schema().with_dimension("time").with_variable("ssh", dtype="f4", dimensions=("time",), statistics=True)
    again = type(schema.build()).from_json(schema.build().to_json())
    assert again.variables["ssh"].statistics
    opened = zc.open_collection(place.url, storage_options=place.options)
    declared = {path for path, variable in opened.schema.all_variables().items() if variable.statistics}
    assert declared == {"id", "flag", "lag", "land", "height"}
    plain = tracks.create(f"memory://{uuid.uuid4().hex}", declared=False)
    plain.add_statistics(["id"])
    assert zc.open_collection(str(plain.store.url)).schema.variables["id"].statistics


def test_those_of_partitions_that_lack_a_variable_are_complete(collection):
    added = VariableSchema("added", dtype="float32", dimensions=("time",), fill_value=-9, statistics=True)
    collection.add_variable(added)
    collection.insert(tracks.rows(rng(1), 900), missing="fill")
    before = kept.statistics(collection)
    assert collection.repair().done == ()
    collection.add_statistics()
    assert kept.statistics(collection) == before
    assert collection.count("added == 1") == 0
    kept.assert_right(collection, exactly=True)
