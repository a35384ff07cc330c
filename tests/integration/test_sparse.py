"""Files of a terabyte that take no room, where documents and chunks should be: nobody makes room for what they claim."""

import os
from pathlib import Path

import numpy as np
import pytest

import zcollection as zc
from zcollection.contracts import objects
from zcollection.model import documents

resource = pytest.importorskip("resource", reason="Windows has no limit of memory to set")

TERABYTE = 2**40
ROWS = 50
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=ROWS)
    .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    .with_variable("plain", dtype="float64", dimensions=("time",), codecs=({"name": "bytes"},))
    .with_variable("packed", dtype="float64", dimensions=("time",))
    .build()
)


@pytest.fixture(autouse=True)
def _little_room(monkeypatch):
    """Let no document be large, and no allocation either: a terabyte is refused at once, and not tried."""
    for module in (documents, objects):
        monkeypatch.setattr(module, "LARGEST_DOCUMENT", 2**16)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**36, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def collection(tmp_path):
    made = zc.create_collection(
        f"file://{tmp_path}/c", schema=SCHEMA, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="Y")
    )
    for year in ("2023", "2024"):
        times = np.datetime64(f"{year}-01-01", "ns") + np.arange(ROWS)
        made.insert({"time": times, "plain": np.arange(ROWS) * 1.0, "packed": np.arange(ROWS) * 1.0})
    return made


def blow_up(collection, name):
    path = Path(collection.store.root, name)
    assert path.exists()
    os.truncate(path, TERABYTE)


def opened(collection):
    return zc.open_collection(str(collection.store.url), mode="rw")


@pytest.mark.parametrize("variable", ["plain", "packed", "time"])
def test_a_chunk_is_corrupt_and_named(collection, variable):
    blow_up(collection, f"year=2024/{variable}/c/0")
    named = rf"'year=2024', variable '{variable}': chunk '{variable}/c/0'.*more than \d+ bytes"
    for read in (
        lambda: opened(collection).query(),
        opened(collection).query(lazy=True)[variable].to_numpy,
        opened(collection).query(chunks={})[variable].to_numpy,
        lambda: opened(collection).map(lambda ds: 0),
    ):
        with pytest.raises(zc.CorruptionError, match=named):
            read()
    (problem,) = opened(collection).verify(data=True).problems
    assert (problem.partition, problem.variable, problem.chunk) == ("year=2024", variable, f"{variable}/c/0")
    with pytest.warns(zc.errors.CorruptionWarning, match="year=2024"):
        assert opened(collection).query(on_error="skip").sizes["time"] == ROWS


def test_a_configuration_is_corrupt_and_named(collection):
    blow_up(collection, "_zcollection.json")
    with pytest.raises(zc.CorruptionError, match=r"_zcollection.json of file://.* accepted: up to 65536"):
        opened(collection)


def test_a_record_is_corrupt_and_named(collection):
    blow_up(collection, "_transactions/log/00000000000000000002.json")
    with pytest.raises(zc.CorruptionError, match=r"version 2 .*accepted: up to 65536"):
        opened(collection).history()


@pytest.mark.parametrize(
    "name", ["zarr.json", "year=2024/zarr.json", "year=2024/time/zarr.json", "_transactions/zarr.json"]
)
def test_a_document_of_the_tree_is_found_and_mended(collection, name):
    blow_up(collection, name)
    (problem,) = opened(collection).verify().problems
    assert "is damaged: it has more bytes than a document may have" in problem.what
    assert opened(collection).repair().remaining == ()
    assert opened(collection).query().sizes["time"] == 2 * ROWS


def test_a_catalog_is_none_to_be_believed(collection):
    blow_up(collection, "_catalog/c/0")
    assert opened(collection).query().sizes["time"] == 2 * ROWS
    assert "missing or damaged" in str(opened(collection).verify().problems)
    opened(collection).repair()
    assert opened(collection).verify().is_clean


@pytest.mark.parametrize("name", ["_transactions/log/00000000000000000002.ok", "_transactions/lock"])
def test_a_mark_and_the_lock_are_there_whatever_they_hold(collection, name):
    blow_up(collection, name)
    again = opened(collection)
    again.insert({"time": [np.datetime64("2025-01-01", "ns")], "plain": [1.0], "packed": [1.0]})
    assert again.query().sizes["time"] == 2 * ROWS + 1


def test_a_copy_reads_none_of_it(collection, tmp_path):
    blow_up(collection, "year=2024/plain/c/0")
    with pytest.raises(
        zc.CorruptionError, match=r"'year=2024/plain/c/0' has \d+ bytes, and its partition is said to have"
    ):
        collection.copy(f"memory://{tmp_path}")
