"""The stored size of each variable, from a listing of the objects of partitions."""

from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.engine.executor import gather, parallelism
from zcollection.engine.read import GroupRead
from zcollection.transaction.documents import IMMUTABLE


async def stored_bytes(opened: OpenCollection, *, filters: Filter) -> dict[str, int]:
    """Return the size of all objects of each variable; see `Collection.stored_bytes`."""
    snapshot, found = (
        await opened.snapshot(key_selection.candidates_of(opened, filters)),
        dict.fromkeys(opened.schema.all_variables(), 0),
    )
    groups = [
        partition_groups.group_of(opened, path, record, snapshot.place(path))
        for path, record in (await key_selection.select(opened, snapshot, filters)).items()
    ]
    if snapshot.immutable is not None:
        groups.append(partition_groups.group_of(opened, IMMUTABLE, snapshot.immutable, snapshot.place(IMMUTABLE)))

    async def listed(group: GroupRead) -> dict[str, int]:
        entries = [entry async for entry in snapshot.objects.list(group.prefix, recursive=True)]
        return {entry.key.removeprefix(group.prefix): entry.size for entry in entries}

    for sizes in await gather(listed, groups, limit=parallelism(snapshot.objects)):
        for key, size in sizes.items():
            parts = key.split("/")
            path = next((path for at in range(len(parts)) if (path := "/".join(parts[: at + 1])) in found), None)
            if path is not None:
                found[path] += size
    return found
