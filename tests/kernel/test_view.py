"""What a view is, reads and writes: made and found again, its rows always those of its base."""

import json
import pickle

import anyio
import computations
import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY

TIMES = [1, 3, 12, 25]
PATHS = tuple(f"sign=plus/quotient={quotient}" for quotient in (0, 1, 2))
FLAG = zc.VariableSchema("quality", dtype="int8", dimensions=("row",), fill_value=-1)
HEIGHT = zc.VariableSchema("height", dtype="float64", dimensions=("row",))


@pytest.fixture
def base(url):
    return samples.create(url, TIMES)


@pytest.fixture
def view(base):
    return zc.create_view(f"{base.store.url}-view", base=base, variables=[FLAG, HEIGHT])


def quality(dataset):
    return {"quality": dataset["time"].to_numpy() % 3}


def test_rows_are_the_bases_and_what_was_not_computed_is_fill(view):
    found = view.query()
    samples.assert_rows(found, TIMES)
    assert found["quality"].to_numpy().tolist() == [-1] * 4
    assert np.isnan(found["height"].to_numpy()).all()
    assert list(found.schema.all_variables()) == [
        *("time", "value", "swath", "angle", "quality", "height", "deep/er/flag")
    ]


def test_what_a_function_returns_is_read_beside_the_base(view):
    assert view.update(quality) == PATHS
    assert view.query()["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    assert view.query(filters="quotient == 0")["quality"].to_numpy().tolist() == [1, 0]
    assert view.query(filters="quotient == 7") is None


def test_variables_of_either_side_can_be_asked_for_alone(view):
    view.update(quality)
    assert list(view.query(variables=["quality"]).all_variables()) == ["quality"]
    assert view.query(variables=["quality"])["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    assert list(view.query(variables=["/deep/er/flag"]).all_variables()) == ["deep/er/flag"]
    assert list(view.query(variables=["angle"]).all_variables()) == ["angle"]
    both = view.query(variables=["quality", "time"])
    assert (both["time"].to_numpy() % 3 == both["quality"].to_numpy()).all()
    with pytest.raises(zc.SchemaError, match="variable 'qualty' is unknown;.*did you mean 'quality'"):
        view.query(variables=["qualty"])


def test_what_a_function_does_not_return_stays(view):
    view.update(quality)
    key = f"{PATHS[2]}/quality/c/0"
    before = view.store.data[key]
    view.update(lambda ds: {"height": ds["quality"].to_numpy() + ds["value"].to_numpy()})
    found = view.query()
    assert found["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    assert found["height"].to_numpy().tolist() == [2.25, 3.25, 12.25, 26.25]
    assert view.store.data[key] is before


def test_a_partial_update_leaves_fill_elsewhere(view):
    assert view.update(quality, filters="quotient == 1") == (PATHS[1],)
    assert view.query()["quality"].to_numpy().tolist() == [-1, -1, 0, -1]
    assert view.status() == zc.ViewStatus(current=(PATHS[1],), stale=(), missing=(PATHS[0], PATHS[2]), orphaned=())


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"qualty": np.zeros(1)}, "variable 'qualty' is unknown;.*did you mean 'quality'"),
        ({"value": np.zeros(1)}, "variable 'value' is unknown"),
        ({"quality": np.zeros(2, "int8")}, "returned 2 rows for partition 'sign=plus/quotient=1', and received 1"),
        ({"quality": np.zeros((1, 1), "int8")}, r"dimensions \('row',\) and received an array of shape \(1, 1\)"),
        ({"quality": np.array([0.5])}, "is declared int8 and received float64, which is not exact"),
        ({"quality": np.array([300])}, "the value np.int64\\(300\\) would change"),
        (3, "the update function returned a int .*accepted: a Dataset, or a mapping"),
    ],
)
def test_what_does_not_fit_raises_and_nothing_is_written(view, returned, message):
    with pytest.raises(zc.SchemaError, match=message):
        view.update(lambda ds: returned if ds["time"].to_numpy()[0] == 12 else quality(ds))
    assert view.status().missing == PATHS


def test_a_partition_that_changed_reads_as_fill_and_never_as_shifted_rows(base, view):
    view.update(quality)
    base.insert(samples.rows([2]), merge="append")
    found = view.query()
    samples.assert_rows(found, [1, 3, 2, 12, 25])
    assert found["quality"].to_numpy().tolist() == [-1, -1, -1, 0, 1]
    assert view.status().stale == (PATHS[0],)


def test_a_partition_of_the_same_length_with_other_rows_is_stale_too(base, view):
    view.update(quality)
    base.insert(samples.rows([13]))
    assert view.query()["quality"].to_numpy().tolist() == [1, 0, -1, 1]


