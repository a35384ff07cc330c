"""Variables added to a collection and dropped from it, and what those notice who hold it open meanwhile."""

import json
import pickle
import warnings

import computations
import numpy as np
import pytest
import samples

import zcollection as zc

TIMES = [1, 3, 12, 25]
NEW = zc.VariableSchema("new", dtype="float32", dimensions=("row",), fill_value=np.float32("nan"))
COUNT = zc.VariableSchema("count", dtype="int16", dimensions=("row",))


@pytest.fixture(params=["catalog", "walk"])
def collection(request, url):
    return samples.create(url, TIMES, catalog_enabled=request.param == "catalog")


def reopen(collection, mode="rw"):
    return zc.open_collection(str(collection.store.url), mode=mode)


def test_a_new_variable_reads_as_fill_and_nothing_is_rewritten(collection):
    before = {key: data for key, data in collection.store.data.items() if key.startswith("sign=")}
    collection.add_variable(NEW)
    assert {key: data for key, data in collection.store.data.items() if key.startswith("sign=")} == before
    for held in (collection, reopen(collection)):
        found = held.query()
        samples.assert_rows(found, TIMES)
        assert found["new"].dtype == "float32"
        assert np.isnan(found["new"].to_numpy()).all()
    assert collection.verify(data=True).is_clean
    assert [entry.operation for entry in collection.history()] == ["create", "insert", "add variable"]


def test_a_function_computes_it_in_every_partition_and_all_others_keep_their_bytes(collection):
    key = "sign=plus/quotient=2/swath/c/0/0"
    before = collection.store.data[key]
    collection.add_variable(COUNT, lambda ds: ds["time"].to_numpy() * 10)
    assert collection.store.data[key] is before
    found = reopen(collection).query()
    samples.assert_rows(found, TIMES)
    assert found["count"].to_numpy().tolist() == [10, 30, 120, 250]
    assert collection.verify(data=True).is_clean


def test_a_function_may_see_neighbours_and_return_a_mapping(collection):
    collection.add_variable(
        NEW, lambda ds: {"deep/new": computations.sums(ds["time"].to_numpy(), 1).astype("f4")}, group="/deep", depth=1
    )
    assert collection.query()["deep/new"].to_numpy().tolist() == [4, 16, 40, 37]


def test_later_inserts_have_it(collection):
    collection.add_variable(NEW)
    collection.insert({**samples.rows([30]), "new": [5.0]})
    collection.insert({**samples.rows([2]), "new": [6.0]}, merge="append")
    collection.insert(samples.rows([40]), missing="fill")
    found = collection.query()
    np.testing.assert_array_equal(found["new"].to_numpy(), [np.nan, np.nan, 6, np.nan, np.nan, 5, np.nan])
    samples.assert_rows(found, [1, 3, 2, 12, 25, 30, 40])
    collection.update(lambda ds: {"new": ds["time"].to_numpy()}, filters="quotient < 2")
    assert collection.query(filters="quotient < 2")["new"].to_numpy().tolist() == [1, 3, 2, 12]
    assert collection.verify(data=True).is_clean


def test_an_update_of_a_partition_of_an_older_layout_shares_what_stays(collection):
    collection.add_variable(NEW)
    key = "sign=plus/quotient=2/swath/c/0/0"
    before = collection.store.data[key]
    collection.update(lambda ds: {"value": ds["value"].to_numpy() + 1})
    assert collection.store.data[key] is before
    assert np.isnan(collection.query()["new"].to_numpy()).all()
    assert collection.verify(data=True).is_clean


def test_nothing_remains_of_a_variable_that_was_dropped(collection):
    key = "sign=plus/quotient=2/swath/c/0/0"
    before = collection.store.data[key]
    collection.drop_variable("value")
    assert not [key for key in collection.store.data if "/value/" in key]
    assert collection.store.data[key] is before
    for held in (collection, reopen(collection)):
        found = held.query()
        assert list(found.all_variables()) == ["time", "swath", "angle", "deep/er/flag"]
        assert found["deep/er/flag"].to_numpy().tolist() == TIMES
    assert collection.records()["sign=plus/quotient=2"].axis_range == (25, 25)
    assert collection.verify(data=True).is_clean
    with pytest.raises(zc.SchemaError, match="variable 'value' is unknown"):
        collection.query(variables=["value"])


def test_a_variable_that_comes_back_under_an_old_name_is_another_one(collection):
    collection.drop_variable("value")
    collection.insert({path: values for path, values in samples.rows([40]).items() if path != "value"})
    collection.add_variable(zc.VariableSchema("value", dtype="int32", dimensions=("row", "x"), fill_value=-7))
    found = reopen(collection).query()
    assert found["value"].to_numpy().tolist() == [[-7, -7]] * 5
    collection.update(lambda ds: {"value": np.stack([ds["time"].to_numpy()] * 2, axis=1)}, filters="quotient == 1")
    assert collection.query(filters="quotient == 1")["value"].to_numpy().tolist() == [[12, 12]]
    assert collection.verify(data=True).is_clean


