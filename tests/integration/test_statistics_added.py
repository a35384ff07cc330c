"""Statistics made for partitions that have none: conditions read less, and nothing else is another."""

import zipfile
from pathlib import Path

import kept
import numpy as np
import pytest
import tracks
from meddling import meddled

import zcollection as zc

GOLDEN = Path(__file__).parents[1] / "golden"
ARCHIVES = sorted(path for path in GOLDEN.glob("*/*.zip") if path.parent.name < "2026.12.2")  # which first had them


def opened(url, mode="r"):
    return zc.open_collection(url, mode=mode)


@pytest.fixture(params=["file", "icechunk"])
def collection(request, tmp_path):
    """Return a collection as an older release wrote it."""
    url = {"file": f"{tmp_path}/collection", "icechunk": f"icechunk://{tmp_path}/repository"}[request.param]
    made = tracks.create(url, declared=False)
    made.insert(tracks.rows(np.random.default_rng(0), 4000))
    kept.lost(made)
    return made


def chunks(collection):
    """Return the chunks of all partitions, by key."""
    _, groups = kept.groups(collection)
    keys = [group.prefix + key for group in groups.values() for key in kept.form_of(collection, group).chunks]
    return kept.contents(collection, keys)


def read_for(folder, where):
    """Return the chunks that a question reads."""
    reader = meddled(opened(str(folder), "rw"), lambda _: None)
    reader.count(where)
    return [key for keys in reader.store.blocking.asked for key in keys if "/c/" in key]


def test_conditions_read_fewer_chunks(tmp_path):
    made = tracks.create(f"{tmp_path}/collection", declared=False)
    made.insert(tracks.rows(np.random.default_rng(0), 4000))
    kept.lost(made)
    before = read_for(tmp_path / "collection", "id < 100")
    assert len(before) == len([key for key in chunks(made) if "/id/" in key]) > 40
    made.add_statistics()
    assert read_for(tmp_path / "collection", "id < 100") == before
    made.add_statistics(["id"])
    assert len(read_for(tmp_path / "collection", "id < 100")) == 3  # those of the first 256 rows


def test_no_chunk_is_written_and_no_partition_changes(collection):
    written, records, answers = chunks(collection), collection.records(), tracks.answers(collection)
    reader = opened(str(collection.store.url))
    assert reader.count("id < 100") == 100
    collection.add_statistics(["id", "flag", "lag", "land", "height"])
    assert chunks(collection) == written
    assert collection.records() == records
    kept.assert_right(collection, exactly=True)
    for one in (collection, reader, opened(str(collection.store.url))):
        assert tracks.answers(one) == answers
        assert one.verify(data=True).is_clean
    declared = opened(str(collection.store.url)).schema.all_variables()
    assert {path for path, variable in declared.items() if variable.statistics} == {
        "id", "flag", "lag", "land", "height"
    }  # fmt: skip


def test_rows_that_were_found_before_are_still_those(collection):
    found = collection.find("flag == 2")
    collection.add_statistics(["flag"])
    assert collection.query(where=found)["id"].to_numpy().tolist() == tracks.answers(collection)[2]
    assert len(found & collection.find("land")) == collection.count("flag == 2 and land")


@pytest.mark.parametrize("after", range(4))
def test_what_was_interrupted_goes_on(collection, monkeypatch, after):
    monkeypatch.setattr("zcollection.collection.maintain.statistics._TOGETHER", 1)
    cls, left = type(collection._opened.versioning), [after]
    place = cls.place_statistics

    async def interrupted(*arguments):
        if not left[0]:
            raise InterruptedError
        left[0] -= 1
        await place(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "place_statistics", interrupted)
        with pytest.raises(InterruptedError):
            collection.add_statistics(["id"])
    there = [data is not None for data in kept.statistics(opened(str(collection.store.url))).values()]
    assert there == [True] * after + [False] * (4 - after)
    assert opened(str(collection.store.url)).count("id < 100") == 100
    opened(str(collection.store.url), "rw").add_statistics(["id"])
    kept.assert_right(opened(str(collection.store.url)), exactly=True)


def test_those_that_are_there_are_not_made_again(collection):
    collection.add_statistics(["id"])
    before = kept.statistics(collection), len(collection.history())
    reader = opened(str(collection.store.url), "rw")
    reader.add_statistics()
    assert (kept.statistics(collection), len(collection.history())) == before


@pytest.mark.parametrize("name", ["deep/swath", "name", "nothing"])
def test_what_cannot_have_them_is_refused_by_name(collection, name):
    before = len(collection.history())
    with pytest.raises(zc.SchemaError, match=f"{name}.*"):
        collection.add_statistics(["id", name])
    assert set(kept.statistics(collection).values()) == {None}
    assert len(collection.history()) == before
    assert not collection.schema.variables["id"].statistics
    with pytest.raises(zc.ReadOnlyError):
        opened(str(collection.store.url)).add_statistics(["id"])


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_collections_of_older_releases_get_them(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    collection = opened(f"file://{tmp_path}", "rw")
    files = [file for file in tmp_path.rglob("c/**/*") if file.is_file() and "_catalog" not in str(file)]
    written = {file: file.read_bytes() for file in files}
    records, dataset = collection.records(), collection.query()
    assert set(kept.statistics(collection).values()) == {None}
    assert collection.verify(data=True).is_clean
    collection.add_statistics()
    kept.assert_right(collection, exactly=True, later=True)
    assert all(file.read_bytes() == data for file, data in written.items())
    assert collection.records() == records
    again = opened(f"file://{tmp_path}")
    assert again.query() == dataset
    report = again.verify(data=True)
    assert report.is_clean
    assert not report.notes
    axis = dataset.get_variable(collection.axis).to_numpy()
    if axis.dtype.kind in "if":
        middle = int(np.median(axis))
        assert again.count(f"`{collection.axis}` >= {middle}") == (axis >= middle).sum()