def test_a_new_update_does_not_keep_what_was_computed_from_other_rows(base, view):
    view.update(lambda ds: {**quality(ds), "height": ds["value"].to_numpy()})
    base.insert(samples.rows([13]))
    view.update(quality)
    found = view.query()
    assert found["quality"].to_numpy().tolist() == [1, 0, 1, 1]
    np.testing.assert_array_equal(found["height"].to_numpy(), [1.25, 3.25, np.nan, 25.25])


def test_stale_chooses_what_becomes_of_what_is_not_current(view):
    view.update(quality, filters="quotient == 0")
    with pytest.raises(zc.StaleError, match=r"2 partitions of the view .*'sign=plus/quotient=1'.*update"):
        view.query(stale="error")
    assert view.query(stale="error", filters="quotient == 0")["quality"].to_numpy().tolist() == [1, 0]
    samples.assert_rows(view.query(stale="error", variables=samples.rows([])), TIMES)
    with pytest.raises(zc.SchemaError, match="has no computation; accepted: update"):
        view.query(stale="compute")
    with pytest.raises(zc.errors.SettingError, match="stale='fil'; accepted: 'fill', 'error', 'compute' .*'fill'"):
        view.query(stale="fil")


def test_nothing_is_read_of_a_lazy_query_before_it_is_asked_for(view):
    view.update(quality, filters="quotient != 1")
    found = view.query(lazy=True)
    assert found.is_lazy
    assert found["quality"].to_numpy().tolist() == [1, 0, -1, 1]
    samples.assert_rows(found, TIMES)
    assert found.isel(row=slice(1, 3))["quality"].to_numpy().tolist() == [0, -1]


def test_lazy_variables_of_what_has_changed_raise(base, view):
    view.update(quality)
    found = view.query(lazy=True, variables=["quality", "value"])
    view.update(lambda ds: {"quality": np.zeros(len(ds["time"]), "int8")})
    with pytest.raises(zc.ConflictError, match="changed by another writer"):
        found["quality"].to_numpy()
    missing = zc.create_view(f"{base.store.url}-other", base=base, variables=[FLAG])
    found = missing.query(lazy=True, variables=["quality"])
    missing.update(quality)
    with pytest.raises(zc.ConflictError, match="changed by another writer"):
        found["quality"].to_numpy()


def test_the_base_is_found_again(base, view):
    view.update(quality)
    opened = zc.open_view(str(view.store.url))
    assert opened.read_only
    assert str(opened.base.store.url) == str(base.store.url)
    assert opened.query()["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    with pytest.raises(zc.ReadOnlyError, match="open for reading; open it with mode='rw'"):
        opened.update(quality)
    with pytest.raises(zc.ReadOnlyError):
        opened.refresh()
    with pytest.raises(zc.ReadOnlyError):
        opened.base.drop_partitions(filters="True")


def test_a_reference_may_be_relative():
    base = samples.create("dict://here/base", TIMES)
    view = zc.View.create("dict://here/views/one", base=base, variables=[FLAG], reference="../../base")
    view.update(quality)
    document = json.loads(view.store.data["_zcollection.json"])
    assert document["view"]["base"] == "../../base"
    for key, data in view.store.data.items():
        fakes._DATA.setdefault("there/views/one", {})[key] = data
    for key, data in base.store.data.items():
        fakes._DATA.setdefault("there/base", {})[key] = data
    moved = zc.View.open("dict://there/views/one")
    assert str(moved.base.store.url) == "dict://there/base"
    assert moved.query()["quality"].to_numpy().tolist() == [1, 0, 0, 1]


def test_another_base_can_be_given(base, view):
    view.update(quality)
    copy = base.copy(f"{base.store.url}-copy")
    opened = zc.open_view(str(view.store.url), base=copy)
    assert opened.query()["quality"].to_numpy().tolist() == [-1] * 4, "it was not computed from that one"
    assert zc.open_view(str(view.store.url), base=str(base.store.url)).status().current == PATHS
    other = samples.create(f"{base.store.url}-other", TIMES, divisor=5)
    with pytest.raises(zc.SchemaError, match="was created for a base with the partitioning .*another view"):
        zc.open_view(str(view.store.url), base=other)


def test_a_view_is_no_collection_and_a_collection_no_view(base, view):
    with pytest.raises(zc.CollectionNotFoundError, match=r"there is a view at .*open_view\(\)"):
        zc.open_collection(str(view.store.url))
    with pytest.raises(zc.CollectionNotFoundError, match=r"there is a collection at .*open_collection\(\)"):
        zc.open_view(str(base.store.url))
    with pytest.raises(zc.CollectionNotFoundError, match="there is no collection"):
        zc.open_view("dict://nowhere")
    with pytest.raises(zc.SchemaError, match="the base is the view .*accepted: a collection"):
        zc.create_view(f"{base.store.url}-second", base=view, variables=[FLAG])
    with pytest.raises(zc.CollectionNotFoundError, match="there is a view at"):
        zc.create_view(f"{base.store.url}-second", base=str(view.store.url), variables=[FLAG])


def test_a_place_that_is_taken_is_refused_unless_it_is_to_be_replaced(base, view):
    view.update(quality)
    url = str(view.store.url)
    with pytest.raises(zc.CollectionExistsError):
        zc.create_view(url, base=base, variables=[FLAG])
    again = zc.create_view(url, base=base, variables=[FLAG], overwrite=True)
    assert again.status().missing == PATHS
    with pytest.raises(zc.SchemaError, match="the view would be stored at .*which is its base"):
        zc.create_view(str(base.store.url), base=base, variables=[FLAG], overwrite=True)
    samples.assert_rows(base.query(), TIMES)


def variable(name="new", **options):
    return zc.VariableSchema(name, **{"dtype": "float32", "dimensions": ("row",), **options})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"variables": [variable("value")]},
            "variable 'value', and so has its base; accepted: another name, or shadow",
        ),
        ({"variables": [variable("time")], "shadow": True}, "which orders or partitions the rows of its base"),
        ({"variables": [variable(dimensions=("x",))]}, r"dimensions \('x',\); accepted: 'row' among them"),
        ({"variables": [variable(dimensions=("row", "y"))]}, "dimension 'y' of variable 'new' is unknown"),
        ({"variables": [variable(dtype="int16")]}, "is int16 without a fill value"),
        ({"variables": []}, "the view has no variables; accepted: a sequence of VariableSchema"),
        ({"variables": ["value"]}, "a str among the variables"),
        ({"variables": {"other": variable()}}, "variable at 'other' has the name 'new'"),
        ({}, "exactly one of the two"),
        ({"variables": [variable()], "computation": computations.Twice()}, "exactly one of the two"),
        ({"computation": "twice"}, "computation is a str; accepted: a computation such as"),
        ({"computation": computations.Twice("valu")}, "variable 'valu' is unknown;.*did you mean 'value'"),
    ],
)
def test_what_does_not_fit_the_base_is_refused_and_creates_nothing(base, given, message):
    with pytest.raises(zc.SchemaError, match=message):
        zc.create_view("dict://refused", base=base, **given)
    assert "refused" not in fakes._DATA


