"""Rows asked of views: by variables of the base, of the view and of both, wherever either lies, current or not."""

import computations
import numpy as np
import pytest
import samples
from backends import Place

import zcollection as zc
from zcollection.plugin import VariableSchema

TIMES = [*range(20), 33, 41]
PLACES = [("file", "file"), ("icechunk", "file"), ("memory", "icechunk"), ("s3, obstore", "memory")]
"""Where the base lies, and where the view."""


def where_twice(low, high):
    """Return the times whose doubled value lies between two bounds."""
    return [time for time in TIMES if low <= 2 * (time + 0.25) < high]


def times(dataset):
    return dataset["time"].to_numpy().tolist()


@pytest.fixture(params=PLACES, ids=" under ".join)
def view(request, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "view").mkdir()
    base, own = (Place(name, tmp_path / of, request) for name, of in zip(request.param, ("base", "view"), strict=True))
    collection = samples.create(base.url, TIMES, storage_options=base.options)
    return zc.create_view(
        own.url, base=collection, computation=computations.Twice(), storage_options=own.options
    ), collection


def test_variables_of_either_side_may_be_asked_for(view):
    view, _ = view
    view.refresh()
    for text, wanted in {
        "twice >= 10 and twice < 50": where_twice(10, 50),
        "twice >= 10 and value < 12": [time for time in where_twice(10, 99) if time + 0.25 < 12],
        "twice == value * 2 and quotient == 1": list(range(10, 20)),
        "flag == 3": [3],
        "twice > 1000": [],
    }.items():
        found = view.find(text)
        assert times(view.query(where=text)) == times(view.query(where=found)) == wanted
        assert times(view.query(where=text, lazy=True)) == times(view.query(where=found, lazy=True)) == wanted
        assert view.count(text) == len(found) == len(wanted)
        np.testing.assert_array_equal(
            view.query(where=text, variables=["twice"])["twice"].to_numpy(), 2 * (np.array(wanted) + 0.25)
        )
    assert times(view.query(where="twice < 50", filters="quotient == 2")) == []
    assert view.count() == len(TIMES)


def test_what_is_not_current_reads_as_fill_or_is_an_error_or_computed(view):
    view, base = view
    view.refresh()
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() + 100}, filters="quotient == 1")
    current = [time for time in TIMES if not 10 <= time < 20]
    assert times(view.query(where="twice > 0")) == current
    assert times(view.query(where="isnan(twice)")) == list(range(10, 20))
    assert view.count("twice > 0") == len(current)
    found = view.query(where="value > 110", stale="fill")
    assert times(found) == list(range(10, 20))
    assert np.isnan(found["twice"].to_numpy()).all()
    with pytest.raises(zc.errors.StaleError, match="quotient=1"):
        view.query(where="twice > 0", stale="error")
    assert times(view.query(where="twice > 0", filters="quotient != 1", stale="error")) == current
    computed = view.query(where="value > 5 and value < 115", stale="compute")
    assert times(computed) == [*range(5, 15), 33, 41]
    np.testing.assert_array_equal(computed["twice"].to_numpy(), 2 * computed["value"].to_numpy())
    with pytest.raises(zc.errors.SettingError, match="stale='compute'"):
        view.query(where="twice > 0", stale="compute")
    view.refresh()
    assert view.count("twice > 200") == 10


def test_rows_that_were_found_on_one_side_are_used_on_the_other(view):
    view, base = view
    view.refresh()
    of_base, of_view = base.find("value > 5 and value < 15"), view.find("value > 9")
    assert times(view.query(where=of_base)) == times(base.query(where=of_base)) == list(range(5, 15))
    np.testing.assert_array_equal(view.query(where=of_base)["twice"].to_numpy(), 2 * (np.arange(5, 15) + 0.25))
    assert times(base.query(where=of_view)) == times(view.query(where=of_view))
    assert times(base.query(where=of_base & of_view)) == list(range(9, 15))
    assert times(view.query(where=of_view - of_base)) == [*range(15, 20), 33, 41]


def test_rows_that_were_found_by_what_a_view_holds_are_found_again_once_that_is_another(view):
    view, base = view
    view.refresh()
    found = view.find("twice > 20")
    assert times(view.query(where=found)) == where_twice(20, 999)
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() * 0}, filters="quotient == 1")
    assert times(view.query(where=found)) == [33, 41]
    view.refresh()
    assert times(view.query(where=found)) == [33, 41]
    base.update(lambda dataset: {"value": dataset["value"].to_numpy() + 50}, filters="quotient == 1")
    view.refresh()
    assert times(view.query(where=found)) == [*range(10, 20), 33, 41]


def test_the_base_says_that_it_does_not_know_rows_of_the_view(view):
    view, base = view
    view.refresh()
    with pytest.raises(zc.ZCollectionError, match="twice"):
        base.query(where=view.find("twice > 20"))


def test_a_variable_that_shadows_is_the_views(tmp_path):
    base = samples.create(str(tmp_path / "base"), TIMES)
    value = VariableSchema("value", dtype="float64", dimensions=("row",), fill_value=np.nan)
    view = zc.create_view(str(tmp_path / "view"), base=base, variables=[value], shadow=True)
    view.update(lambda dataset: {"value": -dataset["value"].to_numpy()})
    assert times(view.query(where="value < -15")) == [*range(15, 20), 33, 41]
    assert view.count("value > 0") == 0
    assert times(base.query(where="value > 15")) == times(view.query(where=base.find("value > 15")))
    assert view.query(where=base.find("value > 40"))["value"].to_numpy().tolist() == [-41.25]


def test_an_asynchronous_view_and_chunks_give_the_same(tmp_path):
    pytest.importorskip("dask")
    base = samples.create(str(tmp_path / "base"), TIMES)
    view = zc.create_view(str(tmp_path / "view"), base=base, computation=computations.Twice())
    view.refresh()
    assert times(view.query(where="twice > 20", chunks={})) == where_twice(20, 999)
    assert times(view.query(where="twice > 2000", chunks={})) == []
