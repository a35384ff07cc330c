"""A copy from any kind of store to any other is whole, atomic where it replaces a collection, and reads the same."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import entries
import pytest
from backends import BACKENDS, Place

import zcollection as zc


def test_a_collection_is_copied(source, target, tmp_path, request):
    here, there = Place(source, tmp_path / "here", request), Place(target, tmp_path / "there", request)
    collection = entries.create(here.url, storage_options=here.options)
    collection.insert(entries.rows(range(40)))
    collection.insert(entries.rows(range(30, 50)), merge="upsert")
    old = entries.create(there.url, storage_options=there.options)
    old.insert(entries.rows([500]))
    reader = zc.open_collection(there.url, storage_options=there.options)
    with pytest.raises(zc.CollectionExistsError):
        collection.copy(there.url, storage_options=there.options)
    with ThreadPoolExecutor(1) as thread:
        copying = thread.submit(collection.copy, there.url, overwrite=True, storage_options=there.options)
        seen = [1]
        while not copying.done():
            with suppress(zc.CollectionNotFoundError):  # it was replaced after it was opened
                seen.append(len(entries.read(fresh(there))))
        copying.result()
    assert set(seen) <= {1, 50}, "a reader saw part of the copy, or neither collection"
    assert seen == sorted(seen)
    assert entries.read(fresh(there)) == list(range(50))
    assert fresh(there).verify(data=True).problems == ()
    assert fresh(there).history()[-1].operation == "copy"
    assert reader.read_only


def fresh(place):
    return zc.open_collection(place.url, storage_options=place.options)


test_a_collection_is_copied.factors = {"source": list(BACKENDS), "target": list(BACKENDS)}
# A ring: each of them once as what is copied from, and once as what is copied to.
test_a_collection_is_copied.few = list(zip(BACKENDS, [*list(BACKENDS)[1:], next(iter(BACKENDS))], strict=True))
