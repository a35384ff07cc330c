"""The statistics of partitions as they lie in a store, and what NumPy finds in the partitions themselves."""

import anyio
import google_crc32c

from zcollection import portal
from zcollection.collection import partition_groups
from zcollection.engine.statistics import ZONE, Form, Statistics
from zcollection.plugin import Read, TransactionalStore
from zcollection.transaction.native.zarr_objects import SessionObjects


def groups(collection):
    """Return the objects of the newest version, and where each partition lies among them."""

    async def look():
        opened = await collection._opened.reloaded()
        taken = await opened.snapshot()
        found = {
            path: partition_groups.group_of(opened, path, record, taken.place(path))
            for path, record in taken.partitions.items()
        }
        return taken.objects, found

    return anyio.run(look)


def form_of(collection, group):
    return Form.of_group(group, dimension=collection.dimension)


def contents(collection, keys):
    """Return the bytes of objects, None where there is none."""
    objects, _ = groups(collection)

    async def get():
        return await objects.get([Read(key) for key in keys])

    return dict(zip(keys, portal.run(get), strict=True))


def statistics(collection):
    """Return the bytes of the statistics of every partition by their keys, None where there are none."""
    _, found = groups(collection)
    keys = [group.prefix + form_of(collection, group).key for group in found.values()]
    return contents(collection, keys)


def put(collection, objects):
    """Put bytes in the place of some of a collection, as whoever damages it would; None removes an object."""
    there = {key: data for key, data in objects.items() if data is not None}
    gone = [key for key, data in objects.items() if data is None]

    async def change():
        store = collection._opened.store
        if not isinstance(store, TransactionalStore):
            await store.delete(gone)
            await store.put(there)
            return
        session = await store.begin()
        await SessionObjects(session).delete(gone)
        await SessionObjects(session).put(there)
        await session.commit("by hand", {})

    portal.run(change)


def zarr(collection):
    """Return the collection as zarr-python and xarray take it."""
    store = collection.store
    if not isinstance(store, TransactionalStore):
        return store.zarr

    async def snapshot():
        return await store.snapshot(await store.current())

    return portal.run(snapshot)


def lost(collection):
    """Remove all statistics."""
    put(collection, dict.fromkeys(statistics(collection)))


def loaded(collection, path):
    """Return what the statistics of a partition say; None where they are not believed."""
    _, found = groups(collection)
    group = found[path]
    data = statistics(collection)[group.prefix + form_of(collection, group).key]
    return Statistics.load(data, group, dimension=collection.dimension)


def is_missing(values, fill):
    missing = values != values
    return missing if fill is None or fill != fill else missing | (values == fill)


def assert_right(collection, *, exactly=False, later=False):
    """Assert that statistics are there of every zone of every partition, hold for its rows, and that checksums are the chunks'.

    Of chunks that do not end with their checksum, those that were made `later` than the chunks know none.
    """
    objects, found = groups(collection)
    for path, group in found.items():
        form, known = form_of(collection, group), loaded(collection, path)
        assert known is not None, f"no statistics of {path}"
        held = [name for name in form.zoned if name not in group.absent]
        assert known.is_complete(held, form, group.absent), f"not all of {path}"
        dataset = collection.query(filters=lambda key, wanted=path: _path(collection, key) == wanted, variables=held)
        for name in held:
            _assert_bounds(known.zones[name], dataset[name].to_numpy(), form.zoned[name].fill_value, name, exactly)
        _assert_checksums(objects, group, form, known, later=later)


def _path(collection, key):
    return next(path for path, record in collection.records().items() if dict(record.key) == dict(key))


def _assert_bounds(zones, values, fill, name, exactly):
    for at, start in enumerate(range(0, len(values), ZONE)):
        part = values[start : start + ZONE]
        missing = is_missing(part, fill)
        assert zones.known[at], name
        assert zones.missing[at] or not missing.any(), name
        assert missing.all() or not zones.empty[at], name
        if not missing.all():
            low, high = part[~missing].min(), part[~missing].max()
            assert zones.lower[at] <= low, name
            assert zones.upper[at] >= high, name
            assert not exactly or (zones.lower[at], zones.upper[at]) == (low, high), name
        if exactly:
            assert (zones.missing[at], zones.empty[at]) == (missing.any(), missing.all()), name


def _assert_checksums(objects, group, form, known, *, later):
    present = [key for key in form.chunks if key.rpartition("/c/")[0] not in group.absent]

    async def get():
        return await objects.get([Read(group.prefix + key) for key in present])

    for key, data in zip(present, portal.run(get), strict=True):
        position, is_sealed = form.chunks[key]
        assert data is not None, key
        # The codec appends the checksum of what precedes it.
        found = google_crc32c.value(data[:-4] if is_sealed else data)
        assert int(known.checksums[position]) == (0 if later and not is_sealed else found), key
