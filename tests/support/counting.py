"""How often a Zarr store is asked, and for what."""

from collections import Counter


def counting(monkeypatch, store, kind):
    """Return a count of what is read and listed of all stores of a class; `kind` names a read by its key."""
    counts = Counter()
    get, list_dir = store.get, store.list_dir

    async def counting_get(self, key, *args, **options):
        counts[kind(key)] += 1
        return await get(self, key, *args, **options)

    async def counting_list(self, prefix):
        counts["list"] += 1
        async for name in list_dir(self, prefix):
            yield name

    monkeypatch.setattr(store, "get", counting_get)
    monkeypatch.setattr(store, "list_dir", counting_list)
    return counts
