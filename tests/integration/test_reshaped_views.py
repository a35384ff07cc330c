"""A view whose base was partitioned or encoded anew says that it is stale, and a refresh makes it current."""

import numpy as np
import pytest
import shapes
from backends import Place

import zcollection as zc

DOUBLE = zc.computation.Expression({"double": "number * 2.0"})


@pytest.fixture(params=["memory", "icechunk"])
def place(request, tmp_path):
    return lambda of: Place(request.param, tmp_path / of, request).url


@pytest.fixture
def base(place):
    return shapes.create(place("base"), "date:D", shapes.SEVEN_DAYS)


@pytest.fixture
def view(base, place):
    made = zc.create_view(place("view"), base=base, computation=DOUBLE)
    made.refresh()
    return made


def again(view, mode="rw"):
    return zc.open_view(str(view.store.url), mode=mode, base=str(view.base.store.url))


def test_it_says_so_and_what_to_do(base, view):
    base.repartition("date:M")
    for opened in (view, again(view), again(view, "r")):
        status = opened.status()
        assert (status.current, status.stale) == ((), ())
        assert status.missing == base.partitions()
        assert len(status.orphaned) == 7
        assert opened.status(filters="month == 2").missing == ("year=2000/month=02",)
        with pytest.raises(
            zc.errors.StaleError, match=r"repartitioned from date.*resolution='D'.* to .*resolution='M'.*refresh\(\)"
        ):
            opened.query()
        with pytest.raises(zc.errors.StaleError):
            opened.find("double > 3")


def test_a_refresh_makes_it_current(base, view):
    base.repartition("date:M")
    stale = again(view)
    report = view.refresh()
    assert report.computed == base.partitions()
    assert len(report.dropped) == 7
    for opened in (view, stale, again(view, "r")):
        assert opened.status().is_current
        found = opened.query(stale="error")
        np.testing.assert_array_equal(found["double"].to_numpy(), found["number"].to_numpy() * 2.0)
    assert view.verify(data=True).problems == ()
    assert view.refresh().computed == ()
    base.repartition("date:D")
    assert len(again(view).refresh().computed) == 7


def test_partitions_of_the_same_paths_are_stale_too(place):
    base = shapes.create(place("base"), zc.partitioning.GroupedSequence(("cycle",), size=2), shapes.SEVEN_DAYS)
    view = zc.create_view(place("view"), base=base, computation=DOUBLE)
    view.refresh()
    base.repartition(zc.partitioning.GroupedSequence(("cycle",), size=4))
    assert view.refresh().computed == base.partitions()
    found = view.query(stale="error")
    np.testing.assert_array_equal(found["double"].to_numpy(), found["number"].to_numpy() * 2.0)


def test_what_update_wrote_is_to_be_written_again(base, place):
    note = zc.VariableSchema("note", dtype="int64", dimensions=("row",), fill_value=-1)
    view = zc.create_view(place("own"), base=base, variables=[note])
    view.update(lambda rows: {"note": rows["number"].to_numpy()})
    base.repartition("date:M")
    with pytest.raises(zc.errors.StaleError, match=r"refresh\(\) and then update\(\)"):
        view.update(lambda rows: {"note": rows["number"].to_numpy()})
    report = view.refresh()
    assert (len(report.dropped), report.waiting) == (7, base.partitions())
    view.update(lambda rows: {"note": rows["number"].to_numpy()})
    found = view.query(stale="error")
    np.testing.assert_array_equal(found["note"].to_numpy(), found["number"].to_numpy())


def test_other_codecs_make_it_stale_alone(base, view):
    base.rewrite(codecs="cloud-cold")
    assert len(view.status().stale) == 7
    assert np.isnan(view.query()["double"].to_numpy()).all()
    assert len(view.refresh().computed) == 7


def test_another_base_is_refused_still(base, view, place):
    other = shapes.create(place("other"), "date:M", shapes.SEVEN_DAYS)
    with pytest.raises(zc.SchemaError, match="was created for a base with the partitioning"):
        zc.open_view(str(view.store.url), base=other)
