"""The public surface for asynchronous callers; the synchronous one is derived from it.

Examples
--------
>>> import anyio
>>> from zcollection import aio
>>> async def count() -> int:
...     collection = await aio.open_collection("file:///data/altimetry")
...     return len(await collection.partitions_async())
"""

from collections.abc import Mapping
from typing import Any

from zcollection.collection.collection import Collection, Location
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Mode
from zcollection.contracts.transactional import At


async def create_collection(
    url_or_store: Location,
    *,
    schema: object,
    axis: str,
    partitioning: Partitioning,
    catalog_enabled: bool | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Collection:
    """Create a collection.

    Parameters
    ----------
    url_or_store
        URL whose scheme an installed plugin opens (``file://``, ``memory://`` …), a local path, or an open store.
    schema
        What its datasets may have: a `DatasetSchema`, or the `Schema` builder of one.
    axis
        The variable whose values order and identify rows: one-dimensional, at the root; the collection is partitioned
        along its dimension. Or a dimension, where no variable has this name.
    partitioning
        How rows map to partitions, such as ``zcollection.partitioning.Date(("time",), resolution="D")``.
    catalog_enabled
        Whether to index the partitions; None lets the store decide.
    overwrite
        Replace the collection that is there, as a whole, its partitions included.
    storage_options
        Options of the store; those that it does not know are refused.

    Returns
    -------
    Collection
        Open for reading and writing.

    Raises
    ------
    CollectionExistsError
        There is one, and `overwrite` is False.
    SchemaError
        Schema, axis and partitioning do not fit each other.
    PluginError
        No installed plugin opens the URL, or an option is unknown.
    """
    return await Collection._create(  # noqa: SLF001 - its own package
        url_or_store,
        schema=schema,
        axis=axis,
        partitioning=partitioning,
        catalog_enabled=catalog_enabled,
        overwrite=overwrite,
        storage_options=storage_options,
    )


async def open_collection(
    url_or_store: Location, *, mode: Mode = "r", at: At = None, storage_options: Mapping[str, Any] | None = None
) -> Collection:
    """Open a collection; this never creates anything.

    Parameters
    ----------
    url_or_store, storage_options
        As for `create_collection`.
    mode
        "r" to read, "rw" to read and write.
    at
        Open an older version to read, where the store keeps them: a snapshot's id, a tag, or a time.

    Raises
    ------
    CollectionNotFoundError
        There is none.
    """
    return await Collection._open(  # noqa: SLF001 - its own package
        url_or_store, mode=mode, at=at, storage_options=storage_options
    )


__all__ = ["Collection", "create_collection", "open_collection"]
