"""What statistics tell of chunks: one of another partition in the place of one, and one with values that they exclude."""

import kept
import numpy as np
import pytest
import tracks
from attrs import evolve
from backends import Place
from effort import every_value

from zcollection.conditions.zones import Zones

FIRST, SECOND = "year=2024/month=01/day=01", "year=2024/month=01/day=02"


STORES = ["file", "memory", "icechunk"]


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return Place(request.param, tmp_path, request).url


def created(url, **options):
    """Return a collection of two partitions of the same shape."""
    made = tracks.create(url, **options)
    for day in range(2):
        rows = tracks.rows(np.random.default_rng(day), 400, days=1, first=1000 * day)
        made.insert(rows | {"time": rows["time"] + np.timedelta64(day, "D")})
    return made


def swap(collection, chunk):
    """Let the two partitions have each other's chunk."""
    first, second = (f"{path}/{chunk}" for path in (FIRST, SECOND))
    found = kept.contents(collection, [first, second])
    assert None not in found.values()
    assert found[first] != found[second]
    kept.put(collection, {first: found[second], second: found[first]})


@pytest.mark.parametrize("checksum", [True, False], ids=["with crc32c", "without crc32c"])
@pytest.mark.parametrize("chunk", ["flag/c/1", "height/c/0", "name/c/2", "deep/swath/c/0/1"])
def test_a_whole_chunk_of_another_partition_is_found(url, checksum, chunk):
    collection = created(url, checksum=checksum)
    assert collection.verify(data=True).is_clean
    swap(collection, chunk)
    report = collection.verify(data=True)
    assert [(one.partition, one.chunk) for one in report.problems] == [(FIRST, chunk), (SECOND, chunk)]
    assert all("another partition" in one.what for one in report.problems)


def test_a_chunk_of_the_same_partition_in_a_wrong_place_is_found(url):
    collection = created(url)
    keys = [f"{FIRST}/flag/c/{number}" for number in (0, 1)]
    found = kept.contents(collection, keys)
    kept.put(collection, dict(zip(keys, reversed(found.values()), strict=True)))
    assert [one.chunk for one in collection.verify(data=True).problems] == ["flag/c/0", "flag/c/1"]


def test_a_chunk_of_an_older_generation_is_found(url):
    collection = created(url)
    old = kept.contents(collection, [f"{FIRST}/flag/c/2"])
    collection.update(lambda dataset: {"flag": dataset["flag"].to_numpy()[::-1].copy()}, filters="day == 1")
    kept.put(collection, old)
    report = collection.verify(data=True)
    assert [(one.partition, one.chunk) for one in report.problems] == [(FIRST, "flag/c/2")]


CHANGES = {
    "upper": ({"upper": lambda bounds: bounds - bounds.dtype.type(1)}, 1),
    "lower": ({"lower": lambda bounds: bounds + bounds.dtype.type(1)}, 1),
    "empty": ({"empty": np.ones_like}, 1),
    "missing": ({"missing": np.zeros_like}, 1),
    "wider": ({"upper": lambda bounds: bounds + bounds.dtype.type(1)}, 0),
    "unknown": ({"known": np.zeros_like, "upper": np.zeros_like}, 0),
}


@pytest.mark.parametrize(("url", "change"), every_value(STORES, CHANGES), indirect=["url"])
def test_statistics_that_exclude_values_are_found(url, change):
    changed, partitions = CHANGES[change]
    collection = created(url)
    known = kept.loaded(collection, FIRST)
    names = ("lower", "upper", "missing", "empty", "known")
    zones = {name: getattr(known.zones["flag"], name) for name in names}
    zones |= {name: change(zones[name]) for name, change in changed.items()}
    _, groups = kept.groups(collection)
    form = kept.form_of(collection, groups[FIRST])
    wrong = evolve(known, zones={**known.zones, "flag": Zones(**zones)}).dump(form)
    kept.put(collection, {f"{FIRST}/{form.key}": wrong})
    found = {(one.partition, one.variable) for one in collection.verify(data=True).problems}
    assert found == ({(FIRST, "flag")} if partitions else set())
    # Which of both is wrong nobody knows: a repair does not make the one fit the other.
    assert collection.repair().remaining == ()
    assert (kept.statistics(collection)[f"{FIRST}/{form.key}"] == wrong) is ("known" not in changed)
    assert {(one.partition, one.variable) for one in collection.verify(data=True).problems} == found
    kept.put(collection, {f"{FIRST}/{form.key}": b"nothing"})
    collection.repair()
    assert collection.verify(data=True).is_clean
