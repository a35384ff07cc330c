"""How many requests operations send to object storage, counted by the proxy in front of it."""

from collections import Counter

import numpy as np
import pytest
import samples
from markup import texts_of

import zcollection as zc

NAMES = ["time", *(f"v{number}" for number in range(7))]
SCHEMA = zc.Schema().with_dimension("row", chunks=100)
for name in NAMES:
    SCHEMA = SCHEMA.with_variable(name, dtype="int64" if name == "time" else "float64", dimensions=("row",))


def rows(times):
    return {name: np.asarray(times, dtype="int64" if name == "time" else "float64") for name in NAMES}


@pytest.fixture
def created(proxy, request):
    """Return a function that makes a collection of so many partitions of eight variables, and forgets how."""

    def create(partitions):
        url, options = f"s3://bucket/{request.node.name}-{partitions}", proxy.storage_options
        collection = samples.create(url, schema=SCHEMA.build(), storage_options=options)
        collection.insert(rows(np.arange(partitions * 10)))
        proxy.forget()
        return collection

    return create


def counted(proxy):
    counts = Counter(kind for kind, _ in proxy.proxy.requests)
    keys = [key for _, key in proxy.proxy.requests]
    proxy.forget()
    return counts, keys


def test_opening_and_reading_one_partition_costs_its_chunks_and_five_more(created, proxy):
    found = []
    for partitions in (5, 15):
        collection = created(partitions)
        url, options = str(collection.store.url), proxy.storage_options
        opened = zc.open_collection(url, storage_options=options)
        assert opened.query(filters="quotient == 3")["v6"].to_numpy().tolist() == list(range(30, 40))
        counts, keys = counted(proxy)
        records = sum(key.endswith(".json") and "/log/" in key for key in keys)
        chunks = sum("/c/" in key and "_catalog" not in key for key in keys)
        assert chunks == len(NAMES)
        assert counts.total() <= chunks + 5 + records
        found.append(counts)
    assert found[0] == found[1], "nothing scales with the partitions that are not selected"


def test_a_collection_shows_how_many_partitions_there_were_without_asking(created, proxy):
    collection = created(5)
    opened = zc.open_collection(str(collection.store.url), storage_options=proxy.storage_options)
    proxy.forget()
    assert "    partitions:    5 (version 1)" in repr(opened).splitlines()
    assert counted(proxy)[0].total() == 0
    assert {"partitions:", "5 (version 1)"} <= set(
        texts_of(opened._repr_html_())
    )  # which also asks for the last versions
    collection.insert(rows([1000]))
    assert "5 (version 1)" in repr(opened), "and says of which version that is"
    assert opened.query() is not None
    assert "6 (version 2)" in repr(opened)


def test_an_insert_into_one_partition_costs_the_same_beside_few_and_many(created, proxy):
    found = []
    for partitions in (5, 15):
        created(partitions).insert(rows(np.arange(30, 40)), merge="append")
        found.append(counted(proxy)[0])
    assert found[0] == found[1]


def test_unchanged_chunks_are_copied_on_the_server_and_not_sent(created, proxy):
    collection = created(5)
    collection.update(lambda dataset: {"v3": dataset["v3"].to_numpy() + 1}, filters="quotient == 3")
    sent = [
        key
        for kind, key in proxy.proxy.requests
        if kind in {"PUT", "CREATE"} and "/c/" in key and "_catalog" not in key
    ]
    assert [key.rpartition("quotient=3/")[2] for key in sent] == ["v3/c/0"]


def test_each_object_of_new_partitions_is_sent_once_and_none_is_copied(proxy, request):
    url, partitions = f"s3://bucket/{request.node.name}", 60
    collection = samples.create(url, schema=SCHEMA.build(), storage_options=proxy.storage_options)
    proxy.forget()
    collection.insert(rows(np.arange(partitions * 10)))
    counts, keys = counted(proxy)
    objects = {key for key in keys if "/sign=plus/quotient=" in key and "/_transactions/" not in key}
    assert len(objects) == partitions * (2 * len(NAMES) + 2)  # the document and the statistics of each
    assert counts["COPY"] == 0
    assert counts["PUT"] + counts["CREATE"] <= len(objects) + partitions + 40
    assert counts.total() <= len(objects) + 2 * partitions + 50
