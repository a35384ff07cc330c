"""A size that is not matched by what is stored is an error, before anything is made of it."""

import json
import tracemalloc
import zlib

import google_crc32c
import numpy as np
import pytest
import samples
from numcodecs import blosc
from numcodecs.zstd import Zstd

import zcollection as zc
from zcollection.transaction.index import catalog

USES = {
    "query": lambda collection: collection.query(),
    "lazy query": lambda collection: collection.query(lazy=True)["value"].to_numpy(),
    "map": lambda collection: collection.map(len),
    "update": lambda collection: collection.update(lambda dataset: {"value": dataset["value"].to_numpy()}),
    "insert": lambda collection: collection.insert(samples.rows([2]), merge="append"),
}


def say(collection, rows):
    """Let the catalog say that every partition has so many rows."""
    head, _, body = catalog._decode(collection.store.data["_catalog/c/0"]).partition(b"\n")
    value = json.loads(body)
    value["partitions"]["rows"] = [rows] * 2
    forged = json.dumps(value).encode()
    stated = json.loads(head) | {"checksum": zlib.crc32(forged)}
    collection.store.data["_catalog/c/0"] = catalog._encode(json.dumps(stated).encode() + b"\n" + forged)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("rows", [10**6, 10**13, 2**53, 2**63, 10**30])
def test_rows_that_cannot_be_there_are_an_error_at_once(url, use, rows):
    collection = samples.create(url, [1, 12])
    say(collection, rows)
    with pytest.raises(zc.CorruptionError):
        USES[use](zc.open_collection(collection.store, mode="rw"))


def test_they_are_reported_once_for_each_variable(url):
    collection = samples.create(url, [1, 12])
    say(collection, 10**5)
    found = [problem.what for problem in collection.verify(data=True).problems]
    assert sum("its record implies 14286 chunks" in what for what in found) == 2 * 4
    assert len(found) < 40


def sealed(content):
    return content + google_crc32c.value(content).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("variable", "profile", "content"),
    [
        ("text", "balanced", lambda: blosc.compress(b"\xff" * 64, b"lz4", 5, 1, 0)),
        ("text", "none", lambda: b"\xff" * 64),
        ("number", "balanced", lambda: blosc.compress(bytes(2**26), b"lz4", 5, 1, 0)),
        ("number", "zstd", lambda: Zstd(1).encode(bytes(2**26))),
    ],
)
def test_a_chunk_that_says_it_holds_too_much_is_an_error_before_room_is_made(url, variable, profile, content):
    codecs = (
        [{"name": "zstd", "configuration": {"level": 1}}, {"name": "crc32c"}]
        if profile == "zstd"
        else zc.codecs.profile(profile, checksum=True)
    )
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=4)
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("number", dtype="int64", dimensions=("row",), codecs=codecs)
        .with_variable("text", dtype="string", dimensions=("row",), codecs=codecs)
        .build()
    )
    collection = samples.create(url, schema=schema)
    collection.insert({"time": [1, 2], "number": [1, 2], "text": np.array(["a", "b"], dtype=np.dtypes.StringDType())})
    collection.store.data[f"sign=plus/quotient=0/{variable}/c/0"] = sealed(bytes(content()))
    tracemalloc.start()
    try:
        with pytest.raises(zc.CorruptionError, match=f"{variable}.*(instead of the|more than)"):
            collection.query(variables=[variable])
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
