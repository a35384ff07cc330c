"""A collection partitioned and encoded anew on a cluster: what comes of it is what threads make, and the scheduler holds no rows."""

import pytest
import shapes

import zcollection as zc


@pytest.fixture(params=["file", "icechunk"])
def places(request, tmp_path):
    prefix = {"file": "", "icechunk": "icechunk://"}[request.param]
    return [f"{prefix}{tmp_path}/{name}" for name in ("one", "other")]


def test_it_is_what_threads_make(client, places):
    one, other = (shapes.create(place, "date:D", shapes.SEVEN_DAYS) for place in places)
    for partitioning in ("date:M", "values:platform", "date:D"):
        planned = one.repartition(partitioning, dry_run=True, client=client)
        report = one.repartition(partitioning, client=client)
        assert report.written == planned.written == other.repartition(partitioning).written
        shapes.assert_same(shapes.values(one.query()), shapes.values(other.query()))
    one.rewrite(codecs="cloud-cold", chunks=5, client=client)
    other.rewrite(codecs="cloud-cold", chunks=5)
    shapes.assert_same(shapes.values(one.query()), shapes.values(other.query()))
    assert one.records().keys() == other.records().keys()
    assert one.verify(data=True).problems == ()
    assert zc.open_collection(places[0]).schema == other.schema


def test_what_other_attempts_have_staged_on_a_cluster_is_found(client, tmp_path):
    collection = shapes.create(str(tmp_path), "date:D", shapes.SEVEN_DAYS)
    before, calls = shapes.values(collection.query()), []

    def meddle(done, total):
        calls.append((done, total))
        if calls[-1] == (1, 3) and calls.count((1, 3)) == 1:
            zc.open_collection(str(tmp_path), mode="rw").insert(
                shapes.rows([61 * 24 * shapes.HOUR + 60], first=1000), merge="time_series"
            )

    report = collection.repartition("date:M", client=client, progress=meddle)
    assert report.reused == 2
    found = shapes.values(collection.query(where="number < 1000"))
    shapes.assert_same(found, before)
    assert collection.verify(data=True).is_clean
    assert collection.verify().notes == ()
