"""Older versions of a collection that was partitioned, or encoded, anew: read as they were, and put back."""

import numpy as np
import pytest
import segmenting
from effort import cases, every_value
from versions import create, place, rows

import zcollection as zc

KINDS = ("memory", "file", "bucket", "icechunk")


def seen(collection):
    found = collection.query()
    order = np.argsort(found["time"].to_numpy(), kind="stable")
    return [found[name].to_numpy()[order].tolist() for name in ("time", "value")], collection.partitions()


@pytest.mark.parametrize(("kind", "forms"), every_value(KINDS, [("date:M", "date:h"), ("date:h", "date:Y", "date:D")]))
def test_versions_before_and_after_a_repartition_read_as_they_were(kind, forms, tmp_path):
    made = create(place(kind, tmp_path), **({} if kind == "icechunk" else {"keep": 99}))
    made.insert(rows(range(0, 900, 29), 1))
    held = {made.history()[-1].version: seen(made)}
    for number, form in enumerate(forms):
        made.repartition(form)
        held[made.history()[-1].version] = seen(made)
        made.insert(rows(range(100 * number, 100 * number + 50, 3), number + 2), merge="upsert")
        held[made.history()[-1].version] = seen(made)
        made.drop_partitions(filters="month == 2" if form != "date:Y" else "year == 1971")
    for version, was in held.items():
        assert seen(zc.open_collection(made.store, at=version)) == was
    assert made.verify(data=True).is_clean
    first = next(iter(held))
    found = made.diff(first)
    assert set(made.partitions()) <= {item.path for item in found} | set(held[first][1])
    for version, was in held.items():
        made.rollback(version)
        assert seen(made) == was
        assert made.verify(data=True).is_clean
    for version, was in held.items():
        assert seen(zc.open_collection(made.store, at=version)) == was
    if kind != "icechunk":
        made.retain(1)
        made.vacuum(older_than="0s")
        assert seen(made) == was
        assert made.verify(data=True).is_clean


@pytest.mark.parametrize("kind", cases("memory", thorough=["bucket"]))
def test_versions_of_a_collection_in_segments_read_as_they_were(kind, tmp_path, monkeypatch):
    segmenting.patch(monkeypatch, size=4)
    made = create(place(kind, tmp_path), keep=99)
    held = {}
    for day in range(0, 60, 6):
        made.insert(rows(range(24 * day, 24 * day + 144, 5), day))
        held[made.history()[-1].version] = seen(made)
    made.update(lambda data: {"value": -data["value"].to_numpy()}, filters="day == 7")
    held[made.history()[-1].version] = seen(made)
    made.repartition("date:M")
    held[made.history()[-1].version] = seen(made)
    made.repartition("date:h")
    held[made.history()[-1].version] = seen(made)
    for version, was in held.items():
        assert seen(zc.open_collection(made.store, at=version)) == was
    for version in [*held][::4]:
        made.rollback(version)
        assert seen(made) == held[version]
    assert made.verify(data=True).is_clean


def test_a_rewrite_is_taken_back(tmp_path):
    made = create(f"{tmp_path}/c", keep=9)
    made.insert(rows(range(48), 1))
    before = made.schema
    made.rewrite(codecs="none", chunks={"time": 7})
    assert made.schema != before
    assert seen(zc.open_collection(made.store, at=1)) == seen(made)
    made.rollback(1)
    assert made.schema == before
    assert made.verify(data=True).is_clean
    assert seen(made) == seen(zc.open_collection(made.store, at=1))