def test_variables_may_lie_in_groups(base):
    schema = {"deep/er/quality": FLAG, "new/height": HEIGHT, "swathy": variable("swathy", dimensions=("row", "x"))}
    view = zc.create_view(f"{base.store.url}-view", base=base, variables=schema)
    view.update(lambda ds: {"deep/er/quality": ds["deep/er/flag"].to_numpy(), "swathy": ds["swath"].to_numpy() + 1})
    found = view.query()
    assert found["deep/er/quality"].to_numpy().tolist() == TIMES
    assert found["deep/er"].attrs == {"band": "Ku"}
    np.testing.assert_array_equal(found["swathy"].to_numpy(), found["swath"].to_numpy() + 1)
    assert np.isnan(found["new/height"].to_numpy()).all()


def test_times_and_fractions_have_a_fill_value_of_themselves(base):
    given = [variable("when", dtype="datetime64[s]"), variable("how", dtype="complex64"), variable("much")]
    found = zc.create_view(f"{base.store.url}-view", base=base, variables=given).query()
    assert np.isnat(found["when"].to_numpy()).all()
    assert np.isnan(found["how"].to_numpy()).all()
    assert found["much"].dtype == "float32"


def test_a_variable_that_is_shadowed_is_the_views(base):
    shadowing = [zc.VariableSchema("value", dtype="float64", dimensions=("row",), fill_value=-9)]
    view = zc.create_view(f"{base.store.url}-view", base=base, variables=shadowing, shadow=True)
    assert view.query()["value"].to_numpy().tolist() == [-9] * 4
    for _ in range(2):
        view.update(lambda ds: {"value": ds["value"].to_numpy() + 1})
    assert view.query()["value"].to_numpy().tolist() == [2.25, 4.25, 13.25, 26.25], "functions are given the base's"
    samples.assert_rows(base.query(), TIMES)


