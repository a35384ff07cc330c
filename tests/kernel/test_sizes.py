"""A size that is not matched by what is stored is an error, before anything is made of it."""

import json
import zlib

import pytest
import samples

import zcollection as zc
from zcollection.transaction import catalog

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
    say(collection, 10**6)
    found = [problem.what for problem in collection.verify(data=True).problems]
    assert sum("is said to have 142858 chunks" in what for what in found) == 2 * 4
    assert len(found) < 40