def test_variables_that_are_stored_once_come_and_go_too(collection):
    collection.insert({**samples.rows([25]), "angle": [1.0, 2.0]})
    collection.add_variable(zc.VariableSchema("width", dtype="float64", dimensions=("x",), fill_value=0.5))
    assert collection.query()["width"].to_numpy().tolist() == [0.5, 0.5]
    collection.insert({**samples.rows([25]), "width": [3.0, 4.0]})
    assert collection.query()["angle"].to_numpy().tolist() == [1.0, 2.0]
    collection.drop_variable("angle")
    found = reopen(collection).query()
    assert found["width"].to_numpy().tolist() == [3.0, 4.0]
    assert not [key for key in collection.store.data if "angle" in key and "_immutable" in key]
    assert collection.verify(data=True).is_clean
    with pytest.raises(zc.SchemaError, match="does not span 'row', and a function computes partitions"):
        collection.add_variable(zc.VariableSchema("b", dtype="f4", dimensions=("x",)), lambda ds: [1.0, 2.0])


@pytest.mark.parametrize(
    ("grow", "message"),
    [
        (
            lambda c: c.add_variable(zc.VariableSchema("value", dtype="f4", dimensions=("row",))),
            "there is a variable 'value'",
        ),
        (
            lambda c: c.add_variable(zc.VariableSchema("n", dtype="f4", dimensions=("y",))),
            "dimension 'y' of variable 'n'",
        ),
        (lambda c: c.add_variable(COUNT), "'count' has no fill value, and there are partitions that lack it"),
        (lambda c: c.add_variable("count"), "variable is a str; accepted: 'zcollection.VariableSchema'"),
        (lambda c: c.add_variable(COUNT, lambda ds: [1.5] * len(ds["time"])), "declared int16 and received float64"),
        (lambda c: c.add_variable(COUNT, lambda ds: {"other": 1}), "returned 'other'; accepted: the values of 'count'"),
        (lambda c: c.add_variable(COUNT, lambda ds: np.zeros(9, "i2")), "returned 9 rows for partition"),
        (lambda c: c.drop_variable("valu"), "variable 'valu' is unknown;.*did you mean 'value'"),
        (lambda c: c.drop_variable("time"), "variable 'time' is .*accepted: any other"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(collection, grow, message):
    before = {key: data for key, data in collection.store.data.items() if "_transactions" not in key}
    with pytest.raises(zc.SchemaError, match=message):
        grow(collection)
    assert {key: data for key, data in collection.store.data.items() if "_transactions" not in key} == before
    assert reopen(collection).schema == samples.SCHEMA or "new" not in reopen(collection).schema.all_variables()


def test_a_collection_opened_for_reading_does_not_grow(collection):
    for grow in (lambda c: c.add_variable(NEW), lambda c: c.drop_variable("value")):
        with pytest.raises(zc.ReadOnlyError):
            grow(reopen(collection, "r"))


def test_an_empty_collection_may_gain_what_must_be_given(url):
    collection = samples.create(url)
    collection.add_variable(COUNT)
    with pytest.raises(zc.SchemaError, match="'count' is missing from the dataset and has no fill value"):
        collection.insert(samples.rows([1]))
    collection.insert({**samples.rows([1]), "count": [4]})
    assert collection.query()["count"].to_numpy().tolist() == [4]


HELD = {
    "query": lambda c: c.query(),
    "partitions": lambda c: c.partitions(),
    "keys": lambda c: c.keys(),
    "map": lambda c: c.map(len),
    "verify": lambda c: c.verify(),
    "lazy": lambda c: c.query(lazy=True)["time"].to_numpy(),
    "plan": lambda c: c.plan(samples.rows([50]), missing="fill"),
    "insert": lambda c: c.insert(samples.rows([50]), missing="fill"),
    "update": lambda c: c.update(lambda ds: {"swath": ds["swath"].to_numpy() + 1}),
    "drop": lambda c: c.drop_partitions(filters="quotient == 0"),
    "repair": lambda c: c.repair(),
    "catalog": lambda c: c.repair_catalog(),
    "vacuum": lambda c: c.vacuum(older_than="0s"),
    "copy": lambda c: c.copy(f"{c.store.url}-copy"),
    "changes": lambda c: c.changes(since=0),
    "add": lambda c: c.add_variable(COUNT, lambda ds: ds["time"].to_numpy()),
}


@pytest.mark.parametrize("verb", HELD)
def test_who_holds_it_open_goes_on_with_the_schema_that_there_is(collection, verb):
    held = pickle.loads(pickle.dumps(reopen(collection)))
    collection.add_variable(NEW)
    HELD[verb](held)
    assert "new" in held.query().all_variables()
    collection = reopen(collection)
    collection.drop_variable("new")
    HELD["query"](held)
    assert "new" not in held.schema.all_variables()
    assert held.verify(data=True).is_clean


def test_who_holds_it_open_is_told_that_a_variable_is_gone(collection):
    held = reopen(collection)
    collection.drop_variable("value")
    with pytest.raises(zc.SchemaError, match="variable 'value' is unknown"):
        held.insert(samples.rows([50]))
    again = reopen(collection)
    lazily = again.query(lazy=True, variables=["swath"])
    collection.add_variable(NEW)
    assert lazily["swath"].to_numpy()[:, 0].tolist() == TIMES, "no partition was written"


def test_a_writer_in_the_middle_runs_again(collection):
    other, calls = reopen(collection), []

    def shift(dataset):
        calls.append(sorted(dataset.all_variables()))
        if len(calls) == 1:
            collection.add_variable(NEW)
        return {"value": dataset["value"].to_numpy() + 1}

    other.update(shift, filters="quotient == 2")
    assert len(calls) == 2
    assert ("new" in calls[0], "new" in calls[1]) == (False, True)
    assert other.query()["value"].to_numpy()[-1] == 26.25, "applied once"


def test_an_insert_meanwhile_makes_a_computing_growth_run_again(collection):
    done = []

    def compute(dataset):
        if not done:
            done.append(True)
            reopen(collection).insert(samples.rows([40]))
        return dataset["time"].to_numpy()

    collection.add_variable(COUNT, compute)
    assert collection.query()["count"].to_numpy().tolist() == [*TIMES, 40]


def test_a_reader_in_the_middle_sees_the_one_or_the_other(collection, monkeypatch):
    held, original = reopen(collection), type(collection.store).get
    done = []

    async def get(self, reads):
        answer = await original(self, reads)
        if not done and any("swath" in read.key for read in reads):
            done.append(True)
            await reopen_async(collection)
        return answer

    async def reopen_async(collection):
        other = await zc.aio.open_collection(str(collection.store.url), mode="rw")
        await other.drop_variable_async("value")

    monkeypatch.setattr(type(collection.store), "get", get)
    found = held.query()
    assert done
    assert "value" not in found.all_variables()
    assert found["time"].to_numpy().tolist() == TIMES


def test_a_growth_whose_writer_dies_after_the_commit_is_there(collection, monkeypatch):
    async def publish(*_, **__):
        raise zc.StoreError("the writer died")

    monkeypatch.setattr("zcollection.transaction.log.publication.publish", publish)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zc.PublicationWarning)
        collection.drop_variable("value")
    held = reopen(collection, "r")
    assert "value" not in held.schema.all_variables()
    assert held.query()["swath"].to_numpy()[:, 0].tolist() == TIMES
    monkeypatch.undo()
    reopen(collection).insert({path: v for path, v in samples.rows([50]).items() if path != "value"})
    assert '"name": "value"' not in json.dumps(json.loads(collection.store.data["_zcollection.json"])["layouts"][-1])
    assert reopen(collection).verify(data=True).is_clean


def test_a_copy_takes_every_layout_along(collection):
    collection.add_variable(NEW)
    collection.insert({**samples.rows([30]), "new": [5.0]})
    copy = collection.copy(f"{collection.store.url}-copy")
    assert copy.query() == collection.query()
    copy.add_variable(COUNT, lambda ds: ds["time"].to_numpy())
    assert reopen(copy).query()["count"].to_numpy().tolist() == [*TIMES, 30]
    assert copy.verify(data=True).is_clean


def test_a_collection_that_takes_the_place_of_one_that_grew_is_another(collection):
    collection.add_variable(NEW)
    held = reopen(collection)
    samples.create(str(collection.store.url), [7], overwrite=True)
    with pytest.raises(zc.CollectionNotFoundError, match="another collection was created"):
        held.query()
    fresh = reopen(collection)
    samples.assert_rows(fresh.query(), [7])
    fresh.add_variable(COUNT, lambda ds: ds["time"].to_numpy())
    assert reopen(fresh).query()["count"].to_numpy().tolist() == [7]


def test_a_view_goes_on_over_a_base_that_grows(collection):
    view = zc.create_view(f"{collection.store.url}-view", base=collection, computation=computations.Sum(reach=1))
    view.refresh()
    held = zc.open_view(str(view.store.url), mode="rw")
    reopen(collection).add_variable(NEW)
    assert held.status().is_current, "no rows were touched"
    assert "new" in held.query().all_variables()
    reopen(collection).drop_variable("value")
    with pytest.raises(zc.SchemaError, match="variable 'value' is unknown"):
        held.refresh()
    assert np.isnan(held.query()["sum"].to_numpy()).all()


def test_what_an_older_schema_does_not_know_is_looked_up_before_it_is_refused(collection):
    held = reopen(collection)
    collection.add_variable(NEW)
    held.insert({**samples.rows([50]), "new": [4.0]})
    assert reopen(collection, "r").query(variables=["new"])["new"].to_numpy()[-1] == 4