def test_a_variable_that_the_base_gains_later_under_the_same_name_does_not_matter(base, view):
    view.update(quality)
    base.add_variable(zc.VariableSchema("quality", dtype="int8", dimensions=("row",), fill_value=7))
    assert view.query()["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    assert base.query()["quality"].to_numpy().tolist() == [7] * 4


def test_an_update_sees_neighbours_of_both_sides(base, view):
    view.update(lambda ds: {"height": ds["value"].to_numpy() * 10})
    seen = []
    view.update(lambda ds: seen.append(ds["height"].to_numpy().tolist()) or {}, depth=1, filters="quotient == 1")
    assert seen == [[32.5, 122.5, 252.5]]
    view.update(lambda ds: {"height": computations.sums(ds["height"].to_numpy(), 2)}, depth=2)
    expected = computations.sums((np.array(TIMES) + 0.25) * 10, 2)
    np.testing.assert_array_equal(view.query()["height"].to_numpy(), expected)


def test_the_neighbours_of_an_update_make_it_stale(base, view):
    view.update(quality)
    view.update(lambda ds: {"height": computations.sums(ds["value"].to_numpy(), 1)}, depth=1)
    base.insert(samples.rows([26]))
    assert view.status().stale == PATHS[1:]
    view.update(quality)
    assert view.status().current == PATHS
    base.insert(samples.rows([13]))
    assert view.status().stale == PATHS[:2], "nothing of the sums is left in the last one, whose neighbour this is"


def test_variables_that_are_stored_once_make_what_read_them_stale(base, view):
    view.update(quality)
    base.insert({**samples.rows([25]), "angle": [1.0, 2.0]})
    assert view.status().stale == PATHS
    view.update(quality, variables=["time"])
    base.insert({**samples.rows([25]), "angle": [1.0, 3.0]}, immutable="replace")
    assert view.status().stale == (PATHS[2],), "the others did not read them"


def test_it_pickles_and_looks_like_itself(base, view):
    view.update(quality)
    again = pickle.loads(pickle.dumps(view))
    assert again == view
    assert hash(again) == hash(view)
    assert again.query() == view.query()
    assert view != zc.open_view(str(view.store.url))
    assert repr(view).splitlines() == [
        f"<zcollection.View {view.store.url} (read and write)>",
        f"    base:         {base.store.url}",
        "    axis:         time (dimension row)",
        "    variables:    quality, height",
        "    computed by:  update()",
    ]


def test_what_a_view_knows_of_itself(base, view):
    assert view.variables == ("quality", "height")
    assert view.computations == ()
    assert (view.axis, view.dimension, view.partitioning) == (base.axis, base.dimension, base.partitioning)
    assert view.partitions(filters="quotient > 0") == PATHS[1:]
    assert view.keys() == base.keys()
    assert [entry.operation for entry in view.history()] == ["create"]
    assert view.verify(data=True).is_clean
    assert view.repair().remaining == ()
    assert view.vacuum(older_than="0s").stages == 0


def test_its_document_says_what_it_is(base):
    view = zc.create_view(f"{base.store.url}-view", base=base, computation=computations.Twice(factor=3.0))
    document = json.loads(view.store.data["_zcollection.json"])
    assert document["kind"] == "view"
    (form,) = document["view"].pop("computations")
    assert (form["name"], form["configuration"]) == ("twice", {"variable": "value", "name": "twice", "factor": 3.0})
    assert document["view"] == {"base": str(base.store.url), "shadow": False}
    assert [item["name"] for item in document["layouts"][0]["variables"]] == ["twice"]
    assert "view" not in json.loads(base.store.data["_zcollection.json"])


def test_a_reference_holds_no_credentials():
    base = samples.create("dict://key:secret@host/base", TIMES)
    view = zc.create_view("dict://elsewhere/view", base=base, variables=[FLAG])
    document = view.store.data["_zcollection.json"]
    assert b"secret" not in document
    assert json.loads(document)["view"]["base"] == "dict://host/base"


def test_a_view_whose_plugin_is_missing_still_reads(base):
    view = zc.create_view(f"{base.store.url}-view", base=base, computation=computations.Twice())
    view.refresh()
    base.insert(samples.rows([13]))
    REGISTRY.unregister(Family.VIEW, "twice")
    try:
        opened = zc.open_view(str(view.store.url), mode="rw")
        np.testing.assert_array_equal(opened.query()["twice"].to_numpy(), [2.5, 6.5, np.nan, 50.5])
        assert opened.status().stale == (PATHS[1],)
        assert "twice" in repr(opened)
        with pytest.raises(zc.PluginError, match="'twice'"):
            opened.refresh()
        with pytest.raises(zc.PluginError, match="'twice'"):
            opened.query(stale="compute")
    finally:
        REGISTRY.register(computations.Twice)


def test_every_verb_has_an_asynchronous_twin(base):
    anyio.run(_use_all_verbs, base)


async def _use_all_verbs(base):
    view = await zc.aio.create_view(f"{base.store.url}-view", base=base, variables=[FLAG])
    assert await view.update_async(quality) == PATHS
    opened = await zc.aio.open_view(str(view.store.url))
    assert (await opened.query_async())["quality"].to_numpy().tolist() == [1, 0, 0, 1]
    assert (await opened.status_async()).is_current
    assert await opened.partitions_async() == PATHS
    assert await opened.keys_async() == base.keys()
