"""``zcollection view`` says what Python says of a view, and computes what is not current."""

import json

import pytest

import zcollection as zc


@pytest.fixture
def view(collection, tmp_path):
    anomaly = zc.computation.Expression({"anomaly": "ssh - 1"}, dtype="float32")
    return zc.create_view(f"file://{tmp_path}/a-view", base=collection, computation=anomaly)


def test_status_tells_what_a_refresh_would_do(command, collection, view):
    url, days = str(view.store.url), collection.partitions()
    done = command("view", "status", url)
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        *(f"missing   {day}" for day in days),
        f"0 current, 0 stale, {len(days)} missing, 0 orphaned",
    ]
    view.refresh()
    collection.drop_partitions(filters=f"day == {int(days[0][-2:])}")
    found = json.loads(command("view", "status", url, "--json").out)
    assert found == {"current": list(days[1:]), "stale": [], "missing": [], "orphaned": [days[0]]}
    view.refresh()
    done = command("view", "status", url)
    assert (done.code, done.out) == (0, f"{len(days) - 1} current, 0 stale, 0 missing, 0 orphaned\n")


def test_refresh_computes_what_is_not_current(command, collection, view):
    url, days = str(view.store.url), collection.partitions()
    done = command("view", "refresh", url, "--filter", "day > 30")
    assert done.code == 0
    assert done.out.splitlines() == [f"computed  {days[1]}", "1 computed, 0 dropped"]
    assert json.loads(command("view", "refresh", url, "--json").out)["computed"] == [days[0], *days[2:]]
    assert command("view", "refresh", url).out == "0 computed, 0 dropped\n"
    assert len(json.loads(command("view", "refresh", url, "--all", "--json").out)["computed"]) == len(days)
    assert zc.open_view(url).status().is_current


def test_another_base_can_be_named(command, collection, view, tmp_path):
    view.refresh()
    copy = collection.copy(f"file://{tmp_path}/copied")
    done = command("view", "status", str(view.store.url), "--base", str(copy.store.url), "--json")
    assert done.code == 1
    assert json.loads(done.out)["stale"] == list(collection.partitions())


def test_a_view_without_a_computation_tells_what_waits(command, collection, tmp_path):
    new = zc.VariableSchema("new", dtype="float32", dimensions=("time",))
    view = zc.create_view(f"file://{tmp_path}/a-view", base=collection, variables=[new])
    done = command("view", "refresh", str(view.store.url))
    assert done.code == 1
    assert done.out.splitlines()[0] == f"waiting   {collection.partitions()[0]}"
    assert done.out.endswith("the view has no computation: compute the waiting partitions with View.update()\n")


def test_a_collection_is_no_view(command, url):
    done = command("view", "status", url)
    assert done.code == 1
    assert done.err.startswith("error: there is a collection at")
    assert "open_collection()" in done.err
